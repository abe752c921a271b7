"""Who looks after a case of the review queue: taken, given back, taken over by a lead; and what waits."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from django.urls import reverse

from office.cases import assignments
from office.cases.assignments import AlreadyAssigned
from office.log.staff import Staff
from payments.domain.states import OperationKind
from payments.models import Assignment, Event, Operation, Resolution
from tests.office.decisions.cases import member
from tests.office.decisions.members import QUEUE, Member
from tests.office.pages.conftest import text_of
from tests.support.at_once import at_once
from tests.support.factories import OperationFactory, PaymentFactory
from tests.support.unguarded import unguarded


@pytest.fixture
def operation(transactional_db: None) -> Operation:
    payment = PaymentFactory(authorized=True, order_id="order-7")
    return OperationFactory(payment=payment, kind=OperationKind.CAPTURE, needs_review=True)


@pytest.fixture
def kim(transactional_db: None) -> Member:
    return Member("kim", "resolve_operation", "view_staff_log")


@pytest.fixture
def lee(transactional_db: None) -> Member:
    return Member("lee", "resolve_operation", "approve_resolution")


def press(somebody: Member, button: str, operation: Operation) -> str:
    """What the next page shows."""
    address = reverse(f"admin:payments_{button}", args=[operation.pk])
    answer = somebody.client.post(address, follow=True)
    assert answer.status_code == 200, answer
    return text_of(answer.content.decode())


TAKEN, GIVEN_BACK = Event.Type.OPERATION_ASSIGNED, Event.Type.OPERATION_GIVEN_BACK


def logged() -> list[tuple[str, ...]]:
    """What was done, by whom, and from whom it was taken."""
    events = Event.objects.filter(type__in=[TAKEN, GIVEN_BACK]).order_by("id")
    return [
        (one.type, one.actor, *([one.evidence["taken_from"]] if "taken_from" in one.evidence else []))
        for one in events
    ]


class TestACase:
    def test_is_taken_and_given_back_and_each_is_offered_in_its_turn(
        self, operation: Operation, kim: Member
    ) -> None:
        assert "none Take Ask" in kim.read(QUEUE)
        taken = press(kim, "take", operation)
        assert f"You now own the capture of {operation.payment}." in taken
        assert "kim Give back Ask" in taken
        assert "Take" not in taken
        given_back = press(kim, "give_back", operation)
        assert f"You no longer own the capture of {operation.payment}." in given_back
        assert "none Take Ask" in given_back
        assert logged() == [(TAKEN, "staff:kim"), (GIVEN_BACK, "staff:kim")]

    def test_stands_in_the_log_and_on_the_timeline_as_what_it_was(
        self, operation: Operation, kim: Member
    ) -> None:
        press(kim, "take", operation)
        press(kim, "give_back", operation)
        log = kim.read("admin:payments_event_changelist")
        assert f"kim user {kim.user.pk} Took a case order-7" in log
        assert f"kim user {kim.user.pk} Gave back a case order-7" in log
        timeline = kim.read("admin:payments_payment_change", operation.payment_id)
        assert timeline.index("Took a case Operation capture") < timeline.index("Gave back a case Operation")

    def test_of_another_is_not_taken(self, operation: Operation, kim: Member, lee: Member) -> None:
        press(lee, "take", operation)
        shown = kim.read(QUEUE)
        assert "lee Ask" in shown
        refused = press(kim, "take", operation)  # from a page that is older
        assert f"Nothing changed: the capture of {operation.payment} is assigned to lee." in refused
        refused = press(kim, "give_back", operation)
        assert f"Nothing changed: you did not own the capture of {operation.payment}." in refused
        assert Assignment.objects.get().owner == lee.user
        assert logged() == [(TAKEN, "staff:lee")]

    def test_of_another_is_taken_over_by_a_lead(self, operation: Operation, kim: Member, lee: Member) -> None:
        press(kim, "take", operation)
        assert "kim Take over Ask" in lee.read(QUEUE)
        assert "lee Give back Ask" in press(lee, "take_over", operation)
        assert logged() == [(TAKEN, "staff:kim"), (TAKEN, "staff:lee", "kim")]
        assert "Took a case Taken over from: kim" in kim.read("admin:payments_event_changelist")

    def test_is_taken_over_by_nobody_who_may_not_approve(
        self, operation: Operation, kim: Member, lee: Member
    ) -> None:
        press(lee, "take", operation)
        address = reverse("admin:payments_take_over", args=[operation.pk])
        assert kim.client.post(address).status_code == 403
        assert Assignment.objects.get().owner == lee.user

    def test_that_one_has_is_taken_again_without_a_second_line(
        self, operation: Operation, kim: Member, lee: Member
    ) -> None:
        for button in ("take", "take", "take_over"):
            press(lee, button, operation)
        assert logged() == [(TAKEN, "staff:lee")]
        press(lee, "give_back", operation)
        press(lee, "take_over", operation)  # which nobody has meanwhile
        assert logged()[1:] == [(GIVEN_BACK, "staff:lee"), (TAKEN, "staff:lee")]

    def test_is_taken_by_one_of_two_at_the_same_moment(self, operation: Operation) -> None:
        def take(staff: Staff) -> str:
            try:
                assignments.take(staff, operation)
            except AlreadyAssigned as by:
                return f"{by} looks after it"
            return "taken"

        kim, lee = member("kim"), member("lee")
        for _ in range(10):
            said = at_once(lambda: take(kim), lambda: take(lee))
            owner = Assignment.objects.get().owner.get_username()
            assert sorted(said) == sorted(["taken", f"{owner} looks after it"])
            Assignment.objects.all().delete()
        assert len(logged()) == 10

    def test_is_taken_and_given_back_in_a_storm_without_an_accident(self, operation: Operation) -> None:
        kim, lee = member("kim"), member("lee")

        def often(act: Callable[[Staff, Operation], object], staff: Staff) -> str:
            for _ in range(60):
                with suppress(AlreadyAssigned):
                    act(staff, operation)
            return "done"

        steps = [
            *((assignments.take, kim), (assignments.give_back, kim), (assignments.take, lee)),
            *((assignments.take_over, lee), (assignments.give_back, lee)),
        ]
        assert at_once(*(partial(often, act, staff) for act, staff in steps)) == ["done"] * len(steps)


class TestWhatWaitsForApproval:
    def test_is_marked_in_its_row_and_leads_to_where_it_is_decided(
        self, operation: Operation, kim: Member, lee: Member
    ) -> None:
        assert "waiting for approval" not in lee.read(QUEUE)
        proposed = Resolution.objects.create(
            kind=Resolution.Kind.RECORD_NOT_EXECUTED,
            payment=operation.payment,
            operation=operation,
            bank="ficmart",
            amount_minor=5000,
            currency="USD",
            reason="they wrote",
            proposed_by=kim.user,
            needs_second=True,
        )
        page = lee.client.get(reverse(QUEUE)).content.decode()
        assert "capture NEEDS_REVIEW waiting for approval order-7" in text_of(page)
        assert f'href="#proposal-{proposed.pk}"' in page
        row = page.partition(f'<tr id="proposal-{proposed.pk}">')[2].partition("</tr>")[0]
        assert reverse("admin:payments_approve", args=[proposed.pk]) in row
        with unguarded():
            Resolution.objects.update(state=Resolution.State.REFUSED)
        assert "waiting for approval" not in lee.read(QUEUE)
