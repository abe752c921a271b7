"""The list of reconciliations, and the report of each, which can be printed."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from office.differences.report import Report
from office.pages.books import BankFilter, BankModeFilter, BookAdmin
from office.pages.rendering import render_page
from office.pages.words import BAD, GOOD, WAITING, age, label, utc, utc_in_column
from reconciliation.models import Run

LIST = "admin:reconciliation_run_changelist"


@admin.register(Run)
class RunAdmin(BookAdmin[Run]):
    title = "Reconciliations"
    list_display = ("started", "bank_name", "compared_with", "matched", "open", "result", "by")
    list_display_links = ("started",)
    list_filter = (BankFilter, BankModeFilter)
    ordering = ("-started_at", "-id")
    change_list_template = "office/books/runs.html"

    @method_decorator(require_safe)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The report of one reconciliation."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = Run.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        if run is None:
            messages.error(request, "There is no such reconciliation.")
            return redirect(LIST)
        context = {
            "title": f"Reconciliation of {run.bank}",
            "run": run,
            "facts": _facts(run),
            "result": _result(run, Report(run)),
            "report": Report(run),
        }
        return render_page(request, "office/books/run.html", context)

    @admin.display(description="Started (UTC)")
    def started(self, run: Run) -> SafeString | str:
        return utc_in_column(run.started_at)

    @admin.display(description="Bank")
    def bank_name(self, run: Run) -> str:
        return run.bank

    @admin.display(description="Compared with")
    def compared_with(self, run: Run) -> str:
        return run.get_kind_display()

    @admin.display(description="Matched")
    def matched(self, run: Run) -> str:
        return f"{Report(run).matched:,}"

    @admin.display(description="Differences")
    def open(self, run: Run) -> str:
        return f"{Report(run).open:,}"

    @admin.display(description="Result")
    def result(self, run: Run) -> SafeString:
        return _result(run, Report(run))

    @admin.display(description="By")
    def by(self, run: Run) -> str:
        return run.actor.removeprefix("staff:")


def _result(run: Run, report: Report) -> SafeString:
    if run.ended_at is None:
        return label("not ended", WAITING)
    return label("differences", BAD) if report.open else label("clean", GOOD)


def _facts(run: Run) -> list[tuple[str, Any]]:
    covers = "no statement yet"
    if run.covers_from and run.covers_to:
        covers = f"{run.covers_from:%Y-%m-%d %H:%M} to {run.covers_to:%Y-%m-%d %H:%M} UTC"
    return [
        ("Bank", run.bank),
        ("Compared with", run.get_kind_display()),
        ("Started", utc(run.started_at)),
        ("Took", age(run.ended_at - run.started_at) if run.ended_at else "not ended"),
        ("By", run.actor.removeprefix("staff:")),
        *([("Stopped early", run.counts["stopped"])] if run.counts.get("stopped") else []),
        *([("Statements cover", covers)] if run.kind == Run.Kind.STATEMENTS else []),
    ]
