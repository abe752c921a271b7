"""The list of statement files, with the days that lack one, and the page of one file."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from office.pages.books import IMPORT, BankFilter, BankModeFilter, BookAdmin
from office.pages.rendering import render_page
from office.pages.words import as_written, utc, utc_in_column
from office.statements import days, upload
from payments.domain.money import display
from payments.models.clock import read_clock
from reconciliation.models import StatementFile

LIST = "admin:reconciliation_statementfile_changelist"
_LINES = 200  # shown of a file


@admin.register(StatementFile)
class StatementFileAdmin(BookAdmin[StatementFile]):
    title = "Statements"
    list_display = ("period", "bank_name", "file", "form_name", "lines_number", "new", "imported", "by")
    list_display_links = ("period",)
    list_filter = (BankFilter, BankModeFilter)
    ordering = ("-covers_from", "-id")
    change_list_template = "office/books/statements.html"

    def get_urls(self) -> list[Any]:
        site = self.admin_site
        own = [
            path("upload/", site.admin_view(never_cache(upload.page)), name="reconciliation_upload"),
            path("awaited/", site.admin_view(require_safe(days.awaited_page)), name="reconciliation_awaited"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_import = request.user.has_perm(IMPORT)
        context = {"missing": days.missing_days(read_clock()), "may_import": may_import}
        return super().changelist_view(request, context | (extra_context or {}))

    @method_decorator(require_safe)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One file and its first lines."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        file = StatementFile.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        if file is None:
            messages.error(request, "There is no such statement.")
            return redirect(LIST)
        lines = list(
            file.its_lines.order_by("number").select_related("match__operation__payment")[: _LINES + 1]
        )
        context = {
            "title": f"Statement {file.name}",
            "facts": _facts(file),
            "lines": [
                (line, display(line.amount_minor, line.currency), utc(line.at)) for line in lines[:_LINES]
            ],
            "has_more": len(lines) > _LINES,
            "shown": _LINES,
        }
        return render_page(request, "office/books/statement.html", context)

    @admin.display(description="Covers (UTC)")
    def period(self, file: StatementFile) -> str:
        return days.period_of(file.covers_from, file.covers_to)

    @admin.display(description="Bank")
    def bank_name(self, file: StatementFile) -> str:
        return file.bank

    @admin.display(description="File")
    def file(self, file: StatementFile) -> SafeString:
        return as_written(file.name)

    @admin.display(description="Form")
    def form_name(self, file: StatementFile) -> str:
        return file.form

    @admin.display(description="Lines")
    def lines_number(self, file: StatementFile) -> str:
        return f"{file.lines:,}"

    @admin.display(description="New")
    def new(self, file: StatementFile) -> str:
        return f"{file.new_lines:,}"

    @admin.display(description="Imported (UTC)")
    def imported(self, file: StatementFile) -> SafeString | str:
        return utc_in_column(file.imported_at)

    @admin.display(description="By")
    def by(self, file: StatementFile) -> str:
        return file.actor.removeprefix("staff:")


def _facts(file: StatementFile) -> list[tuple[str, Any]]:
    return [
        ("Bank", file.bank),
        ("Covers", days.period_of(file.covers_from, file.covers_to)),
        ("Form", file.form),
        ("Lines", f"{file.lines:,}, of which no earlier file had {file.new_lines:,}"),
        ("Imported", utc(file.imported_at)),
        ("By", file.actor.removeprefix("staff:")),
        ("SHA-256", file.sha256),
    ]
