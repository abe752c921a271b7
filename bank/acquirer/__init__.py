"""The simulated acquirer: a second bank, with a single call and no way to look up earlier ones.

It shares the handling of requests, the weather and the control plane with the simulated bank, but not the
meaning of replies. It has no idempotency keys: a second call is a second authorization.

Words used here:

- A **payment** is a readable `POST /payments`: what the issuer is asked for.
- A **decision** is the issuer's reply: authorized or not. The **books** keep all decisions.

Amounts are integers in the currency's minor unit.
"""
