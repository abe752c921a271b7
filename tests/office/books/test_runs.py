"""Reconciliations and their reports."""

from datetime import UTC, datetime

from reconciliation.models import Run
from tests.office.pages.conftest import Staff
from tests.support.book_factories import DifferenceFactory, RunFactory

LIST = "/admin/reconciliation/run/"
COUNTS = {
    "classes": {
        "matched": {"USD": {"count": 1200, "sum": 6_000_000}, "EUR": {"count": 2, "sum": 900}},
        "late": {"USD": {"count": 3, "sum": 1500}},
        "orphan_hold": {"USD": {"count": 1, "sum": 5000}},
    },
    "healed": {"reference_found": 2, "not_executed": 0},
}
AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


class TestReconciliations:
    def test_are_listed_with_their_result(self, support: Staff) -> None:
        RunFactory(started_at=AT, counts=COUNTS, actor="staff:fin")
        RunFactory(started_at=AT.replace(hour=9))
        RunFactory(started_at=AT.replace(hour=10), ended_at=None, kind=Run.Kind.BANK)
        shown = support.read(LIST)
        assert "2026-11-22 08:00:00 ficmart Statements 1,202 1 differences fin" in shown
        assert "2026-11-22 09:00:00 ficmart Statements 0 0 clean operator" in shown
        assert "2026-11-22 10:00:00 ficmart The bank's own API 0 0 not ended operator" in shown

    def test_have_a_report(self, support: Staff) -> None:
        run = RunFactory(started_at=AT, counts=COUNTS)
        DifferenceFactory(found_by=run)
        page = support.client.get(f"{LIST}{run.pk}/change/").content.decode()
        shown = support.read(f"{LIST}{run.pk}/change/")
        assert "Took 3 s" in shown
        assert "Statements cover 2026-11-21 00:00 to 2026-11-22 00:00 UTC" in shown
        assert (
            "Matched 2 €9.00 Matched 1200 $60,000.00 Late: the other side may still come 3 $15.00 "
            "A hold that no payment claims 1 $50.00 Put right by the statement: references filled in 2."
        ) in shown
        assert "USD: 1200 matched, 3 late or unclear, 1 open" in page
        assert page.count('class="ficpay-fill-bad" x=') == 2
        assert "data-print" in page

    def test_with_a_bank_itself_have_one_too(self, support: Staff) -> None:
        counts = {"asked": 7, "agreed": 4, "unclear": 2, "differences": 1, "stopped": "The bank is sick."}
        run = RunFactory(kind=Run.Kind.BANK, counts=counts)
        shown = support.read(f"{LIST}{run.pk}/change/")
        assert "Stopped early The bank is sick." in shown
        assert "Matched 4 Differences 1 No clear reply from the bank: asked again next time 2" in shown

    def test_print_the_first_differences_only(self, support: Staff) -> None:
        run = RunFactory()
        for _ in range(14):
            DifferenceFactory(found_by=run)
        page = support.client.get(f"{LIST}{run.pk}/change/").content.decode()
        assert page.count('class="ficpay-unprinted"') == 2
        assert "And 2 more: see the queue of differences." in page

    def test_are_not_found_by_nonsense(self, support: Staff) -> None:
        assert support.client.get(f"{LIST}x/change/")["Location"] == LIST
