"""The dates, the rhythm of a week and the stages of a life, gone through one by one. Seconds.

Yours goes here if it says when something is.
"""
