"""Payments by the million, with their operations, attempts, events and idempotency keys, made by SQL alone.

What the back office searches for is made from a payment's number, so that a reader can ask for it. A few
values are shared by many, as in life: every fifth payment is a guest's, costs $50.00, ends in 1111
and is for shoes.
Triggers and foreign keys are switched off while rows are made; checks and unique indexes are not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from office.search.fill import fill
from payments.domain.patience import patient
from payments.models import Merchant
from tests.support.factories import MerchantFactory
from tests.support.unguarded import unguarded

TABLES = (
    *(
        f"payments_{name}"
        for name in ("payment", "operation", "attempt", "event", "idempotencykey", "apirequest")
    ),
    *("office_foundpayment", "office_foundname"),
)
_FOUND_AT_ONCE = 50_000
SLUGS = ("large", "small")  # one payment in a thousand is the small one's


def made_id(what: str, number: int) -> UUID:
    """The id that the SQL below gives to the thing of that payment."""
    return UUID(md5(f"{what}{number}".encode(), usedforsecurity=False).hexdigest())


def make_merchants() -> list[Merchant]:
    return [MerchantFactory(slug=slug, name=slug.capitalize()) for slug in SLUGS]


def make_payments(first: int, last: int) -> None:
    """The payments of these numbers, 30 seconds after each other since 2025, and what belongs to them."""
    large, small = make_merchants()
    values = {"first": first, "last": last, "large": large.pk, "small": small.pk}
    with patient(), unguarded(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        for statement in (_PAYMENTS, _OPERATIONS):
            cursor.execute(statement, values)
        # What was known of nearly empty tables makes the joins below loop over whole ones, for minutes.
        cursor.execute("ANALYZE payments_payment, payments_operation")
        for statement in (_ATTEMPTS, _EVENTS, _KEYS, _REQUESTS):
            cursor.execute(statement, values)
        cursor.execute("ANALYZE payments_attempt")
        for start in range(first, last + 1, _FOUND_AT_ONCE):
            fill([made_id("payment", n) for n in range(start, min(last + 1, start + _FOUND_AT_ONCE))])


def analyze(*, vacuum: bool = True) -> None:
    """As autovacuum does in time; VACUUM cannot run inside a transaction."""
    with _unhurried() as cursor:
        for table in TABLES:
            cursor.execute(f"{'VACUUM ' if vacuum else ''}ANALYZE {table}")


@contextmanager
def _unhurried() -> Iterator[Any]:
    """A cursor without time-outs: rows are many, and autovacuum keeps a table until it sees others wait."""
    with patient(), connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        yield cursor
        cursor.execute("RESET statement_timeout; RESET lock_timeout")


@contextmanager
def rolled_back(payments: int) -> Iterator[None]:
    """So many payments, known to the planner, which shall prefer indexes: for as long as the block lasts."""
    with transaction.atomic(), connection.cursor() as cursor:
        make_payments(1, payments)
        analyze(vacuum=False)
        # What one row in five has is cheapest read whole in a table this small. The question is whether there
        # is another way, which a large one needs.
        cursor.execute("SET LOCAL enable_seqscan = off")
        yield
        transaction.set_rollback(True)
    analyze()  # or every later test would read the pages of rows that never were


@contextmanager
def without_indexes() -> Iterator[None]:
    """Drop the indexes that no constraint owns, and make them anew: quicker than filling them row by row."""
    indexes = _indexes()
    with connection.cursor() as cursor:
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
    yield
    with _unhurried() as cursor:
        for _, definition in indexes:
            cursor.execute(definition)


def _indexes() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT indexname, indexdef FROM pg_indexes
            WHERE tablename = ANY (%s)
              AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)
            """,
            [list(TABLES)],
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


_STATE = """
    CASE WHEN k < 700 THEN 'CAPTURED' WHEN k < 780 THEN 'REFUNDED' WHEN k < 860 THEN 'VOIDED'
         WHEN k < 940 THEN 'DECLINED' WHEN k < 980 THEN 'AUTHORIZED' WHEN k < 990 THEN 'EXPIRED'
         WHEN k < 999 THEN 'FAILED' ELSE 'PENDING' END
"""
# All payments of the statement, with their number n, state and time.
_THESE = f"""
    WITH numbered AS (
        SELECT n, n * 7919 %% 1000 AS k, timestamptz '2025-01-01 00:00Z' + n * interval '30 s' AS at
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    ), these AS (
        SELECT n, at, {_STATE} AS state, md5('payment' || n)::uuid AS payment FROM numbered
    )
"""
_AMOUNT = "CASE WHEN n %% 5 = 0 THEN 5000 ELSE 100 + n * 7919 %% 100000 END"
_HELD = "state IN ('AUTHORIZED', 'CAPTURED', 'REFUNDED', 'VOIDED', 'EXPIRED')"
_TAKEN = "state IN ('CAPTURED', 'REFUNDED')"

