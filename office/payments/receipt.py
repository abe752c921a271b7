"""The receipt on a payment's page."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from office.decisions.denials import is_called_voided
from office.decisions.kinds.settle_late_reply import has_late_reply
from office.pages.words import NOTHING, as_written, utc
from payments.domain.money import display
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState, PaymentState
from payments.engine import responses
from payments.engine.proofs import done_already, is_called_captured
from payments.models import Operation, Payment, PaymentWithPending

_AT_THE_BANK = "according to the bank"
LIST = "admin:payments_payment_changelist"
Section = tuple[str, list[tuple[str, Any]]]


def sections_of(payment: PaymentWithPending, operations: list[Operation]) -> list[Section]:
    """The facts of the API's receipt, in words for staff.

    `operations` are the payment's, with attempts and discrepancies. Amounts that they leave open are added.
    """
    made = [
        one for one in operations if (one.kind, one.state) == (OperationKind.REFUND, OperationState.SUCCEEDED)
    ]
    refunds = sorted(map(responses.RefundMade.of, made), key=lambda one: one.at)
    shown = responses.receipt(payment, payment.pending_kind, None, refunds)
    moved, captured, refunded = _unsettled(operations)
    decline = shown["decline"]
    return [
        (
            "Order",
            [
                ("Order", _all_of(payment.order_id, payment)),
                ("Customer", _all_of(payment.customer_id, payment)),
                ("Email", _all_of(payment.customer_email, payment) if payment.customer_email else NOTHING),
                ("Description", as_written(payment.description) if payment.description else NOTHING),
                ("Metadata", _metadata(payment.metadata)),
                ("Merchant", format_html("{}, {} mode", as_written(payment.merchant.name), payment.mode)),
            ],
        ),
        (
            "Money",
            [
                ("Amount", display(payment.amount_minor, payment.currency)),
                ("Money moved", moved or shown["money_moved"]),
                ("Captured", display(payment.captured_minor, payment.currency) + captured),
                ("Refunded", display(payment.refunded_minor, payment.currency) + refunded),
                *((("Refunds", _refunds(payment, refunds)),) if len(refunds) > 1 else ()),
                ("Card", f"{payment.card_brand} •••• {payment.card_last4}"),
                ("Card expires", f"{payment.card_expiry_month:02}/{payment.card_expiry_year}"),
                ("Decline", f"{decline['message']} ({decline['code']})" if decline else NOTHING),
            ],
        ),
        (
            "Bank",
            [
                ("Bank", payment.bank),
                ("Authorization", payment.bank_authorization_id or NOTHING),
                ("Capture", payment.bank_capture_id or NOTHING),
                ("Void", payment.bank_void_id or NOTHING),
                ("Refund", payment.bank_refund_id or NOTHING),
            ],
        ),
        ("Times", _times(payment)),
    ]


def _unsettled(operations: list[Operation]) -> tuple[str, str, str]:
    """What is unsettled: instead of "money moved", and after the captured and the refunded amount."""
    for one in operations:
        amount = display(one.amount_minor, one.currency)
        is_late = has_late_reply(one)
        if one.kind == OperationKind.RELEASE or not (is_late or one.state in UNFINISHED_OPERATIONS):
            continue
        says_done = is_late or bool(done_already(one))
        done = "done, according to the bank" if says_done else "not settled"
        beside = f" recorded; {amount} {_AT_THE_BANK if says_done else 'in doubt'}"
        match one.kind:
            case OperationKind.CAPTURE:
                return f"unknown (capture: {done})", beside, ""
            case OperationKind.REFUND:
                return f"unknown (refund: {done})", "", beside
            case OperationKind.VOID if is_called_captured(one):
                return (
                    "unknown (void: captured, according to the bank)",
                    f" recorded; {amount} {_AT_THE_BANK}",
                    "",
                )
            case OperationKind.VOID if says_done and not (is_late or is_called_voided(one)):
                return (
                    "unknown (void: captured or voided, according to the bank)",
                    f" recorded; {amount} in doubt",
                    "",
                )
            case _:
                return f"unknown ({one.kind}: {done})", "", ""
    return "", "", ""


def _refunds(payment: Payment, refunds: list[responses.RefundMade]) -> SafeString:
    """Each refund with its amount, time and reference, oldest first."""
    lines = (
        (display(one.amount_minor, payment.currency), utc(one.at), one.reference or NOTHING)
        for one in refunds
    )
    return format_html_join("", "<div>{} at {}: {}</div>", lines)


def _times(payment: Payment) -> list[tuple[str, Any]]:
    reached = [
        (state.value.capitalize(), utc(getattr(payment, f"{state.value.lower()}_at")))
        for state in PaymentState
        if state is not PaymentState.PENDING and getattr(payment, f"{state.value.lower()}_at")
    ]
    expires = payment.authorization_expires_at
    hold = [("Hold expires", utc(expires))] if expires else []
    return [("Created", utc(payment.created_at)), *reached, *hold]


def _metadata(metadata: dict[str, str]) -> SafeString | str:
    lines = ((as_written(f"{name}: {value}"),) for name, value in metadata.items())
    return format_html_join("", "<div>{}</div>", lines) or NOTHING


def _all_of(text: str, payment: Payment) -> SafeString:
    """A link to the list of all payments with this value."""
    query = urlencode({"q": text, "mode": payment.mode})
    return format_html('<a href="{}?{}">{}</a>', reverse(LIST), query, as_written(text))
