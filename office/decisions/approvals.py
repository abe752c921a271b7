"""Pages on which a second person approves or rejects a proposal, or its author withdraws it."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from office.decisions import proposals, resolve
from office.decisions.actions import PAYMENT, QUEUE
from office.decisions.evidence import basis_of
from office.decisions.forms import ReasonForm
from office.decisions.kinds import KINDS
from office.decisions.page import Decision, Given, Preview, decision_page
from office.decisions.permissions import APPROVE
from office.decisions.subjects import about_proposal, find_proposal, shown
from office.log.actors import staff_of
from payments.models import Resolution


def approve(request: HttpRequest, resolution_id: int) -> HttpResponse:
    """Shows the proposal exactly as it was made."""
    proposed = find_proposal(resolution_id)
    if no := _closed(request, proposed):
        return _redirect_back(request, proposed, no)
    if request.method == "GET" and proposed.proposed_by_id == request.user.pk:
        messages.error(request, "You cannot approve your own proposal. Another person must approve it.")
        return HttpResponseRedirect(_page_of(proposed))

    def preview(given: Given) -> Preview:
        seen = {"seen_epoch": given["seen_epoch"], "seen_attempt": given["seen_attempt"]}
        proposal = resolve.check_approval(staff_of(request), proposed, **seen)
        return Preview(KINDS[proposed.kind].changes(proposal, basis_of(proposed)))

    return decision_page(
        request,
        Decision(
            title=f"Approve: {proposed.get_kind_display()}",
            about=about_proposal(proposed),
            form=ReasonForm,
            preview=preview,
            decide=lambda given: resolve.approve(staff_of(request), proposed.pk, **given),
            back=_page_of(proposed),
            seen=shown(proposed.operation) if proposed.operation else "",
        ),
    )


def refuse(request: HttpRequest, resolution_id: int) -> HttpResponse:
    proposed = find_proposal(resolution_id)
    if no := _closed(request, proposed):
        return _redirect_back(request, proposed, no)
    own = proposed.proposed_by_id == request.user.pk
    if not own and not request.user.has_perm(APPROVE):
        raise PermissionDenied
    return decision_page(
        request,
        Decision(
            title=f"{'Withdraw' if own else 'Reject'}: {proposed.get_kind_display()}",
            about=about_proposal(proposed),
            form=ReasonForm,
            preview=lambda _: Preview([("State", "Nothing changes. The proposal is closed.")]),
            decide=lambda given: resolve.refuse(staff_of(request), proposed.pk, reason=given["reason"]),
            back=_page_of(proposed),
        ),
    )


def _redirect_back(request: HttpRequest, proposed: Resolution, because: str) -> HttpResponse:
    messages.info(request, because)
    return HttpResponseRedirect(_page_of(proposed))


def _closed(request: HttpRequest, proposed: Resolution) -> str:
    """Why the proposal can no longer be decided; empty if it can. Only a POST closes an outdated one."""
    if proposed.state != Resolution.State.PROPOSED:
        return resolve.already_decided(proposed)
    if request.method == "GET" and proposals.is_outdated(proposed):
        return f"{proposals.OUTDATED} {proposals.why_outdated(proposed)}"
    return ""


def _page_of(proposed: Resolution) -> str:
    """The page that shows the result."""
    return reverse(PAYMENT, args=[proposed.payment_id]) if proposed.payment_id else reverse(QUEUE)
