"""A simulated month: see `__main__`."""