_PAYMENTS = f"""
    {_THESE}
    INSERT INTO payments_payment (
        id, merchant_id, mode, bank, order_id, customer_id, amount_minor, currency, state,
        captured_minor, refunded_minor,
        card_brand, card_last4, card_expiry_month, card_expiry_year, description, customer_email, metadata,
        bank_authorization_id, bank_capture_id, bank_void_id, bank_refund_id, decline_code, created_at,
        authorization_expires_at, authorized_at, captured_at, refunded_at, voided_at, expired_at,
        declined_at, failed_at
    )
    SELECT payment,
        CASE WHEN n %% 1000 = 4 THEN %(small)s ELSE %(large)s END,
        CASE WHEN n %% 50 = 2 THEN 'test' ELSE 'live' END,
        'ficmart', 'order-' || n,
        CASE WHEN n %% 5 = 0 THEN 'guest' ELSE 'customer-' || n * 7919 %% 200000 END,
        {_AMOUNT}, 'USD', state,
        CASE WHEN {_TAKEN} THEN {_AMOUNT} ELSE 0 END, CASE WHEN state = 'REFUNDED' THEN {_AMOUNT} ELSE 0 END,
        'visa', CASE WHEN n %% 5 = 0 THEN '1111' ELSE lpad((n * 7919 %% 10000)::text, 4, '0') END, 12, 2030,
        CASE WHEN n %% 5 = 0 THEN 'Shoes' ELSE 'Mug ' || n * 7919 %% 100000 END,
        CASE WHEN n %% 5 = 0 THEN 'guest@example.org' ELSE 'Kim-' || n || '@example.org' END,
        jsonb_build_object('invoice', 'inv' || n),
        CASE WHEN {_HELD} THEN 'auth_' || md5('auth' || n)::uuid ELSE '' END,
        CASE WHEN {_TAKEN} THEN 'cap_' || md5('cap' || n)::uuid ELSE '' END,
        CASE WHEN state = 'VOIDED' THEN 'void_' || md5('void' || n)::uuid ELSE '' END,
        CASE WHEN state = 'REFUNDED' THEN 'ref_' || md5('ref' || n)::uuid ELSE '' END,
        CASE WHEN state = 'DECLINED' THEN 'insufficient_funds' ELSE '' END,
        at,
        CASE WHEN {_HELD} THEN at + interval '7 days' END,
        CASE WHEN {_HELD} THEN at END,
        CASE WHEN {_TAKEN} THEN at END,
        CASE WHEN state = 'REFUNDED' THEN at END,
        CASE WHEN state = 'VOIDED' THEN at END,
        CASE WHEN state = 'EXPIRED' THEN at END,
        CASE WHEN state = 'DECLINED' THEN at END,
        CASE WHEN state = 'FAILED' THEN at END
    FROM these
"""

