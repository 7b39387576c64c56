"""Files of other systems become configs of this language, and everything in them is carried over or told. Seconds.

Yours goes here if it is about an importer; what plotsim's builder writes needs none and is in `compatibility/`.
"""
