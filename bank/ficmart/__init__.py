"""FicMart's bank, as `python -m bank` serves it.

It behaves like the real bank, quirks included, because the quirks (a key look-up that does not lock, a hold
without a stored answer, silence after 15 seconds) are what the gateway has to survive.

Words used here:

- An **instruction** is a POST: authorize, capture, void or refund.
- A **hold** is an approved authorization. Hold, capture, void and refund are **entries** of the ledger,
  which only grows.
- A **stored answer** is what the bank keeps under an idempotency key and a path, to return it again.

Money is in integer cents, instants are integer nanoseconds since 1970 in UTC.
"""
