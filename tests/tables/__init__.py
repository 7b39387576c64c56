"""Which rows tables have: links, listed rows, systems, kinds of unit, snapshots and change logs. Half a minute.

Yours goes here if it is about the rows of a table kind.
"""
