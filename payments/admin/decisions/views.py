"""Pages on which staff decide: a form, what it will change, and one service call once that is confirmed."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.cache import never_cache

from payments.admin.actors import staff_of
from payments.admin.decisions import consequences
from payments.admin.decisions.actions import APPROVE, DISABLE_KEY, INSTRUCT, PAYMENT, QUEUE, RESOLVE
from payments.admin.decisions.forms import (
    NoteForm,
    NotExecutedForm,
    ReasonForm,
    ReferenceForm,
    SettledForm,
    StrayHoldForm,
    VoidedForm,
)
from payments.admin.decisions.page import Decision, DecisionPages
from payments.admin.decisions.subjects import (
    about_operation,
    about_payment,
    about_proposal,
    find_operation,
    find_payment,
    find_proposal,
    page_of,
)
from payments.admin.sent import not_sent
from payments.domain.states import UNFINISHED_OPERATIONS
from payments.models import ApiKey, Operation, Resolution
from payments.services import resolutions, staff
from payments.services.concluding import has_ended
from payments.services.denials import LOOKED_UP
from payments.services.evidence import (
    VOIDABLE,
    Proposal,
    allows,
    has_late_answer,
    lacks_reference,
    last_attempt,
)
from payments.services.resolutions import Resolved

Kind = Resolution.Kind
_SEEN = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,5}))?", re.ASCII)


class Decisions(DecisionPages):
    """The views. Each URL is guarded by one permission; nothing is decided by GET."""

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
            named(f"{operation}late-answer/", "settle_late_answer", self.settle_late_answer, RESOLVE),
            named(f"{operation}ask-again/", "ask_again", self.ask_again, RESOLVE),
            named("stray-hold/", "void_stray_hold", self.void_stray_hold, RESOLVE),
            named(f"{payment}note/", "add_note", self.add_note, RESOLVE),
            named(f"{payment}<str:verb>/", "instruct", self.instruct, INSTRUCT),
            named("proposals/<int:resolution_id>/approve/", "approve", self.approve, APPROVE),
            named("proposals/<int:resolution_id>/refuse/", "refuse", self.refuse, RESOLVE),
            named("keys/<int:key_id>/disable/", "disable_key", self.disable_key, DISABLE_KEY),
        ]

    def record_reference(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = find_operation(operation_id)
        if operation.kind not in LOOKED_UP:
            raise Http404
        if not lacks_reference(operation) and (ended := self._ended(request, operation)):
            return ended
        return self._resolution(
            request,
            operation,
            Kind.RECORD_REFERENCE,
            title=f"Record the bank's reference of the {operation.kind}",
            form=ReferenceForm,
            changes=lambda given: consequences.of_reference(operation, given["reference"]),
        )

    def record_not_executed(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = find_operation(operation_id)
        if ended := self._ended(request, operation):
            return ended
        return self._resolution(
            request,
            operation,
            Kind.RECORD_NOT_EXECUTED,
            title=f"Record that the {operation.kind} was not executed",
            form=partial(NotExecutedForm, operation=operation),
            changes=lambda _: consequences.of_not_executed(operation),
        )

    def record_voided(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = find_operation(operation_id)
        if operation.kind not in VOIDABLE:
            raise Http404
        if ended := self._ended(request, operation):
            return ended
        return self._resolution(
            request,
            operation,
            Kind.RECORD_VOIDED,
            title="Record that the hold was voided",
            form=VoidedForm,
            changes=lambda _: consequences.of_voided(operation),
        )

    def settle_late_answer(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = find_operation(operation_id)
        if not has_late_answer(operation):
            raise Http404
        return self._resolution(
            request,
            operation,
            Kind.SETTLE_LATE_ANSWER,
            title=f"Record how the {operation.kind} was settled",
            form=SettledForm,
            changes=lambda _: consequences.of_late_answer(operation),
        )

    def _ended(self, request: HttpRequest, operation: Operation) -> HttpResponse | None:
        """Back to where one came from, where there is nothing left to decide."""
        if operation.state in UNFINISHED_OPERATIONS:
            return None
        messages.error(request, f"Nothing has changed. {has_ended(operation)}")
        return HttpResponseRedirect(page_of(operation))

    def _resolution(
        self,
        request: HttpRequest,
        operation: Operation,
        kind: Kind,
        *,
        title: str,
        form: Callable[..., ReasonForm],
        changes: Callable[[dict[str, Any]], list[tuple[str, str]]],
    ) -> HttpResponse:
        """The page of what is recorded about an operation, on the evidence that the form asks for."""
        return self.page_of(
            request,
            Decision(
                title=title,
                about=about_operation(operation),
                form=form,
                changes=changes,
                decide=lambda given: self._propose(request, kind, given, operation=operation),
                waits=lambda given: self._waits(request, kind, given, operation=operation),
                back=page_of(operation),
                seen=_shown(operation),
            ),
        )

    def void_stray_hold(self, request: HttpRequest) -> HttpResponse:
        return self.page_of(
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
                decide=lambda given: self._propose(request, Kind.VOID_HOLD, given),
                waits=lambda given: self._waits(request, Kind.VOID_HOLD, given),
                back=reverse(QUEUE),
            ),
        )

    def instruct(self, request: HttpRequest, payment_id: UUID, verb: str) -> HttpResponse:
        if verb not in (Kind.CAPTURE, Kind.VOID, Kind.REFUND):
            raise Http404
        kind, payment = Kind(verb), find_payment(payment_id)
        if not allows(payment, kind):
            messages.error(
                request, f"Nothing has changed. A payment that is {payment.state} allows no {verb}."
            )
            return HttpResponseRedirect(reverse(PAYMENT, args=[payment.pk]))
        return self.page_of(
            request,
            Decision(
                title=f"{kind.label} on behalf of the merchant",
                about=about_payment(payment),
                form=ReasonForm,
                changes=lambda _: consequences.of_instruction(kind, payment),
                decide=lambda given: self._propose(request, kind, given, payment=payment),
                waits=lambda given: self._waits(request, kind, given, payment=payment),
                back=reverse(PAYMENT, args=[payment.pk]),
            ),
        )

    def ask_again(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = find_operation(operation_id)
        if ended := self._ended(request, operation):
            return ended
        return self.page_of(
            request,
            Decision(
                title=f"Ask the bank about the {operation.kind} now",
                about=about_operation(operation),
                form=ReasonForm,
                changes=lambda _: [
                    ("State", "Only what the bank's answer says."),
                    ("Money", "Only what was instructed before, and at most once."),
                    ("Merchant", "A retry is answered by what is known then."),
                ],
                decide=lambda given: resolutions.ask_again(
                    staff_of(request), operation.pk, reason=given["reason"]
                ),
                back=page_of(operation),
            ),
        )

    def approve(self, request: HttpRequest, resolution_id: int) -> HttpResponse:
        proposed = find_proposal(resolution_id)
        if proposed.state != Resolution.State.PROPOSED:
            return self._decided_already(request, proposed)
        if request.method == "GET" and proposed.proposed_by_id == request.user.pk:
            messages.error(request, "Nobody approves their own proposal: somebody else has to.")
            return HttpResponseRedirect(reverse(QUEUE))

        def changes(_given: dict[str, Any]) -> list[tuple[str, str]]:
            resolutions.check_approval(staff_of(request), proposed, **_seen(request))
            return _changes(proposed)

        return self.page_of(
            request,
            Decision(
                title=f"Approve: {proposed.get_kind_display()}",
                about=about_proposal(proposed),
                form=ReasonForm,
                changes=changes,
                decide=lambda given: resolutions.approve(
                    staff_of(request), proposed.pk, reason=given["reason"], **_seen(request)
                ),
                back=reverse(QUEUE),
                seen=_shown(proposed.operation) if proposed.operation else "",
            ),
        )

    def refuse(self, request: HttpRequest, resolution_id: int) -> HttpResponse:
        proposed = find_proposal(resolution_id)
        if proposed.state != Resolution.State.PROPOSED:
            return self._decided_already(request, proposed)
        own = proposed.proposed_by_id == request.user.pk
        if not own and not request.user.has_perm(APPROVE):
            raise PermissionDenied
        return self.page_of(
            request,
            Decision(
                title=f"{'Take back' if own else 'Refuse'}: {proposed.get_kind_display()}",
                about=about_proposal(proposed),
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

        return self.page_of(
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

    def add_note(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        payment = find_payment(payment_id)
        if request.method != "POST":
            return not_sent(request, reverse(PAYMENT, args=[payment.pk]))
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
        messages.info(request, resolutions.decided_already(decided))
        return HttpResponseRedirect(reverse(QUEUE))

    def _propose(self, request: HttpRequest, kind: Kind, given: dict[str, Any], **about: Any) -> Resolved:
        return resolutions.propose(staff_of(request), self._proposal(request, kind, given, **about))

    def _waits(self, request: HttpRequest, kind: Kind, given: dict[str, Any], **about: Any) -> bool:
        return resolutions.waits_for_another(self._proposal(request, kind, given, **about))

    def _proposal(self, request: HttpRequest, kind: Kind, given: dict[str, Any], **about: Any) -> Proposal:
        """`given` are the form's fields, which have the names of the proposal's."""
        return Proposal(kind, **_seen(request), **given, **about)


def _shown(operation: Operation) -> str:
    """Which state of it the page shows: its epoch, and its last attempt."""
    return f"{operation.lease_epoch}.{last_attempt(operation)}"


def _seen(request: HttpRequest) -> dict[str, Any]:
    """As the page showed it that was sent."""
    seen = _SEEN.fullmatch(request.POST.get("seen", ""))
    epoch, attempt = (int(one) if one else None for one in seen.groups()) if seen else (None, None)
    return {"seen_epoch": epoch, "seen_attempt": attempt}


def _changes(proposed: Resolution) -> list[tuple[str, str]]:
    match proposed.kind:
        case Kind.RECORD_REFERENCE if proposed.operation:
            return consequences.of_reference(proposed.operation, proposed.reference)
        case Kind.RECORD_NOT_EXECUTED if proposed.operation:
            return consequences.of_not_executed(proposed.operation)
        case Kind.RECORD_VOIDED if proposed.operation:
            return consequences.of_voided(proposed.operation)
        case Kind.SETTLE_LATE_ANSWER if proposed.operation:
            return consequences.of_late_answer(proposed.operation)
        case Kind.VOID_HOLD:
            return consequences.of_stray_hold(proposed.reference)
        case _ if proposed.payment:
            return consequences.of_instruction(Kind(proposed.kind), proposed.payment)
    return []
