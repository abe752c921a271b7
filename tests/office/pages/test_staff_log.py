"""The log of what staff did: every kind of action in words, found by who, what and day, by an index."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.urls import reverse

from office.cases import assignments
from office.log import staff
from office.log.staff_actions import WORDS
from payments.models import Event, Payment
from payments.usecases.merchants import disable_api_key
from tests.benchmarks.generated import rolled_back
from tests.benchmarks.plans import plans_of, recorded
from tests.office.pages.conftest import Staff
from tests.support.factories import ApiKeyFactory, EventFactory, OperationFactory, PaymentFactory

LOG = "admin:payments_event_changelist"
SEARCH = "admin:payments_event_search"
# Looks like a card: sixteen digits, Visa's first, Luhn-valid. Nobody's.
CARD_NUMBER = "4539578763621486"


@pytest.fixture
def auditor(db: None) -> Staff:
    user = User.objects.create_user("ann", password="x", is_staff=True)
    codenames = ["view_payment", "view_event", "view_staff_log"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return Staff(user)


@pytest.fixture
def lee(db: None) -> staff.Staff:
    user = User.objects.create_user("lee", is_staff=True)
    return staff.Staff(user.pk, "lee", "192.0.2.7", "request-1")


@pytest.fixture
def payment(db: None) -> Payment:
    return PaymentFactory(order_id="order-77")


def lines(staff: Staff, **query: Any) -> list[str]:
    """The types of the actions in the list, in its order."""
    response = staff.client.get(reverse(LOG), query_params=query)
    assert response.status_code == 200, response
    return [event.type for event in response.context["cl"].result_list]


class TestALine:
    def test_says_who_did_what_about_what_from_where_and_why(
        self, auditor: Staff, lee: staff.Staff, payment: Payment
    ) -> None:
        staff.add_note(lee, payment, "The customer called.")
        shown = auditor.read(reverse(LOG))
        assert f"lee user {lee.user_id} Added a note order-77 192.0.2.7 The customer called." in shown
        page = auditor.client.get(reverse(LOG)).content.decode()
        assert reverse("admin:payments_payment_change", args=[payment.pk]) in page
        assert "When (UTC)" in shown

    def test_names_keys_exports_and_cases(self, auditor: Staff, lee: staff.Staff, payment: Payment) -> None:
        key = ApiKeyFactory(merchant=payment.merchant)
        disable_api_key(key.pk, reason="it leaked", by=lee)
        staff.log_export(lee, {"state": "FAILED"}, reason="the month ends")
        assignments.take(lee, OperationFactory(payment=payment))
        shown = auditor.read(reverse(LOG))
        assert f"Disabled an API key sk_live_...{key.last4} of ficmart 192.0.2.7 it leaked" in shown
        assert "Exported payments payments: state FAILED 192.0.2.7" in shown
        assert "Took a case order-77" in shown

    def test_tells_a_change_as_old_and_new(self, auditor: Staff, lee: staff.Staff) -> None:
        staff.log_action(
            lee,
            Event.Type.USER_CHANGED,
            account="kim",
            account_id=7,
            changed={
                "is_superuser": {"from": False, "to": True},
                "groups": {"from": ["Support"], "to": ["Auditor"]},
                "email": {},
            },
            reason="a new task",
        )
        shown = auditor.read(reverse(LOG))
        assert (
            "Changed a user Email Groups: now Auditor; no longer Support Superuser: no → yes user kim"
            in shown
        )
        assert "a new task" in shown

    def test_tells_why_a_proposal_was_closed_and_why_it_was_made(
        self, auditor: Staff, lee: staff.Staff, payment: Payment
    ) -> None:
        evidence = {"kind": "refund", "reason": "they asked", "because": "too late", "proposed_by": "kim"}
        staff.log_action(lee, Event.Type.RESOLUTION_REFUSED, payment=payment, **evidence)
        shown = auditor.read(reverse(LOG))
        assert "Closed a proposal Refund Proposed by: kim Reason of the proposal: they asked" in shown
        assert "192.0.2.7 too late" in shown

    def test_of_a_command_says_so(self, auditor: Staff) -> None:
        staff.log_action(staff.Operator(), Event.Type.USER_SECOND_FACTOR_RESET, account="kim", account_id=7)
        assert "operator Reset a second factor user kim command line of" in auditor.read(reverse(LOG))

    def test_links_users_and_groups_for_those_who_may_open_them(
        self, auditor: Staff, superuser: Staff, lee: staff.Staff
    ) -> None:
        staff.log_action(lee, Event.Type.GROUP_CHANGED, group="Nights", group_id=7)
        link = reverse("admin:auth_group_change", args=[7])
        assert link in superuser.client.get(reverse(LOG)).content.decode()
        assert link not in auditor.client.get(reverse(LOG)).content.decode()

    def test_has_words_for_every_action_and_is_none_of_the_machines(
        self, auditor: Staff, payment: Payment
    ) -> None:
        assert set(WORDS) == set(Event.OF_STAFF)
        types = list(Event.Type)
        shown: set[str] = set()
        for some in (types[:20], types[20:40], types[40:]):  # a page shows 25
            for type_ in some:
                EventFactory(payment=payment, type=type_)
            shown |= set(lines(auditor))
        assert shown == set(Event.OF_STAFF)

    def test_of_the_time_before_there_were_ids_is_shown_too(self, auditor: Staff, payment: Payment) -> None:
        EventFactory(
            payment=payment, type=Event.Type.NOTE_ADDED, actor="staff:kim", evidence={"note": "hello"}
        )
        assert "kim Added a note order-77 unknown hello" in auditor.read(reverse(LOG))


class TestTheLog:
    def test_is_empty_and_says_what_would_be_there(self, auditor: Staff) -> None:
        shown = auditor.read(reverse(LOG))
        assert "The log is empty" in shown
        assert "Each line says who, when, from where and why" in shown
        assert "No log lines match" in auditor.read(reverse(LOG), actor="nobody")

    def test_is_found_by_who_what_and_day(self, auditor: Staff, payment: Payment) -> None:
        old = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
        EventFactory(payment=payment, type=Event.Type.NOTE_ADDED, actor="staff:kim", at=old)
        EventFactory(payment=payment, type=Event.Type.OPERATION_ASSIGNED, actor="staff:kimberly")
        EventFactory(payment=payment, type=Event.Type.USER_SECOND_FACTOR_RESET, actor="operator")
        assert len(lines(auditor)) == 3
        assert lines(auditor, actor="kim") == ["note.added"]
        assert lines(auditor, actor="operator") == ["user.second_factor_reset"]
        assert lines(auditor, type="operation.assigned") == ["operation.assigned"]
        assert lines(auditor, type="payment.created") == []
        assert lines(auditor, day="2026-03-01") == ["note.added"]
        assert lines(auditor, day="2026-03-02") == []
        assert lines(auditor, day="2026-03-02", zone="Europe/Berlin") == ["note.added"]
        assert "Write days as year-month-day" in auditor.read(reverse(LOG), day="1.3.2026")

    def test_finds_a_name_that_is_longer_than_the_log_keeps(self, auditor: Staff) -> None:
        user = User.objects.create_user("w" * 150, is_staff=True)
        staff.log_export(staff.Staff(user.pk, user.username, "", ""), {}, reason="x")
        assert lines(auditor, actor="w" * 150) == ["payments.exported"]
        assert f"user {user.pk}" in auditor.read(reverse(LOG))

    def test_shows_the_newest_first_a_page_at_a_time(self, auditor: Staff, payment: Payment) -> None:
        for number in range(30):
            at = datetime(2026, 3, 1, 0, number, tzinfo=UTC)
            EventFactory(
                payment=payment, type=Event.Type.NOTE_ADDED, evidence={"note": f"note {number:02}"}, at=at
            )
        first = auditor.read(reverse(LOG))
        assert first.index("note 29") < first.index("note 28")
        assert "note 05" in first
        assert "note 04" not in first
        assert "Page 1 of 2" in first
        assert "note 04" in auditor.read(reverse(LOG), p=2)

    def test_takes_its_search_by_post_and_no_card_number(self, auditor: Staff) -> None:
        asked = {"actor": " kim\0 ", "type": "note.added", "day": "", "zone": "Europe/Berlin"}
        found = auditor.client.post(reverse(SEARCH), asked)
        assert found["Location"] == f"{reverse(LOG)}?actor=kim&type=note.added"
        refused = auditor.client.post(reverse(SEARCH), {"actor": CARD_NUMBER})
        assert refused["Location"] == reverse(LOG)
        assert "nothing was searched, stored or logged" in auditor.read(reverse(LOG))

    def test_is_not_for_whoever_may_only_read_timelines(self, support: Staff) -> None:
        user = User.objects.get(username="kim")
        user.user_permissions.add(Permission.objects.get(codename="view_event"))
        assert support.client.get(reverse(LOG)).status_code == 403
        assert reverse(LOG) not in support.client.get("/admin/").content.decode()

    def test_is_in_the_menu_of_those_who_may_see_it(self, auditor: Staff) -> None:
        assert reverse(LOG) in auditor.client.get("/admin/").content.decode()

    def test_knows_no_other_lookup(self, auditor: Staff) -> None:
        response = auditor.client.get(reverse(LOG), {"evidence__from": "192.0.2.7"})
        assert response.status_code in (302, 400)


# Events of payments, and what staff did among them.
PAYMENTS = 2_000
ACTIONS = """
    INSERT INTO payments_event (type, at, actor, request_id, evidence)
    SELECT (ARRAY['note.added', 'operation.assigned', 'payments.exported'])[1 + n % 3],
        timestamptz '2025-01-01 00:00Z' + n * interval '1 hour', 'staff:' || n % 50, '', '{}'
    FROM generate_series(1, 500) AS n
