"""The list of settlements, and the page of each with its lines. The ledger's page hangs below."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from office.decisions.drafts import keeps_typed
from office.pages.books import CORRECT, VIEW, BankModeFilter, BookAdmin, CurrencyFilter
from office.pages.filters import MerchantFilter
from office.pages.rendering import render_page
from office.pages.words import WAITING, as_written, label, utc
from office.settlements import correcting, ledger
from payments.domain.ids import parse_public_id
from payments.domain.money import display
from payments.domain.states import Mode
from reconciliation.models import Settlement, SettlementLine
from reconciliation.models.settlements import SETTLEMENT_PREFIX
from reconciliation.services.settlement_report import as_csv

LIST = "admin:reconciliation_settlement_changelist"
_LINES_A_PAGE = 100


@admin.register(Settlement)
class SettlementAdmin(BookAdmin[Settlement]):
    title = "Settlements"
    list_display = (
        "day",
        "merchant_name",
        "bank_name",
        "captured",
        "refunded",
        "fees",
        "corrected",
        "paid",
        "carried",
    )
    list_display_links = ("day",)
    list_filter = (MerchantFilter, BankModeFilter, CurrencyFilter)
    list_select_related = ("merchant",)
    ordering = ("-date", "-id")
    change_list_template = "office/books/settlements.html"

    def get_urls(self) -> list[Any]:
        site = self.admin_site
        own = [
            path(
                "ledger/",
                site.admin_view(require_safe(never_cache(ledger.page))),
                name="reconciliation_ledger",
            ),
            path(
                "<uuid:settlement_id>/csv/",
                site.admin_view(require_safe(never_cache(download))),
                name="reconciliation_settlement_csv",
            ),
            path(
                "<uuid:settlement_id>/correct/",
                site.admin_view(keeps_typed(never_cache(correcting.page))),
                name="reconciliation_correct",
            ),
        ]
        return [*own, *super().get_urls()]

    @method_decorator(require_safe)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One settlement: how its amount comes about, and its lines."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        public = parse_public_id(SETTLEMENT_PREFIX, object_id.lower())
        settlement = self.get_object(request, str(public or object_id))
        if settlement is None:
            messages.error(request, "There is no such settlement.")
            return redirect(LIST)
        page = _lines(settlement, request.GET.get("page", "1"))
        context = {
            "title": settlement.public_id,
            "opts": self.named,
            "original": settlement,
            "settlement": settlement,
            "amount": display(settlement.amount_minor, settlement.currency),
            "is_test": settlement.mode == Mode.TEST,
            "facts": _facts(settlement),
            "sums": _sums(settlement),
            "page": page,
            "lines": [_row(line, settlement.currency) for line in page],
            "corrections": [
                (
                    display(one.amount_minor, one.currency),
                    one.reason,
                    one.actor.removeprefix("staff:"),
                    utc(one.created_at),
                )
                for one in settlement.corrections.order_by("created_at")
            ],
            "may_correct": request.user.has_perm(CORRECT),
        }
        return render_page(request, "office/books/settlement.html", context)

    @admin.display(description="Day (UTC)")
    def day(self, settlement: Settlement) -> str:
        return str(settlement.date)

    @admin.display(description="Merchant")
    def merchant_name(self, settlement: Settlement) -> str:
        return settlement.merchant.name

    @admin.display(description="Bank")
    def bank_name(self, settlement: Settlement) -> SafeString | str:
        return label(f"{settlement.bank} test", WAITING) if settlement.mode == Mode.TEST else settlement.bank

    @admin.display(description="Captured")
    def captured(self, settlement: Settlement) -> str:
        return display(settlement.captured_minor, settlement.currency)

    @admin.display(description="Refunded")
    def refunded(self, settlement: Settlement) -> str:
        return display(settlement.refunded_minor, settlement.currency)

    @admin.display(description="Fees")
    def fees(self, settlement: Settlement) -> str:
        return display(settlement.fees_minor, settlement.currency)

    @admin.display(description="Corrected")
    def corrected(self, settlement: Settlement) -> str:
        return display(settlement.corrected_minor, settlement.currency)

    @admin.display(description="Paid")
    def paid(self, settlement: Settlement) -> str:
        return display(settlement.amount_minor, settlement.currency)

    @admin.display(description="Carried forward")
    def carried(self, settlement: Settlement) -> str:
        return display(settlement.carried_forward_minor, settlement.currency)


def download(request: HttpRequest, settlement_id: Any) -> HttpResponseBase:
    """All lines as CSV."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    settlement = get_object_or_404(Settlement, pk=settlement_id)
    name = f"settlement-{settlement.date}-{settlement.public_id}.csv"
    return StreamingHttpResponse(
        as_csv(settlement),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(settlement: Settlement, page: str) -> Page[SettlementLine]:
    lines = settlement.lines.select_related("operation__payment", "correction").order_by("id")
    return Paginator(lines, _LINES_A_PAGE).get_page(page)


def _row(line: SettlementLine, currency: str) -> dict[str, Any]:
    operation, correction = line.operation, line.correction
    return {
        "what": operation.kind if operation else "correction",
        "payment": operation.payment if operation else None,
        "order": as_written(operation.payment.order_id) if operation and operation.payment else "",
        "reference": operation.bank_reference if operation else (correction.reason if correction else ""),
        "at": utc(operation.finished_at) if operation else utc(correction.created_at if correction else None),
        "amount": display(line.amount_minor, currency),
        "fee": display(line.fee_minor, currency) if line.fee_minor else "",
    }


def _facts(settlement: Settlement) -> list[tuple[str, Any]]:
    return [
        ("Merchant", settlement.merchant.name),
        ("Bank", settlement.bank),
        ("Day (UTC)", str(settlement.date)),
        ("Made", utc(settlement.created_at)),
    ]


def _sums(settlement: Settlement) -> list[tuple[str, str]]:
    """How the amount comes about."""
    signed = [
        ("Captured", settlement.captured_minor),
        ("Refunded", -settlement.refunded_minor),
        ("Fees", -settlement.fees_minor),
        ("Corrected", settlement.corrected_minor),
        ("Brought forward", settlement.brought_forward_minor),
    ]
    rows = [(name, display(amount, settlement.currency)) for name, amount in signed if amount]
    if settlement.carried_forward_minor:
        rows.append(("Carried forward", display(settlement.carried_forward_minor, settlement.currency)))
    return [*rows, ("Paid", display(settlement.amount_minor, settlement.currency))]
