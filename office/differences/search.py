"""Searches the differences by the bank's reference, payment, order or operation."""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseRedirect

from office.pages.fields import FieldsFilter, M
from office.pages.search_forms import filled_in, form_lost, list_url
from office.search.models import FoundPayment
from payments.domain.cards import contains_typed_card_number
from payments.domain.ids import OPERATION_PREFIX, PAYMENT_PREFIX, parse_public_id
from payments.domain.states import OperationKind
from payments.engine.abilities import banks_with_statements
from payments.models import Operation, Payment
from reconciliation.models import StatementLine

_AT_MOST = 200  # rows of one kind that one text may lead to, so that the search stays quick


class AboutFilter(FieldsFilter):
    """What a difference is about: the text is compared as a whole, each time by an index."""

    title = "about"
    inputs: ClassVar = (("search", "about", "Bank's reference, payment or order"),)

    def narrow(self, request: HttpRequest, rows: QuerySet[M]) -> QuerySet[M]:
        text = self.given.get("about", "").strip()
        if not text:
            return rows
        return rows.filter(
            Q(line__in=_lines(text)) | Q(payment__in=_payments(text)) | Q(operation__in=_operations(text))
        )


def receive_search(request: HttpRequest, to: str, names: Iterable[str]) -> HttpResponseRedirect:
    """Leads to the list. The form is sent by POST, so that a card number typed by mistake is in no URL."""
    if request.method != "POST":
        return form_lost(request, list_url(to, filled_in(request.GET, names, ())))
    asked = filled_in(request.POST, names, ())
    if any(map(contains_typed_card_number, asked.values())):
        messages.error(
            request, "Your search contained a card number, so nothing was searched, stored or logged."
        )
        asked = {}
    return HttpResponseRedirect(list_url(to, asked))


def _lines(text: str) -> list[int]:
    lines = StatementLine.objects.filter(bank__in=banks_with_statements())
    return [
        pk
        for field in ("reference", "target_reference")
        for pk in lines.filter(**{field: text}).values_list("pk", flat=True)[:_AT_MOST]
    ]


def _payments(text: str) -> list[UUID]:
    authorized = Payment.objects.filter(bank__in=banks_with_statements(), bank_authorization_id=text)
    ordered = FoundPayment.objects.filter(order_id=text)
    found = [pk for rows in (authorized, ordered) for pk in rows.values_list("pk", flat=True)[:_AT_MOST]]
    named = parse_public_id(PAYMENT_PREFIX, text)
    return [*found, named] if named else found


def _operations(text: str) -> list[UUID]:
    # The kinds whose references have an index; a hold's reference is its payment's.
    referred = Operation.objects.filter(
        bank__in=banks_with_statements(),
        kind__in=[OperationKind.CAPTURE, OperationKind.REFUND],
        bank_reference=text,
    )
    found = list(referred.values_list("pk", flat=True)[:_AT_MOST])
    named = parse_public_id(OPERATION_PREFIX, text)
    return [*found, named] if named else found
