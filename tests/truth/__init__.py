"""What explains a value and the answer key say what the tables hold. Seconds."""