# An authorize each, and what came after it. One in a thousand has a release of a hold that came too late.
_OPERATIONS = f"""
    {_THESE}, instructed AS (
        SELECT n, at, payment, 'authorize' AS kind, '' AS target, 'auth' AS made,
            CASE WHEN {_HELD} THEN 'SUCCEEDED' WHEN state = 'DECLINED' THEN 'DECLINED'
                 WHEN state = 'FAILED' THEN 'NOT_EXECUTED'
                 WHEN n %% 2000 < 1000 THEN 'OPEN' ELSE 'NEEDS_REVIEW' END AS state
        FROM these
        UNION ALL
        SELECT n, at, payment, 'capture', 'auth_' || md5('auth' || n)::uuid, 'cap', 'SUCCEEDED'
        FROM these WHERE {_TAKEN}
        UNION ALL
        SELECT n, at, payment, 'void', 'auth_' || md5('auth' || n)::uuid, 'void', 'SUCCEEDED'
        FROM these WHERE state = 'VOIDED'
        UNION ALL
        SELECT n, at, payment, 'refund', 'cap_' || md5('cap' || n)::uuid, 'ref', 'SUCCEEDED'
        FROM these WHERE state = 'REFUNDED'
        UNION ALL
        SELECT n, at, payment, 'release', 'auth_' || md5('late' || n)::uuid, 'freed', 'SUCCEEDED'
        FROM these WHERE n %% 1000 = 3
    )
    INSERT INTO payments_operation (
        id, payment_id, kind, bank, amount_minor, currency, target_reference, bank_idempotency_key, ordinal,
        state, lease_epoch, lease_expires_at, bank_reference, outcome_code, strays_awaited, actor,
        request_id, reason, created_at, finished_at
    )
    SELECT md5(kind || n)::uuid, payment, kind, 'ficmart', 5000, 'USD', target, md5(kind || 'key' || n), 0,
        state, 1, at + interval '45 s',
        CASE WHEN state <> 'SUCCEEDED' THEN ''
             ELSE CASE kind WHEN 'release' THEN 'void' ELSE made END || '_' || md5(made || n)::uuid END,
        CASE state WHEN 'DECLINED' THEN 'insufficient_funds' WHEN 'NOT_EXECUTED' THEN 'no_trace' ELSE '' END,
        (kind = 'authorize' AND n %% 200 = 4 AND state <> 'OPEN')::int, 'api_key:1',
        'request-' || kind || '-' || n, '', at,
        CASE WHEN state NOT IN ('OPEN', 'NEEDS_REVIEW') THEN at END
    FROM instructed
"""

# One each, and a second one that brought a late hold where one was released.
_ATTEMPTS = """
    INSERT INTO payments_attempt (
        operation_id, number, epoch, started_at, ended_at, result, in_doubt, said, http_status, reply,
        bank_reference, is_replay, duration_ms, is_probe, verdict, is_late
    )
    SELECT o.id, 1, 1, o.created_at, o.created_at, 'answered', false, 'approved', 200, '200',
        o.bank_reference, false, 120, false, '', false
    FROM payments_operation o JOIN payments_payment p ON p.id = o.payment_id
    WHERE p.created_at BETWEEN timestamptz '2025-01-01 00:00Z' + %(first)s * interval '30 s'
                           AND timestamptz '2025-01-01 00:00Z' + %(last)s * interval '30 s'
    UNION ALL
    SELECT md5('authorize' || n)::uuid, 2, 1, now(), now(), 'answered', false, 'approved', 200, '200',
        'auth_' || md5('stray' || n)::uuid, false, 120, false, '', true
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n WHERE n %% 1000 = 3
"""

_EVENTS = """
    INSERT INTO payments_event (payment_id, operation_id, type, at, actor, request_id, evidence)
    SELECT o.payment_id, o.id, type, o.created_at, 'api_key:1', o.request_id, '{"attempt": 1}'
    FROM payments_operation o JOIN payments_payment p ON p.id = o.payment_id,
        LATERAL (VALUES ('payment.created'), ('payment.authorized')) AS types (type)
    WHERE p.created_at BETWEEN timestamptz '2025-01-01 00:00Z' + %(first)s * interval '30 s'
                           AND timestamptz '2025-01-01 00:00Z' + %(last)s * interval '30 s'
"""

_KEYS = """
    INSERT INTO payments_idempotencykey (
        merchant_id, mode, key, fingerprint, fingerprint_key_id, operation_id, bank_key_retired, created_at
    )
    SELECT p.merchant_id, p.mode, o.kind || '-' || p.order_id, md5(p.order_id), 'new', o.id, false,
        o.created_at
    FROM payments_operation o JOIN payments_payment p ON p.id = o.payment_id
    WHERE o.kind <> 'release'
      AND p.created_at BETWEEN timestamptz '2025-01-01 00:00Z' + %(first)s * interval '30 s'
                           AND timestamptz '2025-01-01 00:00Z' + %(last)s * interval '30 s'
"""

# One payment in ten was asked for again, and got the stored reply.
_REQUESTS = """
    INSERT INTO payments_apirequest (
        payment_id, operation_id, kind, actor, request_id, status, code, is_replay, responded_at
    )
    SELECT md5('payment' || n)::uuid, md5('authorize' || n)::uuid, 'authorize', 'api_key:1',
        'replay-' || n, 201, '', true, timestamptz '2025-01-01 00:00Z' + n * interval '30 s'
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n WHERE n %% 10 = 0
"""
