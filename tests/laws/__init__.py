"""The laws: a slice is the whole's, order is nothing, more words move no other value, writing again is idle. Minutes.

They hold for bundled datasets and for random configs. Yours goes into `pieces` if the language has a word more;
it is then held to every law.
"""
