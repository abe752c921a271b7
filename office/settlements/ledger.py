"""The ledger: the balance of every account, and the entries of one payment."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection, transaction
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from office.pages.books import VIEW
from office.pages.rendering import render_page
from office.pages.words import plain, utc
from payments.domain.ledger import Account
from payments.domain.money import display
from payments.domain.states import Mode
from payments.models import LedgerPosting, Merchant, Payment
from payments.models.guards import ran_out_of_time

# All postings are added up, three seconds a million entries on two cores. A ledger that takes longer is only
# proved, by the audit.
_LONGEST_STATEMENT_MS = 8000
MEANINGS = {
    Account.HOLDS: "Held at the bank on customers' cards",
    Account.HOLDS_CONTRA: "The other side of holds",
    Account.BANK_RECEIVABLE: "Captured and not refunded: the bank owes it",
    Account.MERCHANT_PAYABLE: "Owed to the merchant",
    Account.FEES: "Fees of the merchant",
    Account.CORRECTIONS: "The other side of corrections",
}


@dataclass(frozen=True)
class Balances:
    """The accounts of one merchant, mode, bank and currency. They add up to nought."""

    merchant: str
    mode: str
    bank: str
    currency: str
    rows: list[tuple[str, str, str, str]]  # account, its meaning, debit, credit


def page(request: HttpRequest) -> HttpResponse:
    """Balances of a mode, live unless asked otherwise, and of one merchant if asked."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    mode = Mode.TEST if request.GET.get("mode") == Mode.TEST else Mode.LIVE
    merchants = list(Merchant.objects.order_by("name").values_list("pk", "name"))
    merchant = next((pk for pk, _ in merchants if str(pk) == request.GET.get("merchant")), None)
    context: dict[str, Any] = {
        "title": "Ledger",
        "mode": mode.value,
        "merchants": merchants,
        "merchant": merchant,
        "other_mode": (Mode.LIVE if mode is Mode.TEST else Mode.TEST).value,
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(_LONGEST_STATEMENT_MS)])
            context["balances"] = balances(mode, merchant, dict(merchants))
    except OperationalError as error:
        if not ran_out_of_time(error):
            raise
        context["is_too_large"] = True
    return render_page(request, "office/books/ledger.html", context)


def balances(mode: Mode, merchant: int | None, names: dict[int, str]) -> list[Balances]:
    """Every account that was ever posted to. One statement reads all postings of the mode."""
    of = {"entry__mode": mode} | ({"entry__merchant": merchant} if merchant else {})
    groups = ("entry__merchant", "entry__bank", "entry__currency", "account")
    found: dict[tuple[int, str, str], dict[str, int]] = {}
    rows = (
        LedgerPosting.objects.filter(**of).order_by().values_list(*groups).annotate(sum=Sum("amount_minor"))
    )
    for whose, bank, currency, account, total in rows:
        found.setdefault((whose, bank, currency), {})[account] = total
    order = sorted(found, key=lambda one: (names.get(one[0], ""), *one[1:]))
    return [
        Balances(
            names.get(whose, ""), mode.value, bank, currency, _rows(found[whose, bank, currency], currency)
        )
        for whose, bank, currency in order
    ]


def _rows(sums: dict[str, int], currency: str) -> list[tuple[str, str, str, str]]:
    return [
        (plain(account), MEANINGS[account], *_sides(sums[account], currency))
        for account in Account
        if account in sums
    ]


def _sides(amount_minor: int, currency: str) -> tuple[str, str]:
    """As debit and credit."""
    shown = display(abs(amount_minor), currency)
    return (shown, "") if amount_minor >= 0 else ("", shown)


@dataclass(frozen=True)
class Entry:
    """What one event of a payment posted."""

    at: SafeString | str
    event: str
    postings: list[tuple[str, str, str]]  # account, debit, credit


def entries_of(payment: Payment) -> list[Entry]:
    """The payment's entries, oldest first."""
    events = (
        payment.events.filter(entry__isnull=False).select_related("entry").prefetch_related("entry__postings")
    )
    order = list(Account)
    return [
        Entry(
            utc(event.at),
            plain(event.type),
            [
                (plain(one.account), *_sides(one.amount_minor, event.entry.currency))
                for one in sorted(
                    event.entry.postings.all(), key=lambda one: order.index(Account(one.account))
                )
            ],
        )
        for event in events.order_by("id")
    ]
