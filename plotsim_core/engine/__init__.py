"""The stages, in the order the data takes: roster, trajectories, metrics, correlated, noised."""
