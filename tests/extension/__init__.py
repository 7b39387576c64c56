"""Members of the language from elsewhere, as users write them: held to the laws, known wherever ours are. A minute.

Yours goes here if it is about Python of one's own.
"""
