"""Comparing records: what is in doubt, what the chain of evidence says, whether our books hold together."""