"""


@pytest.fixture(scope="module")
def generated(django_db_setup: None, django_db_blocker: Any) -> Any:
    """Once for this file."""
    with django_db_blocker.unblock(), rolled_back(PAYMENTS), connection.cursor() as cursor:
        cursor.execute(ACTIONS)
        cursor.execute("ANALYZE payments_event")
        yield


@pytest.mark.usefixtures("generated")
class TestAmongTheEventsOfManyPayments:
    @pytest.mark.parametrize(
        ("query", "index", "found"),
        [
            ({}, "event_of_staff_newest", 500),
            ({"p": 2}, "event_of_staff_newest", 500),
            ({"actor": "7"}, "event_of_staff_newest", 10),
            ({"actor": "nobody"}, "event_of_staff_newest", 0),
            ({"type": "note.added"}, "event_of_staff_newest", 166),
            ({"day": "2025-01-07"}, "event_of_staff_newest", 24),
            ({"actor": "7", "day": "2025-01-07"}, "event_of_staff_newest", 1),
        ],
        ids=str,
    )
    def test_every_question_has_its_index(
        self, auditor: Staff, query: dict[str, Any], index: str, found: int
    ) -> None:
        with recorded() as seen:
            response = auditor.client.get(reverse(LOG), query)
        assert response.context["cl"].result_count == found
        plans = plans_of(seen.statements)
        assert not plans.scans
        assert index in plans.indexes, plans
