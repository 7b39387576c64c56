"""Old spellings: what today's words for them are, and that a rewritten file makes the same data. Seconds.

Yours goes here if it spells something of the language otherwise:
a line in `old.yaml`, and what becomes of it in `todays.yaml`.
"""
