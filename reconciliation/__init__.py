"""Reconciliation: operations in doubt, a payment's chain of evidence, and the audit of our books."""
