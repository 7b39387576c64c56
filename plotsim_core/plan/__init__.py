"""From a config to a plan: names resolved, order found, matrices and quantiles solved, schemas fixed."""
