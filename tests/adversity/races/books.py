"""What must be true of the bank's ledger and our receipts whenever nothing is under way any more."""

from collections import defaultdict

from payments.domain.states import PaymentState, since
from payments.models import Operation, Payment
from tests.support.bank_books import uncounted_strays
from tests.support.simulated_bank import LedgerEntry, SimulatedBank

_DONE_ONCE = {
    "CAPTURE": ("bank_capture_id", since(PaymentState.CAPTURED)),
    "VOID": ("bank_void_id", (PaymentState.VOIDED,)),
    "REFUND": ("bank_refund_id", (PaymentState.REFUNDED,)),
}


def assert_books_agree(bank: SimulatedBank) -> list[LedgerEntry]:
    """Everything at the bank stands on a receipt, once, and the other way round; nothing is in doubt.

    Returns the holds that no receipt claims: each awaits the statement, or the assertion fails.
    """
    bank.wait_until_idle()
    assert not Operation.objects.filter(state="OPEN").exists()
    ledger = bank.ledger()
    holds = {entry.id: entry for entry in ledger if entry.type == "AUTH_HOLD"}
    about: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for entry in ledger:
        about[entry.type, entry.reference_id].append(entry.id)

    claimed = set()
    for payment in Payment.objects.filter(mode="live"):
        if payment.bank_authorization_id:
            assert holds[payment.bank_authorization_id].amount == payment.amount_minor
            claimed.add(payment.bank_authorization_id)
        else:
            assert payment.state in ("DECLINED", "FAILED")
        _assert_done_once(payment, about)
    released = _released()
    for hold, reference in released.items():
        assert about["VOID", hold] == [reference]

    assert about["AUTH_HOLD", None] == list(holds)
    unclaimed = [entry for id_, entry in holds.items() if id_ not in claimed and id_ not in released]
    for entry in unclaimed:
        assert ("VOID", entry.id) not in about
        assert ("CAPTURE", entry.id) not in about
        operations = Operation.objects.filter(bank_idempotency_key=entry.idempotency_key)
        assert operations.filter(awaiting_statement=True).exists(), f"lost from sight: {entry}"
    assert uncounted_strays(unclaimed) == []
    assert set(bank.max_in_flight().values()) <= {1}
    return unclaimed


def _assert_done_once(payment: Payment, about: dict[tuple[str, str | None], list[str]]) -> None:
    for entry_type, (field, states) in _DONE_ONCE.items():
        done_to = payment.bank_capture_id if entry_type == "REFUND" else payment.bank_authorization_id
        if not done_to:
            continue
        done = list(about.get((entry_type, done_to), []))
        if entry_type == "VOID" and payment.state == PaymentState.EXPIRED:
            continue  # released: see above
        assert len(done) == (1 if payment.state in states else 0), (payment, payment.state, entry_type)
        named = getattr(payment, field)
        assert named in ("", *done)  # empty where the bank's word for it was lost
        operations = payment.operations.filter(kind=entry_type.lower(), state="SUCCEEDED")
        assert operations.count() == len(done)


def _released() -> dict[str, str]:
    """The voids of holds that nobody wanted any more, by hold."""
    releases = Operation.objects.filter(kind="release", state="SUCCEEDED")
    return dict(releases.values_list("target_reference", "bank_reference"))
