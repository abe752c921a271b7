"""Staff of the back office. They look at the bank's ledger before they say what was done."""

from contextlib import suppress

from django.contrib.auth.models import User

from office.decisions import asking, resolve
from office.decisions.carry_out import OutcomeUnknown
from office.decisions.evidence import CannotResolve, Evidence, Kind, Proposal
from office.log.staff import Staff
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind
from payments.engine.conclude import Outdated
from payments.engine.refusals import Refused
from payments.models import Operation, Payment, Resolution
from tests.adversity.model.books import Books
from tests.adversity.model.senders import Died

# What they may be told instead of that it is done, or nothing where their process has died.
NO = (CannotResolve, Outdated, OutcomeUnknown, Refused, Died)
_INSTRUCTIONS = {"AUTHORIZED": (Kind.CAPTURE, Kind.VOID), "CAPTURED": (Kind.REFUND,)}


class StaffAtWork:
    """One who proposes, and one who approves: at once, or later, as the bank's ledger is by then."""

    def __init__(self) -> None:
        self._kim, self._lee = self._member("kim"), self._member("lee")

    def ask_again(self, which: int) -> None:
        unfinished = list(Operation.objects.filter(state__in=UNFINISHED_OPERATIONS).order_by("id"))
        if unfinished:
            with suppress(*NO):
                asking.ask_again(self._kim, unfinished[which % len(unfinished)].pk, reason="perhaps")

    def instruct(self, which: int) -> None:
        payments = list(Payment.objects.order_by("-created_at", "id")[:4])
        if payments:
            payment = payments[which % len(payments)]
            kinds = _INSTRUCTIONS.get(payment.state, (Kind.VOID,))
            self._propose(Proposal(kinds[which % len(kinds)], "they called", payment=payment), which)

    def settle(self, which: int, books: Books) -> None:
        """A case under review, by what the bank has done."""
        cases = list(Operation.objects.filter(state="NEEDS_REVIEW").order_by("id"))
        proposal = self._of(cases[which % len(cases)], books) if cases else None
        if proposal is not None:
            self._propose(proposal, which)

    def decide(self, books: Books) -> None:
        """On what waits: it is approved where the bank's ledger still says so, and taken back elsewhere."""
        for waiting in Resolution.objects.filter(state="PROPOSED").select_related("operation"):
            case, told = waiting.operation, (waiting.kind, waiting.reference)
            now = self._of(case, books) if case else None
            is_so = case is None or (now is not None and (now.kind, now.reference) == told)
            with suppress(*NO):
                if is_so:
                    seen = case.lease_epoch if case else None
                    resolve.approve(self._lee, waiting.pk, reason="so it is", seen_epoch=seen)
                else:
                    resolve.refuse(self._lee, waiting.pk, reason="it is otherwise by now")

    def _of(self, case: Operation, books: Books) -> Proposal | None:
        """What there is to record about it, or None where the ledger does not tell."""
        about, seen = case.target_reference, case.lease_epoch
        if case.kind == OperationKind.CAPTURE and about in books.captures:
            reference = books.captures[about].id
            return Proposal(Kind.RECORD_REFERENCE, "x", case, seen_epoch=seen, reference=reference)
        if case.kind == OperationKind.REFUND and about in books.refunds:
            reference = books.refunds[about].id
            return Proposal(Kind.RECORD_REFERENCE, "x", case, seen_epoch=seen, reference=reference)
        if case.kind != OperationKind.REFUND and about in books.voids:
            return self._by_word(Kind.RECORD_VOIDED, case)
        if case.kind != OperationKind.AUTHORIZE and about not in books.captures:
            return self._by_word(Kind.RECORD_NOT_EXECUTED, case)
        return None

    def _propose(self, proposal: Proposal, which: int) -> None:
        """Every other time the second person comes later."""
        with suppress(*NO):
            resolved = resolve.propose(self._kim, proposal)
            if resolved.resolution.state == "PROPOSED" and which % 2:
                resolve.approve(self._lee, resolved.resolution.pk, reason="so it is")

    def _by_word(self, kind: Kind, case: Operation) -> Proposal:
        return Proposal(
            kind,
            "as they wrote",
            case,
            seen_epoch=case.lease_epoch,
            evidence=Evidence.BANK_WORD,
            quote="We have looked.",
        )

    def _member(self, name: str) -> Staff:
        user, _ = User.objects.get_or_create(username=name, is_superuser=True)
        return Staff(user.pk, name, "192.0.2.7", f"request-of-{name}")
