"""The simulated acquirer: the second bank, with one call and no memory of it that anybody could ask.

It shares with the simulated bank how requests are attended to, the weather and the control plane, and
nothing of what an answer means. It knows no idempotency keys: a second call is a second authorization.

Words used here:

- A **payment** is a readable `POST /payments`: what is asked of the issuer.
- A **decision** is what the issuer said to it, authorized or not; the **books** hold all of them.

Amounts are integers in the currency's minor unit.
"""
