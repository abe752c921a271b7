"""The pages of all decisions. Each has a form, a preview, and one service call on confirmation."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.views.decorators.cache import never_cache

from office.decisions import approvals, asking, notes, proposals, resolve
from office.decisions.actions import PAYMENT, QUEUE
from office.decisions.drafts import keeps_typed
from office.decisions.evidence import Proposal, may_be_asked_again
from office.decisions.forms import ReasonForm
from office.decisions.kinds import ABOUT_OPERATIONS, VOID_HOLD
from office.decisions.kinds.base import AboutOperation, DecisionKind, Facts
from office.decisions.kinds.instruct import INSTRUCTIONS
from office.decisions.page import Decision, Given, Preview, decision_page
from office.decisions.permissions import APPROVE, DISABLE_KEY, INSTRUCT, RESOLVE
from office.decisions.subjects import (
    about_operation,
    about_payment,
    find_operation,
    find_payment,
    other_owner,
    page_of,
    shown,
)
from office.log.actors import staff_of
from payments.domain.money import display
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind
from payments.engine.conclude import has_ended
from payments.models import ApiKey, Operation, Resolution
from payments.usecases.merchants import disable_api_key


def urls() -> list[Any]:
    """Each page needs one permission. GET decides nothing."""

    def guarded(view: Callable[..., HttpResponse], permission: str) -> Callable[..., HttpResponse]:
        def checked(request: HttpRequest, **found: Any) -> HttpResponse:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            return view(request, **found)

        return admin.site.admin_view(keeps_typed(never_cache(checked)))

    def named(route: str, name: str, view: Callable[..., HttpResponse], permission: str) -> Any:
        return path(route, guarded(view, permission), name=f"payments_{name}")

    operation, payment = "operations/<uuid:operation_id>/", "instructions/<uuid:payment_id>/"
    return [
        *(
            named(f"{operation}{one.route}/", one.kind.value, partial(record, one), one.permission)
            for one in ABOUT_OPERATIONS
        ),
        named(f"{operation}ask-again/", "ask_again", ask_again, RESOLVE),
        named("stray-hold/", "void_stray_hold", void_stray_hold, RESOLVE),
        named(f"{payment}note/", "add_note", notes.add_note, RESOLVE),
        named(f"{payment}<str:verb>/", "instruct", instruct, INSTRUCT),
        named("proposals/<int:resolution_id>/approve/", "approve", approvals.approve, APPROVE),
        named("proposals/<int:resolution_id>/refuse/", "refuse", approvals.refuse, RESOLVE),
        named("keys/<int:key_id>/disable/", "disable_key", disable_key, DISABLE_KEY),
    ]


def record(kind: AboutOperation, request: HttpRequest, operation_id: UUID) -> HttpResponse:
    """The page that records something about an operation, on the evidence that its form asks for."""
    operation = find_operation(operation_id)
    if not kind.is_about(operation):
        raise Http404
    if not kind.is_due(operation) and (ended := _ended(request, operation)):
        return ended
    if rival := _rival(request, page_of(operation), proposals.pending_about(operation)):
        return rival
    return _proposing(
        request,
        kind,
        lambda given: Proposal(kind.kind, operation=operation, **given),
        title=kind.title.format(operation.kind),
        about=about_operation(operation),
        form=kind.form(operation),
        back=page_of(operation),
        seen=shown(operation),
        owner=other_owner(request, operation),
    )


def _ended(request: HttpRequest, operation: Operation) -> HttpResponse | None:
    """A redirect back if the operation has ended and there is nothing left to decide."""
    if operation.state in UNFINISHED_OPERATIONS:
        return None
    messages.error(request, f"Nothing changed. {has_ended(operation)}")
    return HttpResponseRedirect(page_of(operation))


def _proposing(
    request: HttpRequest,
    kind: DecisionKind,
    proposal: Callable[[Given], Proposal],
    **page: Any,
) -> HttpResponse:
    """The page of a proposal. The form's fields are named like those of Proposal."""

    def preview(given: Given) -> Preview:
        basis, waits = resolve.check(proposal(given))
        return Preview(kind.changes(proposal(given), basis), waits)

    decide = lambda given: resolve.propose(staff_of(request), proposal(given))  # noqa: E731
    return decision_page(request, Decision(preview=preview, decide=decide, **page))


