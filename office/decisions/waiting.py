"""Proposals that wait for a second person, and how a person's own proposals were decided."""

from dataclasses import dataclass, replace
from datetime import timedelta

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from office.decisions.actions import PAYMENT, QUEUE
from office.decisions.permissions import APPROVE
from office.decisions.proposals import why_outdated
from office.decisions.subjects import as_proposed
from office.pages.words import BAD, GOOD, NEUTRAL
from payments.models import Payment, Resolution, outdated_of_late, standing_proposals
from payments.models.clock import clock_in

_SHOWN_FOR = timedelta(days=7)
_SHOWN_AT_MOST = 20
_RELATED = ("payment", "operation", "proposed_by")
State = Resolution.State
_LABELS = {
    State.APPLIED: ("approved", GOOD),
    State.REFUSED: ("rejected", BAD),
    State.OUTDATED: ("outdated", NEUTRAL),
}


@dataclass(frozen=True)
class Waiting:
    """A proposal as it was made, and what the reader may do about it."""

    pk: int
    what: str
    facts: list[tuple[str, str]]
    may_approve: bool
    may_close: bool
    is_own: bool
    outdated: str = ""  # what has changed, if it can no longer be approved


@dataclass(frozen=True)
class Decided:
    """How a proposal was decided, for the person who made it."""

    what: str
    about: str
    link: str
    outcome: str
    color: str
    by: str
    because: str


def pending_proposals() -> QuerySet[Resolution]:
    """All proposals that wait for a second person, oldest first."""
    return standing_proposals().select_related(*_RELATED).order_by("pk")


def waiting_about(request: HttpRequest, payment: Payment) -> list[Waiting]:
    """Pending proposals about a payment and its operations, and those that became outdated recently."""
    pending = [as_seen_by(request, one) for one in pending_proposals().filter(payment=payment)]
    outdated = [
        replace(as_seen_by(request, one), may_approve=False, may_close=False, outdated=why_outdated(one))
        for one in _outdated().filter(payment=payment)
    ]
    return pending + outdated


def _outdated() -> QuerySet[Resolution]:
    """Proposals that became outdated in the last days, newest first."""
    return outdated_of_late(_SHOWN_FOR).select_related(*_RELATED)


def as_seen_by(request: HttpRequest, proposed: Resolution) -> Waiting:
    own = proposed.proposed_by_id == request.user.pk
    may_approve = request.user.has_perm(APPROVE)
    about = f" ({proposed.operation.kind})" if proposed.operation else ""
    return Waiting(
        pk=proposed.pk,
        what=f"{proposed.get_kind_display()}{about}",
        facts=as_proposed(proposed),
        may_approve=may_approve and not own,
        may_close=may_approve or own,
        is_own=own,
    )


def decided_proposals(request: HttpRequest) -> list[Decided]:
    """How this person's proposals ended in the last days: outdated first, then decided; newest first."""
    outdated = _outdated().filter(proposed_by=request.user.pk)[:_SHOWN_AT_MOST]
    mine = Resolution.objects.filter(
        proposed_by=request.user.pk, needs_second=True, decided_at__gt=clock_in(-_SHOWN_FOR.total_seconds())
    ).exclude(decided_by=request.user.pk)
    decided = mine.select_related("payment", "decided_by").order_by("-decided_at")[:_SHOWN_AT_MOST]
    ended = [_decided(one, State(one.state), one.decided_because) for one in decided]
    return [*(_decided(one, State.OUTDATED, why_outdated(one)) for one in outdated), *ended]


def _decided(one: Resolution, state: Resolution.State, because: str) -> Decided:
    outcome, color = _LABELS[state]
    return Decided(
        what=one.get_kind_display(),
        about=one.payment.order_id if one.payment else one.reference,
        link=reverse(PAYMENT, args=[one.payment_id]) if one.payment_id else reverse(QUEUE),
        outcome=outcome,
        color=color,
        by=one.decided_by.get_username() if one.decided_by else "",
        because=because,
    )


def badge(_request: HttpRequest) -> str:
    """The number of pending proposals, for the menu; empty if there are none."""
    return str(pending_proposals().count() or "")
