-- Deletes the logs of runs that ended more than 90 days ago (psql -v days=30: 30). Their status stays, and what Dagster knows of
-- assets, partitions and checks from them: whoever deletes a whole run makes its partitions missing again.
\if :{?days}
\else
\set days 90
\endif
DELETE FROM event_logs
USING runs
WHERE event_logs.run_id = runs.run_id
  AND runs.status IN ('SUCCESS', 'FAILURE', 'CANCELED')
  AND runs.end_time < extract(epoch FROM now() - :days * interval '1 day')
  AND event_logs.asset_key IS NULL
  AND coalesce(event_logs.dagster_event_type, '') NOT LIKE 'ASSET_%'
  AND coalesce(event_logs.dagster_event_type, '') NOT LIKE 'PIPELINE_%';