def void_stray_hold(request: HttpRequest) -> HttpResponse:
    """The case of a difference leads here with the hold filled in."""
    known = {name: request.GET.get(name, "") for name in ("bank", "reference")}
    return _proposing(
        request,
        VOID_HOLD,
        lambda given: Proposal(VOID_HOLD.kind, **given),
        title=VOID_HOLD.title,
        about=[("Needs", VOID_HOLD.needs)],
        form=partial(VOID_HOLD.form, initial=known),
        back=reverse(QUEUE),
    )


def instruct(request: HttpRequest, payment_id: UUID, verb: str) -> HttpResponse:
    kind = INSTRUCTIONS.get(verb)
    if kind is None:
        raise Http404
    payment = find_payment(payment_id)
    back = reverse(PAYMENT, args=[payment.pk])
    if no := kind.why_not(payment):
        messages.error(request, f"Nothing changed. {no}")
        return HttpResponseRedirect(back)
    if rival := _rival(request, back, proposals.pending_about(None, payment)):
        return rival
    return _proposing(
        request,
        kind,
        lambda given: Proposal(kind.kind, payment=payment, **given),
        title=kind.title,
        about=about_payment(payment),
        form=kind.form(payment),
        back=back,
    )


def ask_again(request: HttpRequest, operation_id: UUID) -> HttpResponse:
    operation = find_operation(operation_id)
    if not may_be_asked_again(operation):
        raise Http404
    if ended := _ended(request, operation):
        return ended
    return decision_page(
        request,
        Decision(
            title=f"Ask the bank about the {operation.kind} now",
            about=about_operation(operation),
            form=ReasonForm,
            preview=lambda _: Preview(_asking_changes(operation)),
            decide=lambda given: asking.ask_again(staff_of(request), operation.pk, reason=given["reason"]),
            back=page_of(operation),
            owner=other_owner(request, operation),
        ),
    )


def disable_key(request: HttpRequest, key_id: int) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.select_related("merchant"), pk=key_id)

    def disable(given: dict[str, Any]) -> str:
        done = disable_api_key(key.pk, reason=given["reason"], by=staff_of(request))
        return f"{key} is disabled." if done else f"{key} was already disabled."

    return decision_page(
        request,
        Decision(
            title=f"Disable the API key {key}",
            about=[("Merchant", key.merchant.name), ("Mode", key.mode)],
            form=ReasonForm,
            preview=lambda _: Preview(_DISABLING_CHANGES),
            decide=disable,
            back=reverse("admin:payments_apikey_changelist"),
        ),
    )


def _rival(request: HttpRequest, to: str, waiting: Resolution | None) -> HttpResponse | None:
    """A redirect back if a proposal is already pending, before anybody fills in a form."""
    if waiting is None:
        return None
    by = "You have" if waiting.proposed_by_id == request.user.pk else f"{waiting.proposed_by} has"
    what = waiting.get_kind_display()
    messages.warning(request, f"Nothing changed. {by} already proposed “{what}”. Decide that first.")
    return HttpResponseRedirect(to)


def _asking_changes(operation: Operation) -> Facts:
    """The preview of asking the bank again. The bank may execute the instruction only now."""
    amount = display(operation.amount_minor, operation.currency)
    return [
        ("State", "Follows the bank's reply."),
        ("Money", _MAY[OperationKind(operation.kind)].format(amount=amount)),
        ("Merchant", "A retry gets the state known by then."),
    ]


_MAY = {
    OperationKind.AUTHORIZE: "No money moves. The bank is asked what it has stored, and may report a hold.",
    OperationKind.CAPTURE: "The bank may take {amount} now if it has not yet. It cannot do so twice.",
    OperationKind.VOID: "The bank may free the hold of {amount} now if it has not yet. No money is taken.",
    OperationKind.REFUND: "The bank may give back {amount} now if it has not yet. It cannot do so twice.",
    OperationKind.RELEASE: "The bank may free the hold of {amount} now if it has not yet. No money is taken.",
}


_DISABLING_CHANGES: Facts = [
    ("State", "The key stops working with the next request. It cannot be enabled again."),
    ("Money", "Payments in flight are finished and recorded."),
    ("Merchant", "Every request with this key gets 401."),
]
