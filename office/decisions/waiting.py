"""What waits for a second person, and what has become of what somebody proposed."""

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

_TOLD_FOR = timedelta(days=7)
_AT_MOST = 20
_RELATED = ("payment", "operation", "proposed_by")
State = Resolution.State
_BECAME = {
    State.APPLIED: ("approved", GOOD),
    State.REFUSED: ("refused", BAD),
    State.OUTDATED: ("outdated", NEUTRAL),
}


@dataclass(frozen=True)
class Waiting:
    """A proposal as it was proposed, and what whoever reads it may do about it."""

    pk: int
    what: str
    facts: list[tuple[str, str]]
    may_approve: bool
    may_close: bool
    is_own: bool
    outdated: str = ""  # what has changed, where nobody can approve it any more


@dataclass(frozen=True)
class Became:
    """What came of a proposal, for who has proposed it."""

    what: str
    about: str
    link: str
    outcome: str
    colour: str
    by: str
    because: str


def waiting() -> QuerySet[Resolution]:
    """All that waits, the oldest first."""
    return standing_proposals().select_related(*_RELATED).order_by("pk")


def waiting_about(request: HttpRequest, payment: Payment) -> list[Waiting]:
    """What waits about a payment and its operations, and what has become outdated of late."""
    standing = [read_by(request, one) for one in waiting().filter(payment=payment)]
    outdated = [
        replace(read_by(request, one), may_approve=False, may_close=False, outdated=why_outdated(one))
        for one in _outdated().filter(payment=payment)
    ]
    return standing + outdated


def _outdated() -> QuerySet[Resolution]:
    """What has become so in the last days, the latest first."""
    return outdated_of_late(_TOLD_FOR).select_related(*_RELATED)


def read_by(request: HttpRequest, proposed: Resolution) -> Waiting:
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


def became_of(request: HttpRequest) -> list[Became]:
    """What others made of this person's proposals in the last days, the newest first; before it, what has
    become outdated."""
    outdated = _outdated().filter(proposed_by=request.user.pk)[:_AT_MOST]
    mine = Resolution.objects.filter(
        proposed_by=request.user.pk, needs_second=True, decided_at__gt=clock_in(-_TOLD_FOR.total_seconds())
    ).exclude(decided_by=request.user.pk)
    decided = mine.select_related("payment", "decided_by").order_by("-decided_at")[:_AT_MOST]
    ended = [_became(one, State(one.state), one.decided_because) for one in decided]
    return [*(_became(one, State.OUTDATED, why_outdated(one)) for one in outdated), *ended]


def _became(one: Resolution, state: Resolution.State, because: str) -> Became:
    outcome, colour = _BECAME[state]
    return Became(
        what=one.get_kind_display(),
        about=one.payment.order_id if one.payment else one.reference,
        link=reverse(PAYMENT, args=[one.payment_id]) if one.payment_id else reverse(QUEUE),
        outcome=outcome,
        colour=colour,
        by=one.decided_by.get_username() if one.decided_by else "",
        because=because,
    )


def badge(_request: HttpRequest) -> str:
    """How many wait, for the menu; nothing where none does."""
    return str(waiting().count() or "")
