"""The bank's ledger beside our receipts: every entry is one of ours, and every receipt is kept."""

from collections import Counter

from payments.models import Attempt, Operation, Payment
from tests.support.simulated_bank import LedgerEntry, SimulatedBank

_COLUMNS = {
    "AUTH_HOLD": "bank_authorization_id",
    "CAPTURE": "bank_capture_id",
    "VOID": "bank_void_id",
    "REFUND": "bank_refund_id",
}


def disagreements(bank: SimulatedBank, *, settled: bool = False) -> list[str]:
    """Sentences about what does not agree between the bank's ledger and our live payments.

    An entry that no receipt names needs an excuse: an operation of its key that is unfinished, awaits the
    statement, was a release, or succeeded with an unknown id. A key's stray holds are no more than its
    operations count. `settled` says that nothing may be unfinished any more.
    """
    entries = bank.ledger()
    found = [one for entry in entries for one in _unclaimed(entry)]
    found += uncounted_strays(stray_holds(bank))
    by_type = Counter((entry.type, entry.reference_id or entry.id) for entry in entries)
    found += [f"{kind} of {what} {count} times" for (kind, what), count in by_type.items() if count > 1]
    known = {entry.id for entry in entries}
    for payment in Payment.objects.filter(bank="ficmart"):
        named = [getattr(payment, column) for column in _COLUMNS.values()]
        found += [f"{payment} names {one}, the bank does not" for one in named if one and one not in known]
    if settled:
        left = Operation.objects.filter(bank="ficmart", state__in=["OPEN", "NEEDS_REVIEW"])
        found += [f"{one} is {one.state}" for one in left]
    return found


def stray_holds(bank: SimulatedBank) -> list[LedgerEntry]:
    """Holds that no receipt names and nobody has released; see `disagreements` for their excuses."""
    named = set(Payment.objects.values_list("bank_authorization_id", flat=True))
    named |= set(Operation.objects.filter(kind="release").values_list("target_reference", flat=True))
    return [entry for entry in bank.ledger() if entry.type == "AUTH_HOLD" and entry.id not in named]


def uncounted_strays(strays: list[LedgerEntry]) -> list[str]:
    """Keys with more stray holds than their operations await, or may come to find while unfinished."""
    found = []
    for key, count in Counter(entry.idempotency_key for entry in strays).items():
        ours = Operation.objects.filter(bank_idempotency_key=key)
        unfinished = [one for one in ours if one.state in ("OPEN", "NEEDS_REVIEW")]
        counted = sum(one.strays_awaited for one in ours) + sum(one.silent_attempts for one in unfinished)
        if count > counted + _named_late(key):
            found.append(f"{count} stray holds of key {key}, and {counted} are counted")
    return found


def _named_late(key: str | None) -> int:
    """Holds that the bank has named late: they are about to be released."""
    late = Attempt.objects.filter(operation__bank_idempotency_key=key, is_late=True, said="approved")
    return late.values("bank_reference").distinct().count()


def _unclaimed(entry: LedgerEntry) -> list[str]:
    if Payment.objects.filter(**{_COLUMNS[entry.type]: entry.id}).exists():
        return []
    if entry.type == "VOID" and Operation.objects.filter(kind="release", bank_reference=entry.id).exists():
        return []
    released = Operation.objects.filter(kind="release", target_reference=entry.id)
    if entry.type == "AUTH_HOLD" and released.exists():
        return []
    ours = list(Operation.objects.filter(bank_idempotency_key=entry.idempotency_key))
    unknown_id = [one for one in ours if one.state == "SUCCEEDED" and not one.bank_reference]
    unfinished = [one for one in ours if one.state in ("OPEN", "NEEDS_REVIEW")]
    awaiting = [one for one in ours if one.awaiting_statement]
    if unknown_id or unfinished or awaiting:
        return []
    return [f"{entry.type} {entry.id} belongs to no receipt ({[(str(one), one.state) for one in ours]})"]
