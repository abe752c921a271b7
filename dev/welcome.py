"""The message of `make up` when everything runs: URLs, keys, and a first payment to paste."""

import json

from dev.environment import Environment
from dev.supervisor import paint

# The shell makes a new value at each use. RANDOM helps shells whose `date` has no nanoseconds.
UNIQUE = "$(date +%s%N)$RANDOM"


def text(environment: Environment) -> str:
    """The message. The credentials must have been seeded."""
    known = json.loads(environment.credentials.read_text())
    rows = [
        ("FicPay", environment.url),
        ("API docs", f"{environment.url}/api/docs/   (ReDoc: {environment.url}/api/redoc/)"),
        ("Admin", f"{environment.url}/admin/   {known['admin_username']} / {known['admin_password']}"),
        ("Test key", f"{known['test_api_key']}   (a sandbox without a bank)"),
        ("Live key", f"{known['live_api_key']}   ({_bank(environment)})"),
        ("", f"Stored in {environment.credentials}"),
    ]
    lines = [f"  {label:<10}{value}" for label, value in rows]
    return "\n".join(
        [
            "",
            paint("FicPay is ready.", "1;32"),
            *lines,
            "",
            "  Authorize 50.00 USD in the sandbox (paste it as often as you like):",
            "",
            curl(environment, known["test_api_key"]),
            "",
            "  For a payment's whole life, run `make demo` in another terminal. Ctrl-C here stops "
            "everything.",
            "",
        ]
    )


def curl(environment: Environment, api_key: str) -> str:
    """A shell command that authorizes a new payment each time."""
    card = '{"number": "4111111111111111", "cvv": "123", "expiry_month": 12, "expiry_year": 2030}'
    order = f'"order_id": "order-\'{UNIQUE}\'", "customer_id": "customer-1"'
    body = f'{{{order}, "amount": 5000, "currency": "USD", "card": {card}}}'
    return (
        f"curl -sS -w '\\n' {environment.url}/api/v1/payments"
        f" -H 'Authorization: Bearer {api_key}' -H 'Content-Type: application/json'"
        f" -H \"Idempotency-Key: key-{UNIQUE}\" -d '{body}'"
    )


def _bank(environment: Environment) -> str:
    return f"the bank at {environment.bank_url}" if environment.given_bank_url else "the simulated banks"
