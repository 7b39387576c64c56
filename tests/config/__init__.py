"""Loading: what is refused, noted or asked otherwise, that a config is data, and that it is quick. Seconds.

Yours goes here if it is about what a config may say; a broken config and its text go into `tests/errors`.
"""
