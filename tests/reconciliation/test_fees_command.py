"""`manage.py fees`: what a merchant pays for each capture, from now on, and in the log."""

import io

import pytest
from django.core.management import CommandError, call_command

from office.log.staff_actions import about
from payments.models import Event
from reconciliation.models import FeeTerms
from tests.support.factories import MerchantFactory

LIVE = ("--mode", "live", "--currency", "USD")


def fees(*arguments: str) -> str:
    """What `manage.py fees` prints."""
    printed = io.StringIO()
    MerchantFactory()
    call_command("fees", "ficmart", *arguments, stdout=printed, stderr=printed)
    return printed.getvalue()


class TestFees:
    def test_are_changed_from_now_on_for_a_reason(self) -> None:
        fees(*LIVE, "--basis-points", "290", "--fixed", "30", "--reason", "contract of May")
        printed = fees(*LIVE, "--basis-points", "250", "--fixed", "30", "--reason", "contract of June")
        first, second = FeeTerms.objects.order_by("valid_from")
        assert (first.basis_points, second.basis_points, second.fixed_minor) == (290, 250, 30)
        assert [line.partition(" since ")[0] for line in printed.splitlines()] == [
            "live  USD  2.9% + $0.30",
            "live  USD  2.5% + $0.30",
        ]

    def test_are_in_the_log_of_staff(self) -> None:
        fees(*LIVE, "--basis-points", "290", "--fixed", "0", "--reason", "contract of May")
        event = Event.objects.get(type=Event.Type.FEES_CHANGED)
        assert (event.actor, event.evidence["reason"]) == ("operator", "contract of May")
        assert event.evidence["changed"] == {"basis_points": {"from": 0, "to": 290}}
        assert about(event, links=False) == "fees of ficmart, live USD"

    def test_that_are_the_same_change_nothing(self) -> None:
        fees(*LIVE, "--basis-points", "290", "--fixed", "30", "--reason", "contract of May")
        printed = fees(*LIVE, "--basis-points", "290", "--fixed", "30", "--reason", "again")
        assert "Nothing changed: the fees were already like this." in printed
        assert FeeTerms.objects.count() == 1

    def test_that_are_out_of_range_or_incomplete_are_refused(self) -> None:
        complete = ("--basis-points", "1", "--fixed", "0", "--reason", "why")
        for arguments, message in (
            ((*LIVE, *complete, "--basis-points", "10001"), "Basis points are from 0 to 10000"),
            ((*LIVE, *complete, "--basis-points=-1"), "Basis points are from 0 to 10000"),
            ((*LIVE, *complete, "--fixed", "100000000"), "The fixed part is from 0 to 99999999"),
            (LIVE, "To change fees, give"),
            (complete, "To change fees, give"),
        ):
            with pytest.raises(CommandError, match=message):
                fees(*arguments)
        with pytest.raises(CommandError, match="There is no merchant 'nobody'"):
            call_command("fees", "nobody")
