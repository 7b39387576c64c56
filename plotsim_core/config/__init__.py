"""The language: frozen models of what a YAML file may say, and the load that reports every error at once."""
