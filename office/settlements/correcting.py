"""The page that corrects a settlement by a posting, as a decision with a preview."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from office.decisions.evidence import CannotResolve
from office.decisions.forms import AmountField, ReasonForm
from office.decisions.page import Decision, Preview, decision_page
from office.log.actors import staff_of
from office.pages.books import CORRECT
from payments.domain.money import MAX_AMOUNT_MINOR, display
from reconciliation.models import Settlement
from reconciliation.services.correct import CorrectionRefused, correct

_MERCHANT, _US = "merchant", "us"


class CorrectionForm(ReasonForm):
    """In whose favor, how much, and why."""

    in_favor = forms.ChoiceField(label="In favor of", choices=[(_MERCHANT, "the merchant"), (_US, "FicPay")])
    field_order = ("in_favor", "amount_minor", "reason")

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        amount = AmountField(label="Amount", most_minor=MAX_AMOUNT_MINOR, currency=currency)
        amount.required, amount.help_text = True, f"For example {display(1250, currency)}."
        self.fields["amount_minor"] = amount
        self.fields["reason"].help_text = "Recorded in the log. The merchant sees it."
        self.order_fields(self.field_order)


def page(request: HttpRequest, settlement_id: UUID) -> HttpResponse:
    """The settlement itself stays as it is: the correction joins the merchant's next one."""
    if not request.user.has_perm(CORRECT):
        raise PermissionDenied
    settlement = get_object_or_404(Settlement.objects.select_related("merchant"), pk=settlement_id)
    currency = settlement.currency

    def decide(given: dict[str, Any]) -> str:
        staff = staff_of(request)
        try:
            made = correct(
                settlement,
                amount_minor=_signed(given),
                reason=given["reason"],
                actor=staff.actor,
                request_id=staff.request_id,
                logged={"user": staff.user_id, "from": staff.address},
            )
        except CorrectionRefused as no:
            raise CannotResolve(str(no)) from None
        return f"{display(made.amount_minor, currency)} is posted. It joins the merchant's next settlement."

    return decision_page(
        request,
        Decision(
            title="Correct a settlement",
            about=[
                ("Settlement", f"{settlement.public_id} of {settlement.date}"),
                ("Merchant", settlement.merchant.name),
                ("Paid", display(settlement.amount_minor, currency)),
            ],
            form=lambda sent: CorrectionForm(sent, currency=currency),
            preview=lambda given: Preview(_consequences(_signed(given), currency)),
            decide=decide,
            back=reverse("admin:reconciliation_settlement_change", args=[settlement.pk]),
        ),
    )


def _signed(given: dict[str, Any]) -> int:
    """Minor units, above nought in favor of the merchant."""
    amount: int = given["amount_minor"]
    return amount if given["in_favor"] == _MERCHANT else -amount


def _consequences(amount_minor: int, currency: str) -> list[tuple[str, str]]:
    shown = display(abs(amount_minor), currency)
    is_owed = amount_minor > 0
    return [
        ("This settlement", "Stays as it is."),
        ("Ledger", f"{shown} {'more' if is_owed else 'less'} is owed to the merchant from now on."),
        (
            "Merchant",
            f"Gets {shown} {'more' if is_owed else 'less'} with the next settlement, and sees the reason.",
        ),
    ]
