"""Whether all books agree in the end: receipts, both ledgers, statements, settlements, cases.

Each sum is made from both ends, to the minor unit; nothing that FicPay has added up is believed.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.db.models import F, Max, Sum
from django.db.models.functions import Coalesce

from payments.domain.ledger import Account
from payments.domain.states import UNFINISHED_OPERATIONS
from payments.models import Discrepancy, LedgerPosting, Operation, Payment
from reconciliation.models import Difference, Settlement, StatementFile, StatementLine
from reconciliation.services import audit
from tests.adversity.month.plants import Planted, Plants
from tests.support.simulated_bank import LedgerEntry

BANK = "ficmart"
_ENDS_RESOLVED = ("orphan_hold", "statement_missing")
# Mode, currency, basis points and a fixed part in minor units: what the merchant pays for each capture.
FEES = (("live", "USD", 290, 30), ("test", "GBP", 145, 0))
Receipts = dict[str, list[dict[str, Any]]]  # by mode
Key = tuple[str, str]  # mode and currency


def faults(plants: Plants, receipts: Receipts) -> Iterator[str]:
    """What does not agree, a sentence each."""
    entries = plants.bank.ledger()
    yield from (f"audit: {one.rule}: {one.subject}: {one.detail}" for one in audit.violations())
    yield from _unfinished()
    yield from _ledger(receipts)
    yield from _bank(receipts["live"], entries, plants)
    yield from _statements(entries, plants)
    yield from _settlements(receipts, plants)
    yield from _cases(entries, plants)


def _unfinished() -> Iterator[str]:
    for operation in Operation.objects.filter(state__in=UNFINISHED_OPERATIONS):
        yield f"{operation} is {operation.state}"
    for operation in Operation.objects.filter(awaiting_statement=True):
        yield f"{operation} awaits {operation.strays_awaited} holds of statements that have come"
    for case in Discrepancy.objects.filter(closed_at=None):
        yield f"the review queue has {case}"


def _ledger(receipts: Receipts) -> Iterator[str]:
    """The accounts' balances are those that receipts and settlements make."""
    paid, fees = _settled("amount_minor"), _settled("fees_minor")
    net = _summed(receipts, lambda one: one["captured_amount"] - one["refunded_amount"])
    held = _summed(receipts, lambda one: one["amount"] if one["state"] == "AUTHORIZED" else 0)
    for account, expected in (
        (Account.BANK_RECEIVABLE, _minus(net, paid)),
        (Account.MERCHANT_PAYABLE, _minus(paid + fees, net)),
        (Account.HOLDS, held),
        (Account.FEES, _minus(Counter(), fees)),
    ):
        yield from _differing(f"the ledger's {account}", _balance(account), expected)


def _bank(receipts: list[dict[str, Any]], entries: list[LedgerEntry], plants: Plants) -> Iterator[str]:
    """What the bank did is what receipts show, entry by entry, but for what was planted."""
    planted = {one.about for one in plants.all}
    at_bank = {(one.id, one.amount) for one in entries if one.type in ("CAPTURE", "REFUND")}
    shown = set()
    for one in (one for one in receipts if one["currency"] == "USD"):
        shown |= {(one["bank"]["capture_id"], one["captured_amount"])} if one["captured_amount"] else set()
        shown |= {(refund["bank_reference"], refund["amount"]) for refund in one["refunds"]}
    outside = {one for one in at_bank if one[0] in planted} - shown
    yield from (f"on a receipt, not at the bank: {one}" for one in sorted(shown - at_bank))
    yield from (f"at the bank, on no receipt: {one}" for one in sorted(at_bank - shown - outside))
    sums = (plants.captured_outside, plants.refunded_outside)
    found = tuple(
        sum(amount for id_, amount in outside if id_.startswith(prefix)) for prefix in ("cap_", "ref_")
    )
    if found != sums:
        yield f"planted outside: {sums} cents, found: {found}"
    used = {one.reference_id for one in entries}
    claimed = set(Payment.objects.filter(bank=BANK).values_list("bank_authorization_id", flat=True))
    for entry in entries:
        if entry.type == "AUTH_HOLD" and entry.id not in used | claimed:
            yield f"a hold that blocks a customer's money for nothing: {entry.id}"


