"""Fidelity: what a config declares against what its data shows, side by side with plotsim 0.7.0.

`make fidelity` runs it and writes docs/fidelity.md. A section is a module with `configs(scale)`, the configs that both
generators get, and `section(scale, peer)`, which measures and returns its part of the page.
"""
