"""Pages on which staff decide: a form, what it will change, and one service call once that is confirmed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from payments.admin import consequences
from payments.admin.actors import staff_of
from payments.admin.forms import (
    NoteForm,
    NotExecutedForm,
    ReasonForm,
    ReferenceForm,
    StrayHoldForm,
    VoidedForm,
)
from payments.domain.money import display
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, PaymentState
from payments.models import ApiKey, Operation, Payment, Resolution
from payments.services import resolutions, staff
from payments.services.evidence import LOOKED_UP, VOIDABLE, CannotResolve, Proposal, allows, lacks_reference
from payments.services.recording import Outdated
from payments.services.refusals import Refused
from payments.services.resolutions import NotKnown, Resolved

RESOLVE = "payments.resolve_operation"
APPROVE = "payments.approve_resolution"
INSTRUCT = "payments.instruct_payment"
DISABLE_KEY = "payments.disable_apikey"
QUEUE = "admin:payments_review_queue"
PAYMENT = "admin:payments_payment_change"

Kind = Resolution.Kind
_EVIDENCE = ("evidence", "attempt", "quote", "covers_from", "covers_to")
_EPOCH = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Decision:
    """One page: what it is about, its form, what it will change, and what it does."""

    title: str
    about: list[tuple[str, str]]
    form: Callable[..., ReasonForm]  # given what was posted, if anything
    changes: Callable[[dict[str, Any]], list[tuple[str, str]]]
    decide: Callable[[dict[str, Any]], Resolved | str]  # what came of it, in a sentence
    back: str
    seen: str = ""  # what the page showed; whoever has changed it since has made it outdated


def actions_for(request: HttpRequest, payment: Payment, operations: list[Operation]) -> list[tuple[str, str]]:
    """What this member of staff may do about the payment as it stands: label and address."""
    actions: list[tuple[str, str]] = []
    if request.user.has_perm(RESOLVE):
        for one in operations:
            actions += resolutions_of(one)
    unfinished = any(
        one.state in UNFINISHED_OPERATIONS and one.kind != OperationKind.RELEASE for one in operations
    )
    if request.user.has_perm(INSTRUCT) and not unfinished:
        verbs = {PaymentState.AUTHORIZED: (Kind.CAPTURE, Kind.VOID), PaymentState.CAPTURED: (Kind.REFUND,)}
        for kind in verbs.get(PaymentState(payment.state), ()):
            actions.append((kind.label, reverse("admin:payments_instruct", args=[payment.pk, kind.value])))
    return actions


def resolutions_of(operation: Operation) -> list[tuple[str, str]]:
    """What may be done about an operation that the machine has not settled: label and address."""

    def action(label: str, name: str) -> tuple[str, str]:
        about = " of the release" if operation.kind == OperationKind.RELEASE else ""
        return label + about, reverse(f"admin:payments_{name}", args=[operation.pk])

    if lacks_reference(operation):
        return [action("Record the bank's reference", "record_reference")]
    if operation.state not in UNFINISHED_OPERATIONS:
        return []
    record = [action("Record the bank's reference", "record_reference")]
    return [
        action("Ask the bank again", "ask_again"),
        *(record if operation.kind in LOOKED_UP else []),
        *([action("Record that the hold was voided", "record_voided")] if operation.kind in VOIDABLE else []),
        action("Record as not executed", "record_not_executed"),
    ]


class Decisions:
    """The views. Each URL is guarded by one permission; nothing is decided by GET."""

    def __init__(self, site: admin.AdminSite) -> None:
        self._site = site

    @property
    def urls(self) -> list[Any]:
        def guarded(view: Callable[..., HttpResponse], permission: str) -> Callable[..., HttpResponse]:
            def checked(request: HttpRequest, **found: Any) -> HttpResponse:
                if not request.user.has_perm(permission):
                    raise PermissionDenied
                return view(request, **found)

            return self._site.admin_view(never_cache(checked))

        def named(route: str, name: str, view: Callable[..., HttpResponse], permission: str) -> Any:
            return path(route, guarded(view, permission), name=f"payments_{name}")

        operation, payment = "operations/<uuid:operation_id>/", "instructions/<uuid:payment_id>/"
        return [
            named(f"{operation}reference/", "record_reference", self.record_reference, RESOLVE),
            named(f"{operation}not-executed/", "record_not_executed", self.record_not_executed, RESOLVE),
            named(f"{operation}voided/", "record_voided", self.record_voided, RESOLVE),
            named(f"{operation}ask-again/", "ask_again", self.ask_again, RESOLVE),
            named(f"{operation}assign/", "assign", self.assign, RESOLVE),
            named("stray-hold/", "void_stray_hold", self.void_stray_hold, RESOLVE),
            named(f"{payment}note/", "add_note", self.add_note, RESOLVE),
            named(f"{payment}<str:verb>/", "instruct", self.instruct, INSTRUCT),
            named("proposals/<int:resolution_id>/approve/", "approve", self.approve, APPROVE),
            named("proposals/<int:resolution_id>/refuse/", "refuse", self.refuse, RESOLVE),
            named("keys/<int:key_id>/disable/", "disable_key", self.disable_key, DISABLE_KEY),
        ]

    def record_reference(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = _operation(operation_id)
        if operation.kind not in LOOKED_UP:
            raise Http404
        return self._page(
            request,
            Decision(
                title=f"Record the bank's reference of the {operation.kind}",
                about=_about(operation),
                form=ReferenceForm,
                changes=lambda given: consequences.of_reference(operation, given["reference"]),
                decide=lambda given: self._propose(
                    request, Kind.RECORD_REFERENCE, given, operation=operation, reference=given["reference"]
                ),
                back=_page_of(operation),
                seen=str(operation.lease_epoch),
            ),
        )

    def record_not_executed(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = _operation(operation_id)
        return self._page(
            request,
            Decision(
                title=f"Record that the {operation.kind} was not executed",
                about=_about(operation),
                form=partial(NotExecutedForm, operation=operation),
                changes=lambda _: consequences.of_not_executed(operation),
                decide=lambda given: self._propose(
                    request,
                    Kind.RECORD_NOT_EXECUTED,
                    given,
                    operation=operation,
                    **{name: given[name] for name in _EVIDENCE},
                ),
                back=_page_of(operation),
                seen=str(operation.lease_epoch),
            ),
        )

    def record_voided(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = _operation(operation_id)
        if operation.kind not in VOIDABLE:
            raise Http404
        return self._page(
            request,
            Decision(
                title="Record that the hold was voided",
                about=_about(operation),
                form=VoidedForm,
                changes=lambda _: consequences.of_voided(operation),
                decide=lambda given: self._propose(
                    request,
                    Kind.RECORD_VOIDED,
                    given,
                    operation=operation,
                    evidence=given["evidence"],
                    quote=given["quote"],
                ),
                back=_page_of(operation),
                seen=str(operation.lease_epoch),
            ),
        )

    def void_stray_hold(self, request: HttpRequest) -> HttpResponse:
        return self._page(
            request,
            Decision(
                title="Void a hold that no payment has",
                about=[
                    (
                        "Needs",
                        "A hold at least 25 hours old that the bank's statement shows and nobody claims.",
                    )
                ],
                form=StrayHoldForm,
                changes=lambda given: consequences.of_stray_hold(given["reference"]),
                decide=lambda given: self._propose(
                    request, Kind.VOID_HOLD, given, reference=given["reference"], bank=given["bank"]
                ),
                back=reverse(QUEUE),
            ),
        )

    def instruct(self, request: HttpRequest, payment_id: UUID, verb: str) -> HttpResponse:
        if verb not in (Kind.CAPTURE, Kind.VOID, Kind.REFUND):
            raise Http404
        kind, payment = Kind(verb), _payment(payment_id)
        if not allows(payment, kind):
            messages.error(
                request, f"Nothing has changed. A payment that is {payment.state} allows no {verb}."
            )
            return HttpResponseRedirect(reverse(PAYMENT, args=[payment.pk]))
        return self._page(
            request,
            Decision(
                title=f"{kind.label} on behalf of the merchant",
                about=_about_payment(payment),
                form=ReasonForm,
                changes=lambda _: consequences.of_instruction(kind, payment),
                decide=lambda given: self._propose(request, kind, given, payment=payment),
                back=reverse(PAYMENT, args=[payment.pk]),
            ),
        )

    def ask_again(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = _operation(operation_id)
        return self._page(
            request,
            Decision(
                title=f"Ask the bank about the {operation.kind} now",
                about=_about(operation),
                form=ReasonForm,
                changes=lambda _: [
                    ("State", "Only what the bank's answer says."),
                    ("Money", "Only what was instructed before, and at most once."),
                    ("Merchant", "A retry is answered by what is known then."),
                ],
                decide=lambda given: resolutions.ask_again(
                    staff_of(request), operation.pk, reason=given["reason"]
                ),
                back=_page_of(operation),
            ),
        )

    def approve(self, request: HttpRequest, resolution_id: int) -> HttpResponse:
        proposed = _proposed(resolution_id)
        if proposed.state != Resolution.State.PROPOSED:
            return self._decided_already(request, proposed)
        return self._page(
            request,
            Decision(
                title=f"Approve: {proposed.get_kind_display()}",
                about=_about_proposal(proposed),
                form=ReasonForm,
                changes=lambda _: _changes(proposed),
                decide=lambda given: resolutions.approve(
                    staff_of(request), proposed.pk, reason=given["reason"]
                ),
                back=reverse(QUEUE),
            ),
        )

    def refuse(self, request: HttpRequest, resolution_id: int) -> HttpResponse:
        proposed = _proposed(resolution_id)
        if proposed.state != Resolution.State.PROPOSED:
            return self._decided_already(request, proposed)
        own = proposed.proposed_by_id == request.user.pk
        if not own and not request.user.has_perm(APPROVE):
            raise PermissionDenied
        return self._page(
            request,
            Decision(
                title=f"{'Take back' if own else 'Refuse'}: {proposed.get_kind_display()}",
                about=_about_proposal(proposed),
                form=ReasonForm,
                changes=lambda _: [("State", "Nothing changes; the proposal is closed.")],
                decide=lambda given: resolutions.refuse(
                    staff_of(request), proposed.pk, reason=given["reason"]
                ),
                back=reverse(QUEUE),
            ),
        )

    def disable_key(self, request: HttpRequest, key_id: int) -> HttpResponse:
        key = ApiKey.objects.select_related("merchant").filter(pk=key_id).first()
        if key is None:
            raise Http404

        def disable(given: dict[str, Any]) -> str:
            done = staff.disable_api_key(staff_of(request), key.pk, reason=given["reason"])
            return f"{key} is refused from now on." if done else f"{key} was disabled already."

        return self._page(
            request,
            Decision(
                title=f"Disable the API key {key}",
                about=[("Merchant", key.merchant.name), ("Mode", key.mode)],
                form=ReasonForm,
                changes=lambda _: [
                    ("State", "The key is refused from the next request on, for good."),
                    ("Money", "Payments in flight are finished and recorded."),
                    ("Merchant", "Every request with this key is answered 401."),
                ],
                decide=disable,
                back=reverse("admin:payments_apikey_changelist"),
            ),
        )

    @method_decorator(require_POST)
    def assign(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = _operation(operation_id)
        staff.assign_to_oneself(staff_of(request), operation.pk)
        about = operation.payment or operation.target_reference
        messages.success(request, f"You look after the {operation.kind} of {about}.")
        return HttpResponseRedirect(reverse(QUEUE))

    @method_decorator(require_POST)
    def add_note(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        payment = _payment(payment_id)
        form = NoteForm(request.POST)
        if form.is_valid():
            staff.add_note(staff_of(request), payment, form.cleaned_data["note"])
            messages.success(request, "The note is on the timeline.")
        else:
            messages.error(
                request, " ".join(str(error) for errors in form.errors.values() for error in errors)
            )
        return HttpResponseRedirect(reverse(PAYMENT, args=[payment.pk]))

    def _decided_already(self, request: HttpRequest, decided: Resolution) -> HttpResponse:
        by = f" by {decided.decided_by.get_username()}" if decided.decided_by else ""
        messages.info(request, f"This proposal has been decided already: {decided.state}{by}.")
        return HttpResponseRedirect(reverse(QUEUE))

    def _page(self, request: HttpRequest, decision: Decision) -> HttpResponse:
        form = decision.form(request.POST if request.method == "POST" else None)
        is_given = request.method == "POST" and form.is_valid()
        if is_given and "confirmed" in request.POST:
            return self._decide(request, decision, form.cleaned_data)
        context = self._site.each_context(request) | {
            "title": decision.title,
            "about": decision.about,
            "form": form,
            "changes": decision.changes(form.cleaned_data) if is_given else None,
            "back": decision.back,
            "seen": request.POST.get("seen", decision.seen),
        }
        request.current_app = self._site.name
        return TemplateResponse(request, "payments/admin/decide.html", context)

    def _decide(self, request: HttpRequest, decision: Decision, given: dict[str, Any]) -> HttpResponse:
        try:
            done = decision.decide(given)
            if isinstance(done, Resolved):
                tell = messages.success if done.is_done else messages.warning
                tell(request, done.said)
            else:
                messages.success(request, done)
        except (CannotResolve, Outdated) as no:
            messages.error(request, f"Nothing has changed. {no}")
        except NotKnown as unknown:
            messages.error(request, f"Whether anything has changed is not known. {unknown}")
        except Refused as refused:
            messages.error(request, f"Nothing has changed. {refused.detail}")
        return HttpResponseRedirect(decision.back)

    def _propose(self, request: HttpRequest, kind: Kind, given: dict[str, Any], **about: Any) -> Resolved:
        seen = request.POST.get("seen", "")
        epoch = int(seen) if _EPOCH.fullmatch(seen) else None
        return resolutions.propose(
            staff_of(request), Proposal(kind, given["reason"], seen_epoch=epoch, **about)
        )


def _operation(operation_id: UUID) -> Operation:
    operation = Operation.objects.select_related("payment__merchant").filter(pk=operation_id).first()
    if operation is None:
        raise Http404
    return operation


def _payment(payment_id: UUID) -> Payment:
    payment = Payment.objects.select_related("merchant").filter(pk=payment_id).first()
    if payment is None:
        raise Http404
    return payment


def _proposed(resolution_id: int) -> Resolution:
    proposed = (
        Resolution.objects.select_related(
            *("operation__payment__merchant", "payment__merchant", "proposed_by", "decided_by")
        )
        .filter(pk=resolution_id)
        .first()
    )
    if proposed is None:
        raise Http404
    return proposed


def _page_of(operation: Operation) -> str:
    return reverse(PAYMENT, args=[operation.payment_id]) if operation.payment_id else reverse(QUEUE)


def _about(operation: Operation) -> list[tuple[str, str]]:
    amount = display(operation.amount_cents, operation.currency)
    return [
        *(_about_payment(operation.payment) if operation.payment else [("Amount", amount)]),
        ("Operation", f"{operation.kind} {operation.public_id}: {operation.state}"),
        *([("Concerns", operation.target_reference)] if operation.target_reference else []),
        *([("The bank's last answer", last)] if (last := _last_answer(operation)) else []),
    ]


def _last_answer(operation: Operation) -> str:
    attempt = operation.attempts.order_by("number").last()
    if attempt is None:
        return ""
    return f"attempt {attempt.number}, {attempt.get_result_display().lower()}: {attempt.reply}"


def _about_payment(payment: Payment) -> list[tuple[str, str]]:
    amount = display(payment.amount_cents, payment.currency)
    return [
        ("Payment", f"{payment.public_id}: {amount}, {payment.state}"),
        ("Order", f"{payment.order_id} of customer {payment.customer_id}, {payment.merchant.name}"),
    ]


def _about_proposal(proposed: Resolution) -> list[tuple[str, str]]:
    about: list[tuple[str, str]] = []
    if proposed.operation:
        about = _about(proposed.operation)
    elif proposed.payment:
        about = _about_payment(proposed.payment)
    known = [
        *about,
        ("Amount", display(proposed.amount_cents, proposed.currency)),
        ("Reference", proposed.reference),
        ("Evidence", proposed.get_evidence_display() if proposed.evidence else ""),
        ("The bank's answer", _answer(proposed)),
        ("Quote", proposed.quote),
        ("Covers", f"{proposed.covers_from} to {proposed.covers_to}" if proposed.covers_to else ""),
        ("Reason", proposed.reason),
        ("Proposed by", proposed.proposed_by.get_username()),
    ]
    return [(name, value) for name, value in known if value]


def _answer(proposed: Resolution) -> str:
    """To the attempt that is named as evidence."""
    if proposed.operation is None or proposed.attempt is None:
        return ""
    attempt = proposed.operation.attempts.filter(number=proposed.attempt).first()
    return f"attempt {attempt.number}: {attempt.reply}" if attempt else ""


def _changes(proposed: Resolution) -> list[tuple[str, str]]:
    match proposed.kind:
        case Kind.RECORD_REFERENCE if proposed.operation:
            return consequences.of_reference(proposed.operation, proposed.reference)
        case Kind.RECORD_NOT_EXECUTED if proposed.operation:
            return consequences.of_not_executed(proposed.operation)
        case Kind.RECORD_VOIDED if proposed.operation:
            return consequences.of_voided(proposed.operation)
        case Kind.VOID_HOLD:
            return consequences.of_stray_hold(proposed.reference)
        case _ if proposed.payment:
            return consequences.of_instruction(Kind(proposed.kind), proposed.payment)
    return []
