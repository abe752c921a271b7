"""What a test can make happen to one request: the steps of a script, and the plan that each makes.

Each function below is a step. Its name and keyword arguments are the step's name and options on the control
plane. All steps also take `ignores_hangup`: the bank does not learn that the caller hung up, as if that
packet were lost, and finishes its work.
"""

import inspect
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bank.answers import JSON, Answer, failure


@dataclass(frozen=True)
class Hang:
    """A wait until the latch is released, or for at most `seconds`."""

    seconds: float | None


@dataclass(frozen=True)
class Plan:
    """Everything that deviates from the normal processing of one request, in order of processing."""

    # Before the bank looks at the request.
    delay_ms: int = 0
    hangs_before: Hang | None = None
    drops_before: bool = False
    answers_before: Answer | None = None
    # While it is executed.
    lookup_fails: bool = False
    database_down: bool = False
    database_fails_midway: bool = False
    stores_answer: bool = True
    ignores_hangup: bool = False
    # Once it has an answer.
    hangs_after: Hang | None = None
    drops_after: bool = False
    answers_after: Answer | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    dribbles_ms: int | None = None


ORDINARY = Plan()


def fail_before(
    *,
    status: int = 500,
    code: str = "internal_error",
    message: str = "Scripted failure",
    retry_after: int | None = None,
) -> Plan:
    """Respond with an error and execute nothing."""
    return Plan(answers_before=_scripted_failure(status, code, message, retry_after))


def fail_after(
    *,
    status: int = 500,
    code: str = "internal_error",
    message: str = "Scripted failure",
    retry_after: int | None = None,
) -> Plan:
    """Execute, store the answer, but respond with an error."""
    return Plan(answers_after=_scripted_failure(status, code, message, retry_after))


def hang_before(*, seconds: float | None = None) -> Plan:
    """Wait until released (or for at most `seconds`), then begin with the lookup of the key."""
    return Plan(hangs_before=Hang(seconds))


def hang_after(*, seconds: float | None = None, stored: bool = True) -> Plan:
    """Execute, wait until released (or for at most `seconds`), then answer if it is not too late."""
    return Plan(hangs_after=Hang(seconds), stores_answer=stored)


def drop_before() -> Plan:
    """Close the connection and execute nothing."""
    return Plan(drops_before=True)


def drop_after(*, stored: bool = True) -> Plan:
    """Execute and close the connection. Unless `stored`, no replay will show it."""
    return Plan(drops_after=True, stores_answer=stored)


def delay(*, ms: int) -> Plan:
    """Wait `ms` milliseconds, then continue as usual."""
    return Plan(delay_ms=ms)


def garbage(
    *,
    executed: bool = True,
    stored: bool = True,
    status: int = 200,
    body: str = "<html>not what you expected</html>",
    content_type: str = "text/html",
    headers: dict[str, str] | None = None,
) -> Plan:
    """Respond with exactly this: an unreadable 200, a 201 or 204, a redirect, a 429 with Retry-After..."""
    answer = Answer(status, body.encode(), content_type, headers or {})
    if executed:
        return Plan(answers_after=answer, stores_answer=stored)
    return Plan(answers_before=answer)


def alter(*, stored: bool = True, **changes: Any) -> Plan:
    """Execute, but change the answer: `amount=1` sends a wrong amount, `status=null` leaves the status out.

    The correct answer is stored; only the one sent to the caller is changed.
    """
    return Plan(changes=changes, stores_answer=stored)


def dribble(*, interval_ms: int = 100) -> Plan:
    """Execute, then send the body byte by byte, so that no single read takes long."""
    return Plan(dribbles_ms=interval_ms)


def lookup_fails() -> Plan:
    """The lookup of the key fails: the request is executed as a new one, and its answer is not stored."""
    return Plan(lookup_fails=True)


def database_down() -> Plan:
    """The bank's database is down during this whole request."""
    return Plan(database_down=True)


def database_fails_midway() -> Plan:
    """The bank's database fails in the middle of this request."""
    return Plan(database_fails_midway=True)


Steps = Mapping[str, Callable[..., Plan]]


def named(*steps: Callable[..., Plan]) -> Steps:
    """Steps by the names that scripts use."""
    return {step.__name__: step for step in steps}


COMMON_STEPS = named(
    *(fail_before, fail_after, hang_before, hang_after, drop_before, drop_after, delay, garbage),
    *(alter, dribble),
)
STEPS = {**COMMON_STEPS, **named(lookup_fails, database_down, database_fails_midway)}
"""All steps of FicMart's bank. Other banks have neither key lookups nor a database."""


class NotAStep(Exception):
    """A script names a step that does not exist or does not take these options."""


class Script:
    """The remaining plans per endpoint. Each request consumes one."""

    def __init__(self, endpoints: Sequence[str], steps: Steps) -> None:
        self.endpoints = endpoints
        self._steps = steps
        self._coming: defaultdict[str, deque[Plan]] = defaultdict(deque)

    def plan(self, step: str, /, *, ignores_hangup: bool = False, **options: Any) -> Plan:
        """The plan of a step. Raises NotAStep, whose message helps to correct the script."""
        if step not in self._steps:
            raise NotAStep(f"There is no step {step!r}. The steps are {', '.join(self._steps)}.")
        try:
            return replace(self._steps[step](**options), ignores_hangup=ignores_hangup)
        except TypeError as wrong:
            raise NotAStep(f"{step}{inspect.signature(self._steps[step])}: {wrong}") from None

    def add(self, endpoint: str, planned: Plan, *, times: int) -> None:
        self._coming[endpoint].extend([planned] * times)

    def next(self, endpoint: str) -> Plan:
        coming = self._coming[endpoint]
        return coming.popleft() if coming else ORDINARY

    def clear(self) -> None:
        self._coming.clear()

    def remaining(self) -> dict[str, int]:
        return {endpoint: len(self._coming[endpoint]) for endpoint in self.endpoints}


def _scripted_failure(status: int, code: str, message: str, retry_after: int | None) -> Answer:
    answer = failure(status, code, message)
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Answer(answer.status, answer.body, JSON, headers)
