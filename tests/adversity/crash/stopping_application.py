"""The gateway's own application, made to stand still where a test wants to kill it.

A request names the point in its header `X-Stand-Still`. Whatever thread gets there says so in the log and
never goes on; the test looks at what is half done from outside and then kills the server. Production
code knows nothing of this: it is watched through the bank's adapter, Django's hooks around statements,
and WSGI.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse

from django.db.backends.signals import connection_created

from ficpay.asgi import django as gateway
from ficpay.intake import Intake
from payments.banks.acquirer import AcquirerBank
from payments.banks.base import Bank, Instruction
from payments.banks.ficmart import FicmartBank
from payments.domain.cards import Card
from payments.domain.replies import Reply
from tests.adversity.crash.points import LAST_STATEMENTS, announcement

_wanted = ""  # one request at a time is to stand still, and its process ends by it


def _arrive(point: str) -> None:
    if point == _wanted:
        print(announcement(point), flush=True)  # noqa: T201 - the test reads it
        threading.Event().wait()


def watched(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    global _wanted  # noqa: PLW0603 - the bank's thread must see it, too
    wanted = environ.pop("HTTP_X_STAND_STILL", "")
    if not wanted:
        return gateway(environ, start_response)
    _wanted = wanted

    def respond(*args: Any) -> Any:
        _arrive("unanswered")
        return start_response(*args)

    return gateway(environ, respond)


application = Intake(watched)


def _watched(send: Callable[..., Reply]) -> Callable[..., Reply]:
    def watched_send(
        self: Bank, instruction: Instruction, *, card: Card | None, may_send: Callable[[], bool]
    ) -> Reply:
        def may_send_now() -> bool:
            permitted = may_send()
            _arrive("unsent")  # connected, and no byte has left
            return permitted

        reply = send(self, instruction, card=card, may_send=may_send_now)
        _arrive("unrecorded")
        return reply

    return watched_send


def _watch_statements(connection: Any, **_: Any) -> None:
    if _watched_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(_watched_statement)


def _watched_statement(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    for point, statement in LAST_STATEMENTS.items():
        if point == _wanted and statement in sql:
            if not context["connection"].in_atomic_block:
                # It commits by itself. In a transaction it stands still when it has done all but that.
                execute("BEGIN", None, many, context)
            execute(sql, params, many, context)
            _arrive(point)
    return execute(sql, params, many, context)


for bank in (FicmartBank, AcquirerBank):
    bank.send = _watched(bank.send)  # type: ignore[attr-defined]
connection_created.connect(_watch_statements)
