"""The simulated banks: stand-ins, each in a process of its own, for the banks FicPay talks to.

They are strangers to the gateway. They import nothing of it and nothing of it imports them; the two share
only what goes over the wire. bank.ficmart is FicMart's bank, bank.acquirer the acquirer; here lies what
both have: how requests are attended to, weather, journal, scripts and the control plane.

Words used here:

- **Weather** is what happens to requests for no reason of their own: latency and random failures.
- A **plan** is what the control plane asked to happen to one request.

Instants are integer nanoseconds since 1970 in UTC.
"""
