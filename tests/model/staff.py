"""Staff of the back office. They look at the bank's ledger before they say what was done."""

from contextlib import suppress

from django.contrib.auth.models import User

from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind
from payments.models import Operation, Payment
from payments.services import resolutions
from payments.services.concluding import Outdated
from payments.services.evidence import CannotResolve, Evidence, Kind, Proposal
from payments.services.refusals import Refused
from payments.services.resolutions import NotKnown
from payments.services.staff import Staff
from tests.model.books import Books
from tests.model.senders import Died

# What they may be told instead of that it is done, or nothing where their process has died.
NO = (CannotResolve, Outdated, NotKnown, Refused, Died)
_INSTRUCTIONS = {"AUTHORIZED": (Kind.CAPTURE, Kind.VOID), "CAPTURED": (Kind.REFUND,)}


class StaffAtWork:
    """One who proposes, and one who approves."""

    def __init__(self) -> None:
        self._kim, self._lee = self._member("kim"), self._member("lee")

    def ask_again(self, which: int) -> None:
        unfinished = list(Operation.objects.filter(state__in=UNFINISHED_OPERATIONS).order_by("id"))
        if unfinished:
            with suppress(*NO):
                resolutions.ask_again(self._kim, unfinished[which % len(unfinished)].pk, reason="perhaps")

    def instruct(self, which: int) -> None:
        payments = list(Payment.objects.order_by("-created_at", "id")[:4])
        if payments:
            payment = payments[which % len(payments)]
            kinds = _INSTRUCTIONS.get(payment.state, (Kind.VOID,))
            self._propose(Proposal(kinds[which % len(kinds)], "they called", payment=payment))

    def settle(self, which: int, books: Books) -> None:
        """A case under review, by what the bank has done."""
        cases = list(Operation.objects.filter(state="NEEDS_REVIEW").order_by("id"))
        if not cases:
            return
        case = cases[which % len(cases)]
        about, seen = case.target_reference, case.lease_epoch
        if case.kind == OperationKind.CAPTURE and about in books.captures:
            reference = books.captures[about].id
            self._propose(Proposal(Kind.RECORD_REFERENCE, "x", case, seen_epoch=seen, reference=reference))
        elif case.kind == OperationKind.REFUND and about in books.refunds:
            reference = books.refunds[about].id
            self._propose(Proposal(Kind.RECORD_REFERENCE, "x", case, seen_epoch=seen, reference=reference))
        elif case.kind != OperationKind.REFUND and about in books.voids:
            self._propose(self._by_word(Kind.RECORD_VOIDED, case))
        elif case.kind != OperationKind.AUTHORIZE and about not in books.captures:
            self._propose(self._by_word(Kind.RECORD_NOT_EXECUTED, case))

    def _propose(self, proposal: Proposal) -> None:
        with suppress(*NO):
            resolved = resolutions.propose(self._kim, proposal)
            if resolved.resolution.state == "PROPOSED":
                resolutions.approve(self._lee, resolved.resolution.pk, reason="so it is")

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
