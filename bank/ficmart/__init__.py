"""FicMart's bank, which `python -m bank` runs.

It behaves like the real bank, including the quirks that the gateway must survive: a key lookup that does not
lock, holds without a stored answer, and silence after 15 seconds.

Words used here:

- An **instruction** is a POST: authorize, capture, void or refund.
- A **hold** is an approved authorization. Holds, captures, voids and refunds are **entries** of the
append-only
  ledger.
- A **stored answer** is kept under an idempotency key and a path, to be returned again.

Money is in integer cents, instants are integer nanoseconds since 1970 in UTC.
"""
