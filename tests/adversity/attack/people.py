"""Staff who decide about an operation, and what they are told of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from office.decisions import resolve
from office.decisions.carry_out import Resolved
from office.decisions.evidence import Evidence, Kind, Proposal
from office.log.staff import Staff
from payments.models import Operation, Payment
from payments.models.clock import read_clock
from payments.usecases.recovery import recover_due
from reconciliation.services.explain import what_now
from tests.adversity.doubts import MINUTES
from tests.conftest import wait_for_bank_threads
from tests.support.api_client import ApiClient
from tests.support.leases import WITHIN
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass


def by_the_banks_word(
    operation: Operation, kim: Staff, lee: Staff, kind: Kind = Kind.RECORD_NOT_EXECUTED
) -> Resolved:
    """One proposes and another approves, on what the bank is said to have written."""
    proposal = Proposal(
        kind,
        "as the bank wrote",
        operation=operation,
        seen_epoch=operation.lease_epoch,
        evidence=Evidence.BANK_WORD,
        quote="We have looked.",
    )
    proposed = resolve.propose(kim, proposal)
    assert not proposed.is_done
    return resolve.approve(lee, proposed.resolution.pk, reason="I have read it, too")


def the_only(kind: str) -> Operation:
    return Operation.objects.filter(kind=kind).latest("created_at")


def told(operation: Operation) -> str:
    payment = operation.claimed_payment
    payment = Payment.objects.get(pk=payment.pk)
    return what_now(payment, list(payment.operations.order_by("created_at")), read_clock())


def recovered(bank: SimulatedBank, times: int = 3) -> None:
    for _ in range(times):
        let_pass(5 * MINUTES, bank)
        recover_due(within=WITHIN)


@contextmanager
def held(live: ApiClient, bank: SimulatedBank, verb: str) -> Iterator[str]:
    """The verb's call hangs at the bank until the block ends, longer than its lease; the payment's order."""
    payment = live.captured() if verb == "refund" else live.authorized()
    bank.hold(f"{verb}s")  # type: ignore[arg-type]
    live.post(f"/payments/{payment['id']}/{verb}", key="k")
    bank.wait_until_held()
    let_pass(1 * MINUTES)
    yield payment["order_id"]
    bank.release()
    wait_for_bank_threads()
