"""The bank over HTTP: its routes."""

import re

from aiohttp import web

from bank import bodies
from bank.answers import Answer
from bank.clock import SECOND
from bank.control import add_routes
from bank.ficmart.control import BankControl
from bank.ficmart.entries import Kind
from bank.ficmart.teller import Teller
from bank.journal import Journal
from bank.plans import STEPS, Plan, Script
from bank.reception import LONGEST_BODY, Handler, Reception
from bank.settings import Settings

ANSWERING_TIME_NS = 15 * SECOND
"""After this time the bank no longer answers: it finishes executing, then closes the connection."""

ENDPOINTS = ("authorizations", "captures", "voids", "refunds", "reads", "health")
KNOWN_PATH = re.compile(
    r"/health|/api/v1/(authorizations|captures|voids|refunds)(/(auth|cap|void|ref)_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?"
)
READS = {
    "authorizations": ("auth_", Kind.HOLD),
    "captures": ("cap_", Kind.CAPTURE),
    "refunds": ("ref_", Kind.REFUND),
}


class Server:
    """One bank with its reception."""

    def __init__(self, settings: Settings) -> None:
        self.reception = Reception(
            settings,
            journal=Journal(KNOWN_PATH),
            script=Script(ENDPOINTS, STEPS),
            key_header="Idempotency-Key",
            answering_ns=ANSWERING_TIME_NS,
        )
        self.teller = Teller(settings, self.reception)
        self._has_control = settings.control

    def application(self) -> web.Application:
        app = web.Application(client_max_size=LONGEST_BODY)
        for endpoint, instruction in self.teller.instructions.items():
            app.router.add_post(instruction.path, self._instruction(endpoint))
        for endpoint, (prefix, kind) in READS.items():
            app.router.add_get(
                f"/api/v1/{endpoint}/{{reference}}", self._read(prefix, kind), allow_head=False
            )
        app.router.add_get("/health", self._health, allow_head=False)
        if self._has_control:
            add_routes(app, BankControl(self.reception, self.teller))
        app.router.add_route("*", "/{anything:.*}", self._unknown_path)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _app: web.Application) -> None:
        self.teller.close()

    def _instruction(self, endpoint: str) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            async def work(plan: Plan) -> Answer:
                key = request.headers.get("Idempotency-Key", "")
                return await self.teller.instruct(
                    endpoint, key=key, read_body=lambda: bodies.read(request), plan=plan
                )

            return await self.reception.attend(request, endpoint, work)

        return handle

    def _read(self, prefix: str, kind: Kind) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            reference = request.match_info["reference"]
            entry_id = reference.removeprefix(prefix) if reference.startswith(prefix) else ""
            return await self.reception.attend(
                request, "reads", lambda plan: self.teller.look_up(kind, entry_id, plan)
            )

        return handle

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return await self.reception.attend(request, "health", self.teller.health)

    async def _unknown_path(self, request: web.Request) -> web.StreamResponse:
        return await self.reception.attend(request, "unknown", lambda _plan: self.teller.unknown_path())
