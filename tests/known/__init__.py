"""Bytes that must never change: the checksums of the bundled datasets, and published answers of the generator. Seconds."""
