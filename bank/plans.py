"""What a test can ask to happen to one request: the steps of a script, and the plan each comes down to.

Each function below is a step; its name and keyword arguments are the step's name and options on the
control plane. All take `ignores_hangup` too: the bank does not learn that the caller hung up, as when the
packet that says so is lost, and finishes its work.
"""

import inspect
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bank.answers import JSON, Answer, failure


@dataclass(frozen=True)
class Hang:
    """A wait until the latch is released, or for `seconds` at most."""

    seconds: float | None


@dataclass(frozen=True)
class Plan:
    """Everything that deviates from the ordinary course of one request, in the order of that course."""

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
    """Answer an error and execute nothing."""
    return Plan(answers_before=_scripted_failure(status, code, message, retry_after))


def fail_after(
    *,
    status: int = 500,
    code: str = "internal_error",
    message: str = "Scripted failure",
    retry_after: int | None = None,
) -> Plan:
    """Execute, store the answer, and answer an error all the same."""
    return Plan(answers_after=_scripted_failure(status, code, message, retry_after))


def hang_before(*, seconds: float | None = None) -> Plan:
    """Wait until released (or for so long) and then begin, with the key's look-up."""
    return Plan(hangs_before=Hang(seconds))


def hang_after(*, seconds: float | None = None, stored: bool = True) -> Plan:
    """Execute, then wait until released (or for so long) and answer, if it is not too late by then."""
    return Plan(hangs_after=Hang(seconds), stores_answer=stored)


def drop_before() -> Plan:
    """Close the connection and execute nothing."""
    return Plan(drops_before=True)


def drop_after(*, stored: bool = True) -> Plan:
    """Execute and close the connection. Unless `stored`, no replay will know of it."""
    return Plan(drops_after=True, stores_answer=stored)


def delay(*, ms: int) -> Plan:
    """Wait so many milliseconds, then go on as usual."""
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
    """Answer just this: an unreadable 200, a 201 or 204, a redirect, a 429 with Retry-After..."""
    answer = Answer(status, body.encode(), content_type, headers or {})
    if executed:
        return Plan(answers_after=answer, stores_answer=stored)
    return Plan(answers_before=answer)


def alter(*, stored: bool = True, **changes: Any) -> Plan:
    """Execute, and say something else: `amount=1` answers a wrong amount, `status=null` leaves it out.

    What is stored is the right answer: it is on the way to the caller that this one goes wrong.
    """
    return Plan(changes=changes, stores_answer=stored)


def dribble(*, interval_ms: int = 100) -> Plan:
    """Execute, and send the body byte by byte, so that no single read ever takes long."""
    return Plan(dribbles_ms=interval_ms)


def lookup_fails() -> Plan:
    """The key's look-up fails: the request is executed as new and its answer is not stored."""
    return Plan(lookup_fails=True)


def database_down() -> Plan:
    """The bank's database is away for the whole of this request."""
    return Plan(database_down=True)


def database_fails_midway() -> Plan:
    """The bank's database goes away in the middle of this request."""
    return Plan(database_fails_midway=True)


Steps = Mapping[str, Callable[..., Plan]]


def named(*steps: Callable[..., Plan]) -> Steps:
    """Steps by their names, as a script asks for them."""
    return {step.__name__: step for step in steps}


COMMON_STEPS = named(
    *(fail_before, fail_after, hang_before, hang_after, drop_before, drop_after, delay, garbage),
    *(alter, dribble),
)
STEPS = {**COMMON_STEPS, **named(lookup_fails, database_down, database_fails_midway)}
"""All that the bank can do; the others have no key to look up and no database."""


class NotAStep(Exception):
    """The control plane was asked for a step that does not exist or does not take these options."""


class Script:
    """The plans still to come, per endpoint of this bank; each request takes one."""

    def __init__(self, endpoints: Sequence[str], steps: Steps) -> None:
        self.endpoints = endpoints
        self._steps = steps
        self._coming: defaultdict[str, deque[Plan]] = defaultdict(deque)

    def plan(self, step: str, /, *, ignores_hangup: bool = False, **options: Any) -> Plan:
        """The plan of a step; raises NotAStep with a message for whoever wrote the script."""
        if step not in self._steps:
            raise NotAStep(f"There is no step {step!r}; there are {', '.join(self._steps)}.")
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