def _statements(entries: list[LedgerEntry], plants: Plants) -> Iterator[str]:
    """The lines that were imported add up to the bank's ledger."""
    end: datetime = StatementFile.objects.filter(bank=BANK).aggregate(end=Max("covers_to"))["end"]
    at_bank: Counter[str] = Counter()
    for entry in entries:
        if entry.created_at < end:
            at_bank[_KINDS[entry.type]] += entry.amount
    at_bank["capture"] += plants.too_much
    lines = StatementLine.objects.filter(bank=BANK, currency="USD").values_list("kind")
    imported = Counter(dict(lines.annotate(Sum("amount_minor"))))
    yield from _differing("the statements", imported, at_bank)


_KINDS = {"AUTH_HOLD": "authorize", "CAPTURE": "capture", "VOID": "void", "REFUND": "refund"}


def _settlements(receipts: Receipts, plants: Plants) -> Iterator[str]:
    """All that was captured and refunded is settled, but what no statement has shown as it is."""
    shown = {
        mode: [one for one in some if one["bank"]["capture_id"] not in plants.unmatched_captures]
        for mode, some in receipts.items()
    }
    captured = _summed(shown, lambda one: one["captured_amount"])
    yield from _differing("captures settled", _settled("captured_minor"), captured)
    for mode, currency, basis_points, fixed in FEES:
        amounts = [one["captured_amount"] for one in shown[mode] if one["currency"] == currency]
        expected = sum(_fee(amount, basis_points, fixed) for amount in amounts if amount)
        if _settled("fees_minor")[mode, currency] != expected:
            yield f"fees, {mode} {currency}: {_settled('fees_minor')[mode, currency]}, not {expected}"
    refunded = _summed(receipts, lambda one: one["refunded_amount"])
    yield from _differing("refunds settled", _settled("refunded_minor"), refunded)


def _fee(amount: int, basis_points: int, fixed: int) -> int:
    """Rounded once, half to the even minor unit."""
    return int((Decimal(amount * basis_points) / 10_000).quantize(Decimal(1), ROUND_HALF_EVEN)) + fixed


def _cases(entries: list[LedgerEntry], plants: Plants) -> Iterator[str]:
    """Each planted difference has one case, each stray hold has one at most, and there is no other."""
    cases = Difference.objects.annotate(
        reference_or_day=Coalesce(F("line__reference"), F("operation__bank_reference"), F("subject"))
    )
    known = Counter(Planted(one.kind, one.reference_or_day.removeprefix("day:")) for one in cases)
    claimed = set(Payment.objects.filter(bank=BANK).values_list("bank_authorization_id", flat=True))
    strays = {one.id for one in entries if one.type == "AUTH_HOLD"} - claimed
    for planted in plants.all:
        if known[planted] != 1:
            yield f"{planted} has {known[planted]} cases"
    for case, number in known.items():
        is_stray = case.kind == "orphan_hold" and case.about in strays and number == 1
        if case not in plants.all and not is_stray:
            yield f"nobody planted {case}"
    for one in cases:
        if (one.state == "RESOLVED") is not (one.kind in _ENDS_RESOLVED):
            yield f"{one} is {one.state}"


def _summed(receipts: Receipts, amount: Any) -> Counter[Key]:
    sums: Counter[Key] = Counter()
    for mode, some in receipts.items():
        for one in some:
            sums[mode, one["currency"]] += amount(one)
    return sums


def _settled(column: str) -> Counter[Key]:
    rows = Settlement.objects.values_list("mode", "currency").annotate(Sum(column)).order_by()
    return Counter({(mode, currency): amount for mode, currency, amount in rows})


def _balance(account: Account) -> Counter[Key]:
    postings = LedgerPosting.objects.filter(account=account)
    rows = postings.values_list("entry__mode", "entry__currency").annotate(Sum("amount_minor")).order_by()
    return Counter({(mode, currency): amount for mode, currency, amount in rows})


def _minus(one: Counter[Key], other: Counter[Key]) -> Counter[Key]:
    return Counter({key: one[key] - other[key] for key in {*one, *other}})


def _differing(what: str, found: Counter[Any], expected: Counter[Any]) -> Iterator[str]:
    for key in sorted({*found, *expected}):
        if found[key] != expected[key]:
            yield f"{what}, {key}: {found[key]}, and it should be {expected[key]}"
