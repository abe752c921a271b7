"""What must hold after every step, beside the audit and `support.bank_books`; violations are sentences."""

from collections import Counter
from datetime import datetime, timedelta

from django.db.models import Q

from payments.domain.timing import SILENT_ATTEMPTS_WITH_CARD
from payments.models import Discrepancy, Event, IdempotencyKey, Operation, Payment
from payments.models.discrepancies import LATE_HOLD
from tests.support.simulated_acquirer import Decision
from tests.support.simulated_bank import LedgerEntry

HOURS = timedelta(hours=1)


class Books:
    """The bank's ledger, by what its entries are about."""

    def __init__(self, entries: list[LedgerEntry]) -> None:
        self.entries = entries
        self.holds = {one.id: one for one in entries if one.type == "AUTH_HOLD"}
        self.captures = {one.reference_id: one for one in entries if one.type == "CAPTURE"}
        self.voids = {one.reference_id: one for one in entries if one.type == "VOID"}
        self.refunds = {one.reference_id: one for one in entries if one.type == "REFUND"}

    def money(self) -> list[str]:
        """Each receipt says of the money what the bank has done with it, unless that is in doubt."""
        unfinished = Q(state__in=["OPEN", "NEEDS_REVIEW"])
        given_up = Q(kind="release", state="NOT_EXECUTED")  # by people: the bank would not free the hold
        doubts = Counter(
            (one.payment_id, one.kind) for one in Operation.objects.filter(unfinished | given_up)
        )
        found = []
        for payment in Payment.objects.filter(bank="ficmart"):
            capture = self.captures.get(payment.bank_authorization_id)
            done = {
                "capture": capture,
                "void": self.voids.get(payment.bank_authorization_id),
                "refund": self.refunds.get(capture.id) if capture else None,
            }
            told = {
                "capture": payment.state in ("CAPTURED", "REFUNDED"),
                "void": payment.state in ("VOIDED", "EXPIRED"),
                "refund": payment.state == "REFUNDED",
            }
            for verb, entry in done.items():
                kind = "release" if (verb, payment.state) == ("void", "EXPIRED") else verb
                if bool(entry) != told[verb] and not doubts[payment.pk, kind]:
                    found.append(f"{payment} is {payment.state}, its {verb} at the bank is {entry}")
                if entry and entry.amount != payment.amount_minor:
                    found.append(f"{payment}: {entry} of another amount")
            found += self._totals(payment, capture, done["refund"], doubts)
        return found

    def _totals(
        self,
        payment: Payment,
        capture: LedgerEntry | None,
        refund: LedgerEntry | None,
        doubts: "Counter[tuple[object, str]]",
    ) -> list[str]:
        kept = (capture.amount if capture else 0) - (refund.amount if refund else 0)
        told = payment.captured_minor - payment.refunded_minor
        in_doubt = doubts[payment.pk, "capture"] + doubts[payment.pk, "refund"]
        return (
            [f"{payment} tells of {told} cents, the bank has {kept}"] if kept != told and not in_doubt else []
        )

    def holds_of_a_key(self, *, excused: int, hung_up: "Counter[str]") -> list[str]:
        """A key makes one hold, and one more only where the bank may have lost its answer.

        Whatever the bank loses: each operation's card makes two in silence at most, and one that is answered.
        """
        made = Counter(one.idempotency_key for one in self.holds.values())
        sent = Counter(Operation.objects.values_list("bank_idempotency_key", flat=True))
        return [
            f"key {key} has made {count} holds"
            for key, count in made.items()
            if count > min(1 + excused + hung_up[key], (SILENT_ATTEMPTS_WITH_CARD + 1) * sent[key])
        ]

    def ready(self, receipt: dict[str, object], now: datetime) -> list[str]:
        """An order that is ready to ship has its money at the bank."""
        bank = receipt["bank"]
        assert isinstance(bank, dict)
        hold = self.holds.get(bank["authorization_id"])
        if hold is None or hold.id in self.voids:
            return [f"ready to ship without a hold: {receipt}"]
        capture = self.captures.get(hold.id)
        if capture is not None and capture.id in self.refunds:
            return [f"ready to ship, and refunded: {receipt}"]
        if capture is None and (hold.expires_at is None or hold.expires_at < now - timedelta(seconds=10)):
            return [f"ready to ship on an expired hold: {receipt}"]
        return []

    def unnamed_reviews(self, *, contradicting: bool) -> list[str]:
        """Operations under review for no reason that the bank's books, or its script, can name."""
        found = []
        for operation in Operation.objects.filter(state="NEEDS_REVIEW"):
            reviews = Discrepancy.objects.filter(operation=operation, closed_at=None).exclude(kind=LATE_HOLD)
            kinds = list(reviews.values_list("kind", flat=True))
            if not any(self._is_named(operation, kind, contradicting=contradicting) for kind in kinds):
                found.append(f"{operation} is under review for no reason: {kinds}")
        return found

    def _is_named(self, operation: Operation, kind: str, *, contradicting: bool) -> bool:
        match kind:
            case "too_old_to_ask":
                event = Event.objects.get(operation=operation, type="operation.needs_review")
                return operation.kind == "authorize" and event.at - operation.created_at > 23.9 * HOURS
            case "capture_id_unknown":
                entry = self.captures.get(operation.target_reference)
                return entry is not None and entry.idempotency_key == operation.bank_idempotency_key
            case "not_deducible":
                used = {**self.captures, **self.voids, **self.refunds}
                return operation.target_reference in used
            case "contradiction":
                return contradicting
            case "cannot_ask":
                return operation.bank == "acquirer" and bool(operation.silent_attempts)
        return False


def asked_once(decisions: list[Decision]) -> list[str]:
    """What the acquirer has decided is what our payments there say; no authorize was decided twice.

    It knows no keys: the orders' amounts tell them apart.
    """
    made = Counter(one.amount for one in decisions)
    ours = Operation.objects.filter(bank="acquirer", kind="authorize")
    asked = Counter(ours.exclude(state="NOT_EXECUTED").values_list("amount_minor", flat=True))
    found = [f"{count} decisions about {amount}" for amount, count in made.items() if count > asked[amount]]
    codes = {one.authorization_code: one for one in decisions if one.authorized}
    for payment in Payment.objects.filter(bank="acquirer").exclude(bank_authorization_id=""):
        decision = codes.get(payment.bank_authorization_id)
        if decision is None or decision.amount != payment.amount_minor:
            found.append(f"{payment} names {payment.bank_authorization_id}, the acquirer does not")
    return found


def stored_answers() -> dict[tuple[str, str], tuple[int, bytes]]:
    """The final responses that the gateway has kept, by merchant and key."""
    return {
        (one.merchant.slug, one.key): (one.response_status, bytes(one.response_body or b""))
        for one in IdempotencyKey.objects.select_related("merchant").exclude(response_status=None)
        if one.response_status is not None
    }
