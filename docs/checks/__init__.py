"""What the pages of this repository claim, held against the repository. `python docs/check.py` runs all of it."""
