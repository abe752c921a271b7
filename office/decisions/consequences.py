"""What a decision will change, told before it is confirmed: state, money, and what the merchant hears."""

from datetime import datetime

from office.decisions.denials import is_called_done
from payments.domain.money import display
from payments.domain.states import OperationKind
from payments.models import Operation, Payment, Resolution
from reconciliation.services.explain import moment

Facts = list[tuple[str, str]]

_DONE = {OperationKind.CAPTURE: "CAPTURED", OperationKind.REFUND: "REFUNDED", OperationKind.VOID: "VOIDED"}
_WILL = {
    Resolution.Kind.CAPTURE: "is taken from the card",
    Resolution.Kind.VOID: "is no longer held on the card",
    Resolution.Kind.REFUND: "goes back to the card",
}


def of_reference(operation: Operation, reference: str, executed_at: datetime | None) -> Facts:
    """Of recording the bank's reference of a capture or a refund."""
    payment = operation.claimed_payment
    amount = display(operation.amount_minor, operation.currency)
    done = _DONE[OperationKind(operation.kind)]
    how = "was taken" if operation.kind == OperationKind.CAPTURE else "was given back"
    moved = f"{amount} {how} already{_on(executed_at)}"
    if payment.state == done:
        return [
            ("State", f"{payment.state} it stays, with {reference}."),
            ("Money", f"{moved}; none moves now."),
            ("Merchant", "Sees it on the payment's receipt. What was answered before stays as it was."),
        ]
    return [
        ("State", f"{payment.state} becomes {done}, with {reference}."),
        ("Money", f"{moved}; none moves now."),
        ("Merchant", "A retry of the request is answered 200 with the receipt."),
    ]


def of_captured(void: Operation, reference: str, executed_at: datetime | None) -> Facts:
    """Of recording that the bank had captured what a void was about."""
    amount = display(void.amount_minor, void.currency)
    return [
        (
            "State",
            f"{void.claimed_payment.state} becomes CAPTURED, with {reference}. The void ends.",
        ),
        ("Money", f"{amount} was taken already{_on(executed_at)}; none moves now. A refund gives it back."),
        ("Merchant", "A retry of the void is refused: the payment is CAPTURED."),
    ]


def _on(executed_at: datetime | None) -> str:
    return f" at {moment(executed_at)}, as the bank says" if executed_at else ""


def of_asking(operation: Operation) -> Facts:
    """Of asking the bank again: what was instructed before may be executed only now."""
    amount = display(operation.amount_minor, operation.currency)
    return [
        ("State", "Only what the bank's answer says."),
        ("Money", _MAY[OperationKind(operation.kind)].format(amount=amount)),
        ("Merchant", "A retry is answered by what is known then."),
    ]


_MAY = {
    OperationKind.AUTHORIZE: "None moves: the bank is asked what it has stored. A hold may be found.",
    OperationKind.CAPTURE: "May take {amount} now, if it was not taken already; never twice.",
    OperationKind.VOID: "May free the hold of {amount} now, if it was not freed already. Takes none.",
    OperationKind.REFUND: "May give back {amount} now, if it was not given back already; never twice.",
    OperationKind.RELEASE: "May free the hold of {amount} now, if it was not freed already. Takes none.",
}


def of_not_executed(operation: Operation) -> Facts:
    """Of recording that an operation was not executed."""
    if operation.kind == OperationKind.RELEASE:
        return [
            ("State", "No payment changes. The release is closed."),
            (
                "Money",
                f"We do not free {operation.target_reference}. If it is still a hold, it goes on "
                "blocking the cardholder's money until the bank frees it.",
            ),
            ("Merchant", "Hears nothing of it."),
        ]
    payment = operation.claimed_payment
    if operation.kind == OperationKind.AUTHORIZE:
        state = f"{payment.state} becomes FAILED; the order may be authorized anew."
    else:
        state = f"The payment stays {payment.state}; it may be instructed anew."
    return [
        ("State", state),
        (
            "Money",
            "None moves. If the bank did execute it, the customer's money is wrong: be sure.",
        ),
        ("Merchant", "A retry of the request is sent to the bank again, as a new operation."),
    ]


def of_voided(operation: Operation) -> Facts:
    """Of recording that the hold was voided."""
    if operation.kind == OperationKind.RELEASE:
        return [
            ("State", "No payment changes. The release is closed as done."),
            ("Money", f"{operation.target_reference} is no hold any more; the cardholder has the money."),
            ("Merchant", "Hears nothing of it."),
        ]
    payment = operation.claimed_payment
    retry = (
        "A retry of the void is answered 200 with the receipt."
        if operation.kind == OperationKind.VOID
        else "A retry of the capture is refused: the payment is VOIDED. Goods must not be shipped for it."
    )
    called_done = operation.kind == OperationKind.CAPTURE and is_called_done(operation)
    beware = "The bank has answered that the authorization is used: most likely the money was TAKEN. Be sure."
    return [
        *([("Beware", beware)] if called_done else []),
        ("State", f"{payment.state} becomes VOIDED, without a void's id."),
        ("Money", "None was taken, and none is held any more."),
        ("Merchant", retry),
    ]


def of_late_answer(operation: Operation) -> Facts:
    """Of recording how a late answer was settled."""
    payment = operation.claimed_payment
    return [
        ("State", f"{payment.state} it stays; the case is closed."),
        ("Money", "None moves by this. What the bank has done, it must have undone, or agreed to."),
        ("Merchant", f"May be told again that the order of {payment.public_id} is ready, if it is."),
    ]


def of_stray_hold(reference: str) -> Facts:
    """Of voiding a hold that no payment has."""
    return [
        ("State", "No payment changes."),
        ("Money", f"The hold {reference} is voided at the bank; the cardholder has the money back."),
        ("Merchant", "Hears nothing of it."),
    ]


def of_instruction(kind: Resolution.Kind, payment: Payment) -> Facts:
    """Of capturing, voiding or refunding on behalf of the merchant."""
    return [
        ("State", f"{payment.state} becomes {_DONE[OperationKind(kind)]}, once the bank has said so."),
        ("Money", f"{display(payment.amount_minor, payment.currency)} {_WILL[kind]}."),
        ("Merchant", "Sees it on the payment's receipt and in its events."),
    ]


of_disabling: Facts = [
    ("State", "The key is refused from the next request on, for good."),
    ("Money", "Payments in flight are finished and recorded."),
    ("Merchant", "Every request with this key is answered 401."),
]


def of_proposal(proposed: Resolution) -> Facts:
    """Of approving what is proposed."""
    match proposed.kind:
        case Resolution.Kind.RECORD_REFERENCE if proposed.operation:
            return of_reference(proposed.operation, proposed.reference, proposed.executed_at)
        case Resolution.Kind.RECORD_CAPTURED if proposed.operation:
            return of_captured(proposed.operation, proposed.reference, proposed.executed_at)
        case Resolution.Kind.RECORD_NOT_EXECUTED if proposed.operation:
            return of_not_executed(proposed.operation)
        case Resolution.Kind.RECORD_VOIDED if proposed.operation:
            return of_voided(proposed.operation)
        case Resolution.Kind.SETTLE_LATE_ANSWER if proposed.operation:
            return of_late_answer(proposed.operation)
        case Resolution.Kind.VOID_HOLD:
            return of_stray_hold(proposed.reference)
        case _ if proposed.payment:
            return of_instruction(Resolution.Kind(proposed.kind), proposed.payment)
    return []
