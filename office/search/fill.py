"""Writes payments into the search's tables. Idempotent."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection

from office.search.words import WORDS_OF_PAYMENT

# The ids as rows: an array would be scanned for each row of a table.
_ASKED = "WITH asked AS (SELECT unnest(%(payments)s::uuid[]) AS id)"
_PAYMENTS = f"""
    {_ASKED}
    INSERT INTO office_foundpayment AS found (
        id, merchant_id, mode, order_id, customer_id, amount_minor, captured_minor, currency, state,
        decline_code, card_last4, email, words, created_at, authorized_at, captured_at
    )
    SELECT p.id, p.merchant_id, p.mode, p.order_id, p.customer_id, p.amount_minor, p.captured_minor,
        p.currency, p.state, p.decline_code, p.card_last4, lower(p.customer_email), {WORDS_OF_PAYMENT},
        p.created_at, p.authorized_at, p.captured_at
    FROM asked JOIN payments_payment p ON p.id = asked.id
    ON CONFLICT (id) DO UPDATE SET (
        merchant_id, mode, order_id, customer_id, amount_minor, captured_minor, currency, state,
        decline_code, card_last4, email, words, created_at, authorized_at, captured_at
    ) = (
        excluded.merchant_id, excluded.mode, excluded.order_id, excluded.customer_id, excluded.amount_minor,
        excluded.captured_minor, excluded.currency, excluded.state, excluded.decline_code,
        excluded.card_last4, excluded.email, excluded.words, excluded.created_at, excluded.authorized_at,
        excluded.captured_at
    ) WHERE found.* IS DISTINCT FROM excluded.*
"""  # noqa: S608 - only constants
_NAMES = f"""
    {_ASKED}
    INSERT INTO office_foundname (name, payment_id)
    SELECT name, payment_id FROM (
        SELECT p.id AS payment_id, unnest(
            ARRAY[p.bank_authorization_id, p.bank_capture_id, p.bank_void_id, p.bank_refund_id]
        ) AS name
        FROM asked JOIN payments_payment p ON p.id = asked.id
        UNION
        SELECT o.payment_id, unnest(ARRAY[o.bank_reference, o.request_id])
        FROM asked JOIN payments_operation o ON o.payment_id = asked.id
        UNION
        SELECT o.payment_id, a.bank_reference
        FROM asked JOIN payments_operation o ON o.payment_id = asked.id
        JOIN payments_attempt a ON a.operation_id = o.id
    ) AS names WHERE name <> ''
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - only constants


def fill(payments: Collection[UUID]) -> None:
    """Write the current values of these payments."""
    if not payments:
        return
    with connection.cursor() as cursor:
        for statement in (_PAYMENTS, _NAMES):
            cursor.execute(statement, {"payments": list(payments)})
