"""What `plotsim materialize`, `status` and their kin do: what is there, what is missing, and the runs that make it."""
