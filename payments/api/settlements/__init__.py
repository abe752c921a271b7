"""Settlements in the API: what the bank pays a merchant, and for which payments."""
