"""Checks of what is stored: where each is judged, what was found, and what stays red."""
