"""The subject of a decision: finds it or raises a 404, and describes it in a few facts."""

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from office.decisions.actions import PAYMENT, QUEUE
from office.decisions.evidence import last_attempt
from office.decisions.kinds.base import Facts
from payments.domain.money import display
from payments.domain.states import Mode
from payments.models import Assignment, Operation, Payment, Resolution
from reconciliation.services.explain import moment


def find_operation(operation_id: UUID) -> Operation:
    return get_object_or_404(Operation.objects.select_related("payment__merchant"), pk=operation_id)


def find_payment(payment_id: UUID) -> Payment:
    return get_object_or_404(Payment.objects.select_related("merchant"), pk=payment_id)


def find_proposal(resolution_id: int) -> Resolution:
    related = ("operation__payment__merchant", "payment__merchant", "proposed_by", "decided_by")
    return get_object_or_404(Resolution.objects.select_related(*related), pk=resolution_id)


def shown(operation: Operation) -> str:
    """The state that a page shows: the operation's epoch and its last attempt's number."""
    return f"{operation.lease_epoch}.{last_attempt(operation)}"


def owner_of(operation: Operation) -> str:
    """The owner of the case; empty if it has none."""
    assignment = Assignment.objects.select_related("owner").filter(operation=operation).first()
    return assignment.owner.get_username() if assignment else ""


def other_owner(request: HttpRequest, operation: Operation) -> str:
    """The owner of the case, if it is not the reader."""
    owner = owner_of(operation)
    return "" if owner == request.user.get_username() else owner


def page_of(operation: Operation) -> str:
    """The page to return to."""
    return reverse(PAYMENT, args=[operation.payment_id]) if operation.payment_id else reverse(QUEUE)


def about_payment(payment: Payment) -> Facts:
    amount = display(payment.amount_minor, payment.currency)
    test = ", test mode: no real money" if payment.mode == Mode.TEST else ""
    return [
        ("Payment", f"{payment.public_id}: {amount}, {payment.state}{test}"),
        ("Order", f"{payment.order_id} of customer {payment.customer_id}, {payment.merchant.name}"),
    ]


def about_operation(operation: Operation) -> Facts:
    amount = display(operation.amount_minor, operation.currency)
    last = operation.attempts.order_by("number").last()
    reply = f"attempt {last.number}, {last.get_result_display().lower()}: {last.reply}" if last else ""
    known = [
        *(about_payment(operation.payment) if operation.payment else [("Amount", amount)]),
        ("Operation", f"{operation.kind} {operation.public_id}: {operation.state}"),
        ("Target", operation.target_reference),
        ("Last attempt", reply),
        ("Owner", owner_of(operation) or "none"),
    ]
    return [(name, value) for name, value in known if value]


def about_proposal(proposed: Resolution) -> Facts:
    """The proposal and its subject, for the person who decides it."""
    known: Facts = []
    if proposed.operation:
        known = about_operation(proposed.operation)
    elif proposed.payment:
        known = about_payment(proposed.payment)
    return known + as_proposed(proposed)


def as_proposed(proposed: Resolution) -> Facts:
    """The proposal as it was made: its evidence, its reason and its author."""
    known = [
        ("Amount", display(proposed.amount_minor, proposed.currency)),
        ("Reference", proposed.reference),
        ("Executed at the bank", moment(proposed.executed_at) if proposed.executed_at else ""),
        ("Evidence", proposed.evidence_told),
        ("The bank's reply", _reply_of(proposed)),
        ("Quote", proposed.quote),
        ("Covers", f"{proposed.covers_from} to {proposed.covers_to}" if proposed.covers_to else ""),
        ("Reason", proposed.reason),
        ("Proposed by", f"{proposed.proposed_by.get_username()} at {moment(proposed.proposed_at)}"),
    ]
    return [(name, value) for name, value in known if value]


def _reply_of(proposed: Resolution) -> str:
    if proposed.operation is None or proposed.attempt is None:
        return ""
    attempt = proposed.operation.attempts.filter(number=proposed.attempt).first()
    return f"attempt {attempt.number}: {attempt.reply}" if attempt else ""
