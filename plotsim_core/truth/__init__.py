"""What is known because it was made: how each value came to be."""
