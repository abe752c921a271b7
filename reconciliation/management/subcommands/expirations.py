"""`reconcile expirations`: expires payments whose hold has expired."""

from typing import Any

from django.core.management.base import CommandParser

from payments.domain.ids import PAYMENT_PREFIX, public_id
from payments.usecases import expirations
from reconciliation.management.subcommands.base import (
    ExitCode,
    Subcommand,
    add_dry_run,
    add_json,
    positive,
)

_AT_ONCE = 1000


class Expirations(Subcommand):
    """Expire what is due."""

    name = "expirations"
    help = "expire payments whose hold has expired"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=positive, metavar="N", help="at most N payments")
        add_dry_run(parser, "list the expired holds without changing anything")
        add_json(parser)

    def run(self, *, limit: int | None, dry_run: bool, json: bool, **_: Any) -> ExitCode:
        most = limit or _AT_ONCE
        if dry_run:
            ids = list(
                expirations.expired_holds()
                .order_by("authorization_expires_at")
                .values_list("pk", flat=True)[:most]
            )
        else:
            ids = expirations.expire_due(limit=most)
        names = [public_id(PAYMENT_PREFIX, one) for one in ids]
        left = 0 if dry_run else expirations.expired_holds().count()
        if json:
            self.print_json({"dry_run": dry_run, "expired": names, "left": left})
        else:
            for name in names:
                self.stdout.write(f"{name} {'would expire' if dry_run else 'has expired'}")
            self.stdout.write(f"{len(names)} {'to expire' if dry_run else 'expired'}, {left} left.")
        return ExitCode.OPEN if left else ExitCode.CLEAN
