"""What the bank may do wrong, within its contract: every step of a script, as the machine draws them.

Two lies are left out, since no gateway survives them: that nothing was done (500 `internal_error`, or a
refusal) of something that was. A 400 `internal_error` is no such word, nor is any other 5xx.
"""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

_HTML = {"status": 503, "body": "<h1>Bad gateway</h1>"}


@dataclass(frozen=True)
class Fault:
    """A step of a script for the next `times` requests to an endpoint."""

    endpoint: Any
    step: Any
    options: dict[str, Any] = field(default_factory=dict)
    times: int = 1

    @property
    def loses_replies(self) -> bool:
        """Whether the bank may execute something and not know it when asked again."""
        return self.step == "lookup_fails" or self.options.get("stored") is False

    @property
    def contradicts(self) -> bool:
        """Whether the bank's reply disagrees with our books, so that people must decide in the end."""
        refuses = self.options.get("code") == "authorization_not_found"
        return refuses or self.step in ("database_fails_midway", "alter")


_NOT_EXECUTED: list[tuple[str, dict[str, Any]]] = [
    ("fail_before", {}),
    ("fail_before", {"status": 503}),
    ("fail_before", {"status": 400}),
    ("fail_before", {"status": 429, "retry_after": 1}),
    ("drop_before", {}),
    ("hang_before", {"seconds": 0.6}),
    ("garbage", {"executed": False}),
    ("garbage", {"executed": False, **_HTML}),
    ("garbage", {"executed": False, "status": 302, "headers": {"Location": "/"}}),
    ("database_down", {}),
    ("database_fails_midway", {}),
]
_EXECUTED: list[tuple[str, dict[str, Any]]] = [
    ("fail_after", {"status": 503}),
    ("fail_after", {"status": 400}),
    ("drop_after", {}),
    ("drop_after", {"stored": False}),
    ("hang_before", {"seconds": 0.6, "ignores_hangup": True}),
    ("hang_after", {"seconds": 0.6}),
    ("hang_after", {"seconds": 0.6, "stored": False}),
    ("hang_after", {"seconds": 0.6, "ignores_hangup": True}),
    ("garbage", {}),
    ("garbage", {"stored": False}),
    ("garbage", {"status": 204, "body": ""}),
    ("garbage", {"status": 201}),
    ("garbage", _HTML),
    ("alter", {"status": "pending"}),
    ("alter", {"amount": 1}),
    ("alter", {"status": None}),
    ("alter", {"currency": "EUR", "stored": False}),
    ("dribble", {"interval_ms": 1}),
    ("dribble", {"interval_ms": 30}),
    ("lookup_fails", {}),
    ("delay", {"ms": 150}),
]
_DECLINES = [
    ("fail_before", {"status": 402, "code": "insufficient_funds"}),
    ("fail_before", {"status": 400, "code": "card_expired"}),
    ("fail_before", {"status": 400, "code": "invalid_card"}),
]
_REFUSES = [("fail_before", {"status": 400, "code": "authorization_not_found"})]
_HEALTH: list[tuple[str, dict[str, Any]]] = [
    ("fail_before", {"status": 503}),
    ("drop_before", {}),
    ("hang_before", {"seconds": 0.3}),
    ("garbage", {}),
    ("database_down", {}),
]
# One and then good again, or so many that an operation's attempts all meet it.
_TIMES = st.sampled_from([1, 1, 2, 4])


def _of(endpoint: str, steps: list[tuple[str, dict[str, Any]]]) -> st.SearchStrategy[Fault]:
    return st.builds(
        lambda step, times: Fault(endpoint, step[0], step[1], times), st.sampled_from(steps), _TIMES
    )


FAULTS = st.one_of(
    _of("authorizations", _EXECUTED),
    _of("authorizations", _EXECUTED + _NOT_EXECUTED + _DECLINES),
    *(_of(endpoint, _EXECUTED + _NOT_EXECUTED + _REFUSES) for endpoint in ("captures", "voids", "refunds")),
    _of("health", _HEALTH),
)
# At the acquirer. Its lies are left out as well: nothing empties a 503 of something that was done.
FAULTS_OF_ACQUIRER = _of(
    "payments",
    [
        ("unavailable", {}),
        ("drop_before", {}),
        ("drop_after", {}),
        ("hang_after", {"seconds": 0.6}),
        ("hang_before", {"seconds": 0.6, "ignores_hangup": True}),
        ("garbage", {}),
        ("garbage", _HTML),
        ("garbage", {"executed": False, "status": 400, "body": '{"error_message": "no"}'}),
        ("alter", {"authorized": None}),
    ],
)
