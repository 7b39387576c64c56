"""Arrays in, arrays out: random addresses, calendar, curves, noise, distributions, correlation."""
