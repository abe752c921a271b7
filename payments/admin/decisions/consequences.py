"""What a decision will change, told before it is confirmed: state, money, and what the merchant hears."""

from payments.domain.money import display
from payments.domain.states import OperationKind
from payments.models import Operation, Payment, Resolution
from payments.services.denials import is_called_done

Facts = list[tuple[str, str]]

_DONE = {OperationKind.CAPTURE: "CAPTURED", OperationKind.REFUND: "REFUNDED", OperationKind.VOID: "VOIDED"}
_WILL = {
    Resolution.Kind.CAPTURE: "is taken from the card",
    Resolution.Kind.VOID: "is no longer held on the card",
    Resolution.Kind.REFUND: "goes back to the card",
}


def of_reference(operation: Operation, reference: str) -> Facts:
    """Of recording the bank's reference of a capture or a refund."""
    payment = operation.claimed_payment
    amount = display(operation.amount_cents, operation.currency)
    done = _DONE[OperationKind(operation.kind)]
    moved = f"{amount} {'was taken' if operation.kind == OperationKind.CAPTURE else 'was given back'} already"
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
        ("Money", f"{display(payment.amount_cents, payment.currency)} {_WILL[kind]}."),
        ("Merchant", "Sees it on the payment's receipt and in its events."),
    ]
