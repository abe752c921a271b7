"""The banks, all behind one protocol."""
