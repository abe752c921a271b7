"""The acquirer over HTTP: its only call, and how it processes a payment."""

import re

from aiohttp import web

from bank import bodies
from bank.acquirer import payments
from bank.acquirer.books import Books
from bank.acquirer.control import AcquirerControl
from bank.answers import PLAIN_TEXT, Answer, json_answer
from bank.control import add_routes
from bank.journal import Journal
from bank.latch import Point
from bank.plans import COMMON_STEPS, Plan, Script, named
from bank.reception import LONGEST_BODY, Reception
from bank.settings import ServerSettings

PAYMENTS = "payments"
UNAVAILABLE = Answer(503, b"", PLAIN_TEXT)
"""Nothing was executed: a random failure, or the card's issuer could not be reached."""

UNKNOWN_PATH = Answer(404, b"", PLAIN_TEXT)


def unavailable() -> Plan:
    """Respond 503 with an empty body and execute nothing, like a random failure."""
    return Plan(answers_before=UNAVAILABLE)


class Acquirer:
    """One acquirer with its reception and its books."""

    def __init__(self, settings: ServerSettings) -> None:
        self.reception = Reception(
            settings,
            journal=Journal(re.compile(f"/{PAYMENTS}")),
            script=Script((PAYMENTS,), {**COMMON_STEPS, **named(unavailable)}),
        )
        self.books = Books()
        self._has_control = settings.control

    def application(self) -> web.Application:
        app = web.Application(client_max_size=LONGEST_BODY)
        app.router.add_post(f"/{PAYMENTS}", self._payment)
        if self._has_control:
            add_routes(app, AcquirerControl(self.reception, self.books))
        app.router.add_route("*", "/{anything:.*}", self._unknown_path)
        return app

    async def _payment(self, request: web.Request) -> web.StreamResponse:
        async def work(_plan: Plan) -> Answer:
            return await self._authorize(request)

        return await self.reception.attend(request, PAYMENTS, work)

    async def _authorize(self, request: web.Request) -> Answer:
        """If the caller hangs up before the decision, nothing is executed; after it, the decision stands."""
        if not await self.reception.weather.passes():
            return UNAVAILABLE
        try:
            payment = payments.read(await bodies.read(request))
        except bodies.Unreadable:
            return _bad_request("The body is not a JSON object.")
        except payments.Malformed as malformed:
            return _bad_request(str(malformed))
        if payment.issuer_is_away:
            return UNAVAILABLE
        await self.reception.latch.pass_point(Point.EXECUTION, PAYMENTS)
        decision = self.books.decide(payment, now=self.reception.clock.now())
        said = {"authorized": decision.authorized, "authorization_code": decision.authorization_code}
        return json_answer(200, said)

    async def _unknown_path(self, request: web.Request) -> web.StreamResponse:
        async def work(_plan: Plan) -> Answer:
            return UNKNOWN_PATH

        return await self.reception.attend(request, "unknown", work)


def _bad_request(message: str) -> Answer:
    return json_answer(400, {"error_message": message})
