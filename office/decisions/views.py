"""Pages on which staff decide: a form, what it will change, and one service call once that is confirmed."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.cache import never_cache

from office.decisions import consequences, notes, proposals, resolve
from office.decisions.actions import APPROVE, DISABLE_KEY, INSTRUCT, PAYMENT, QUEUE, RESOLVE
from office.decisions.approvals import Approvals
from office.decisions.denials import LOOKED_UP
from office.decisions.drafts import keeps_typed
from office.decisions.evidence import (
    Basis,
    Proposal,
    can_be_voided,
    has_late_answer,
    lacks_reference,
    why_not,
)
from office.decisions.forms import (
    CapturedForm,
    NotExecutedForm,
    ReasonForm,
    ReferenceForm,
    SettledForm,
    StrayHoldForm,
    VoidedForm,
)
from office.decisions.page import Decision, Facts, Given, Preview
from office.decisions.subjects import (
    about_operation,
    about_payment,
    find_operation,
    find_payment,
    owner_besides,
    page_of,
    shown,
)
from office.log import staff
from office.log.actors import staff_of
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind
from payments.engine.conclude import has_ended
from payments.models import ApiKey, Operation, Resolution

Kind = Resolution.Kind


class Decisions(Approvals):
    """The views. Each URL is guarded by one permission; nothing is decided by GET."""

    @property
    def urls(self) -> list[Any]:
        def guarded(view: Callable[..., HttpResponse], permission: str) -> Callable[..., HttpResponse]:
            def checked(request: HttpRequest, **found: Any) -> HttpResponse:
                if not request.user.has_perm(permission):
                    raise PermissionDenied
                return view(request, **found)

            return self._site.admin_view(keeps_typed(never_cache(checked)))

        def named(route: str, name: str, view: Callable[..., HttpResponse], permission: str) -> Any:
            return path(route, guarded(view, permission), name=f"payments_{name}")

        operation, payment = "operations/<uuid:operation_id>/", "instructions/<uuid:payment_id>/"
        return [
            named(f"{operation}reference/", "record_reference", self.record_reference, RESOLVE),
            named(f"{operation}not-executed/", "record_not_executed", self.record_not_executed, RESOLVE),
            named(f"{operation}voided/", "record_voided", self.record_voided, RESOLVE),
            named(f"{operation}captured/", "record_captured", self.record_captured, RESOLVE),
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
        return self._resolution(
            request,
            operation,
            Kind.RECORD_REFERENCE,
            title=f"Record the bank's reference of the {operation.kind}",
            form=ReferenceForm,
            changes=lambda basis: consequences.of_reference(operation, basis.reference, basis.executed_at),
            is_due=lacks_reference,
        )

    def record_captured(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = find_operation(operation_id)
        if operation.kind != OperationKind.VOID:
            raise Http404
        return self._resolution(
            request,
            operation,
            Kind.RECORD_CAPTURED,
            title="Record that the money was captured instead",
            form=CapturedForm,
            changes=lambda basis: consequences.of_captured(operation, basis.reference, basis.executed_at),
        )

    def record_not_executed(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        operation = find_operation(operation_id)
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
        if not can_be_voided(operation):
            raise Http404
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
            is_due=has_late_answer,
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
        changes: Callable[[Basis], Facts],
        is_due: Callable[[Operation], bool] = lambda _: False,
    ) -> HttpResponse:
        """The page of what is recorded about an operation, on the evidence that the form asks for.

        `is_due` says that there is something to record although the operation has ended.
        """
        if not is_due(operation) and (ended := self._ended(request, operation)):
            return ended
        if rival := self._rival(request, page_of(operation), proposals.waiting_for(operation)):
            return rival
        return self._proposing(
            request,
            lambda given: Proposal(kind, operation=operation, **given),
            title=title,
            about=about_operation(operation),
            form=form,
            changes=changes,
            back=page_of(operation),
            seen=shown(operation),
            owner=owner_besides(request, operation),
        )

    def _proposing(
        self,
        request: HttpRequest,
        proposal: Callable[[Given], Proposal],
        *,
        changes: Callable[[Basis], Facts],
        **page: Any,
    ) -> HttpResponse:
        """The page of a proposal: the form's fields have the names of its own."""

        def preview(given: Given) -> Preview:
            basis, waits = resolve.check(proposal(given))
            return Preview(changes(basis), waits)

        decide = lambda given: resolve.propose(staff_of(request), proposal(given))  # noqa: E731
        return self.page_of(request, Decision(preview=preview, decide=decide, **page))

    def void_stray_hold(self, request: HttpRequest) -> HttpResponse:
        needs = "A hold at least 25 hours old that the bank's statement shows and nobody claims."
        return self._proposing(
            request,
            lambda given: Proposal(Kind.VOID_HOLD, **given),
            title="Void a hold that no payment has",
            about=[("Needs", needs)],
            form=StrayHoldForm,
            changes=lambda basis: consequences.of_stray_hold(basis.reference),
            back=reverse(QUEUE),
        )

    def instruct(self, request: HttpRequest, payment_id: UUID, verb: str) -> HttpResponse:
        if verb not in (Kind.CAPTURE, Kind.VOID, Kind.REFUND):
            raise Http404
        kind, payment = Kind(verb), find_payment(payment_id)
        back = reverse(PAYMENT, args=[payment.pk])
        if no := why_not(payment, kind):
            messages.error(request, f"Nothing has changed. {no}")
            return HttpResponseRedirect(back)
        if rival := self._rival(request, back, proposals.waiting_for(None, payment)):
            return rival
        return self._proposing(
            request,
            lambda given: Proposal(kind, payment=payment, **given),
            title=f"{kind.label} on behalf of the merchant",
            about=about_payment(payment),
            form=ReasonForm,
            changes=lambda _: consequences.of_instruction(kind, payment),
            back=back,
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
                preview=lambda _: Preview(consequences.of_asking(operation)),
                decide=lambda given: resolve.ask_again(
                    staff_of(request), operation.pk, reason=given["reason"]
                ),
                back=page_of(operation),
                owner=owner_besides(request, operation),
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
                preview=lambda _: Preview(consequences.of_disabling),
                decide=disable,
                back=reverse("admin:payments_apikey_changelist"),
            ),
        )

    def add_note(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return notes.add_note(self._site, request, payment_id)

    def _rival(self, request: HttpRequest, to: str, waiting: Resolution | None) -> HttpResponse | None:
        """Back, where the same is proposed already: before anybody fills in a form."""
        if waiting is None:
            return None
        by = "You have" if waiting.proposed_by_id == request.user.pk else f"{waiting.proposed_by} has"
        what = waiting.get_kind_display()
        messages.warning(
            request, f"Nothing has changed. {by} proposed “{what}” for this: that is decided first."
        )
        return HttpResponseRedirect(to)
