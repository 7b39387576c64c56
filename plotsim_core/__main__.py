"""`python -m plotsim_core` is the command `plotsim`."""

from plotsim_core.cli import main

if __name__ == "__main__":
    main()
