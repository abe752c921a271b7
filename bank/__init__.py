"""The simulated banks: stand-ins for the banks that FicPay talks to, each in its own process.

They share no code with the gateway, only the wire protocol: neither imports the other. `bank.ficmart` is
FicMart's bank and `bank.acquirer` the acquirer. This package has what both use: the handling of requests,
weather, journal, scripts and the control plane.

Words used here:

- **Weather**: latency and random failures, which do not depend on the request.
- A **plan**: what the control plane has ordered for one request.

Instants are integer nanoseconds since 1970 in UTC.
"""
