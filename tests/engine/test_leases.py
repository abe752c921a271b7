"""Taking over operations whose lease has expired."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection

from payments.engine import leases
from tests.settings import POSTGRES
from tests.support.factories import OperationFactory
from tests.support.time_travel import let_pass


@pytest.mark.usefixtures("transactional_db")
class TestAnOperationThatAnotherTransactionHasLocked:
    def test_is_passed_over_at_once_and_the_next_one_is_taken(self) -> None:
        first = OperationFactory(kind="capture")
        let_pass(timedelta(minutes=1))
        second = OperationFactory(kind="capture")
        let_pass(timedelta(minutes=1))
        with psycopg.connect(POSTGRES.url(connection.settings_dict["NAME"])) as other:
            other.execute("SELECT FROM payments_operation WHERE id = %s FOR UPDATE", [first.pk])
            taken = leases.take_due()
            assert taken is not None
            assert taken.operation_id == second.pk
            assert leases.take_for_recovery(first.pk) is None
            other.rollback()
        taken = leases.take_due()
        assert taken is not None
        assert taken.operation_id == first.pk
