"""The simulated bank's own things: its command line, its ledger, its control plane.

What it promises on the wire is tests/banks/contract's; that those tests see it broken is mutants.py's.
"""
