"""The simulated banks' own things: command line, ledger, control plane, logs.

What the bank promises on the wire is proven by tests/banks/contract.
"""
