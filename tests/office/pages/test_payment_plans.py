"""No search and no filter reads a large table whole, as PostgreSQL plans it for rows there are.

Plans, never times: `make admin-benchmark` measures those, on a million payments.
"""

from typing import Any

import pytest
from django.urls import reverse

from tests.benchmarks.generated import rolled_back
from tests.benchmarks.plans import Plans, plans_of, questions, recorded
from tests.office.pages.conftest import LIST, Staff

PAYMENTS = 10_000  # with fewer, another index is as good for some questions
NOTHING = (
    "what nobody has",
    "small merchant, test",
    "common words, never together",
    "common card and rare amount",
)
INDEXES = [
    ("the list", "found_newest"),
    ("payment id", "office_foundpayment_pkey"),
    ("operation id", "payments_operation_pkey"),
    ("order", "found_order"),
    ("customer", "found_customer"),
    ("beginning of a payment id", "office_foundpayment_pkey"),
    ("beginning of an operation id", "payments_operation_pkey"),
    ("beginning of an order", "found_order"),
    ("email", "found_email"),
    ("word", "found_words"),
    ("common words, never together", "found_words"),
    ("value of metadata", "found_words"),
    ("captured on a day", "found_captured_when"),
    ("bank reference", "office_foundname_pkey"),
    ("bank reference without prefix", "office_foundname_pkey"),
    ("reference only a release has", "operation_by_target"),
    ("reference only an attempt has", "attempt_late"),
    ("reference only a release has", "payments_operation_payment_id_"),
    ("idempotency key", "idempotency_key_claimed_once"),
    ("request id", "office_foundname_pkey"),
    ("request id of a replay", "api_request_search"),
    ("last four, or cents", "found_last4"),
    ("amount", "found_amount"),
    ("state FAILED", "found_state"),
    ("mode test", "found_mode"),
    ("small merchant", "found_merchant"),
    ("in doubt", "operation_due"),
    ("needs review", "operation_unsettled"),
    ("awaiting statement", "operation_unsettled"),
]


@pytest.fixture(scope="module")
def generated(django_db_setup: None, django_db_blocker: Any) -> Any:
    """Once for this file."""
    with django_db_blocker.unblock(), rolled_back(PAYMENTS):
        yield


@pytest.mark.usefixtures("generated")
class TestEveryQuestion:
    def plans(self, staff: Staff, query: dict[str, Any]) -> tuple[Plans, int]:
        staff.client.is_followed = False  # made once, with the payments
        with recorded() as seen:
            response = staff.client.get(reverse(LIST), query)
        assert response.status_code == 200
        return plans_of(seen.statements), response.context["cl"].result_count

    def test_is_answered_by_an_index_and_without_reading_a_table_whole(self, superuser: Staff) -> None:
        asked = questions()
        assert {what for what, _ in INDEXES} <= set(asked)
        for what, query in asked.items():
            plans, found = self.plans(superuser, query)
            assert not plans.scans, what
            assert (found == 0) == (what in NOTHING), what
            for wanted in [index for about, index in INDEXES if about == what]:
                assert any(name.startswith(wanted) for name in plans.indexes), (what, wanted, plans)
