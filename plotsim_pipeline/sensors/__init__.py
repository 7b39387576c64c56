"""Sensors: what tells the instance of the store, ends runs that were killed, and posts alerts."""
