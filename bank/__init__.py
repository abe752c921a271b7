"""The simulated banks: stand-ins, each in a process of its own, for the banks FicPay talks to.

The modules here are FicMart's bank, and what it shares with the acquirer (bank.acquirer): the reception,
the weather, the journal, the scripts and the control plane. What follows is about FicMart's bank.

It is a stranger to the gateway. It imports nothing of it and nothing of it imports this; the two share
only what goes over the wire. It behaves like the real bank, quirks included, because the quirks (a key
look-up that does not lock, a hold without a stored answer, silence after 15 seconds) are what the gateway
has to survive.

Words used here:

- An **instruction** is a POST: authorize, capture, void or refund.
- A **hold** is an approved authorization. Hold, capture, void and refund are **entries** of the ledger,
  which only grows.
- A **stored answer** is what the bank keeps under an idempotency key and a path, to return it again.
- **Weather** is what happens to requests for no reason of their own: latency and random failures.
- A **plan** is what the control plane asked to happen to one request.

Money is in integer cents, instants are integer nanoseconds since 1970 in UTC.
"""
