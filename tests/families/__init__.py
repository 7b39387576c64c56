"""The members of each family beside an independent answer: SciPy, decimals, Python itself. Half a minute.

Yours goes here if it is a distribution, a curve, a noise family, a formula or what a column source says of one row.
"""
