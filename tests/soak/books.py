"""The end of a soak: what must hold between the receipts, what clients were told, and the bank's ledger."""

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from django.core import serializers
from django.db.models import Sum

from payments.domain.timing import SILENT_ATTEMPTS_WITH_CARD
from payments.models import Attempt, Discrepancy, Event, Operation, Payment
from payments.models.clock import ClockTimestamp
from payments.usecases import heartbeats
from reconciliation.services.audit import violations
from tests.bank_books import disagreements, stray_holds, uncounted_strays
from tests.gateway_server import PROJECT
from tests.model.books import Books
from tests.simulated_bank import SimulatedBank
from tests.soak.disturbances import ORDERS_SENT_TWICE
from tests.soak.tally import Tally, listed

EVIDENCE = PROJECT / "var" / "soak"
_AFTER = {"capture": "CAPTURED", "void": "VOIDED", "refund": "REFUNDED"}
_TOLD_OF_RECOVERY = ("recovery_passes_over", "recovery_failed", "answer_put_down", "late_answer_adopted")
_TOLD_OF_RECOVERY += ("answer_not_recorded", "orphan_answer_filed", "database_away", "look_failed")


def may_settle_soon() -> bool:
    """Whether anything is unfinished that minutes of peace can settle.

    Not an authorize whose card must not be sent again: two probes, ten minutes apart, end its doubt.
    """
    open_ones = Operation.objects.filter(state="OPEN").annotate(now=ClockTimestamp())
    return any(
        one.kind != "authorize"
        or one.lease_expires_at > vars(one)["now"]
        or one.silent_attempts < SILENT_ATTEMPTS_WITH_CARD
        for one in open_ones.prefetch_related("attempts")
    )


def close(bank: SimulatedBank, tally: Tally, logs: Sequence[Path]) -> int:
    """Print what was done and found; 1 if money was lost or doubled, or a rule of the books is broken."""
    bank.wait_until_idle(seconds=60)
    tally.injected["bank answers 500"] = sum(seen.status == 500 for seen in bank.requests())
    strays = stray_holds(bank)
    wrong = disagreements(bank) + Books(bank.ledger()).money()
    lost = _lost(tally)
    broken = [f"{one.rule}: {one.subject}: {one.detail}" for one in violations()]
    for line in (*tally.wrong, *lost, *wrong, *broken):
        print(f"  {line}")
    print("Disturbances:", listed(tally.injected))
    print("Shoppers got:", listed(tally.answers), f"and {tally.unfinished} no final answer")
    _print_recovery(logs)
    states = Counter(Payment.objects.values_list("state", flat=True))
    held = sum(entry.type == "AUTH_HOLD" for entry in bank.ledger())
    print(f"Payments: {listed(states)}; {held} holds at the bank")
    unfinished = Operation.objects.filter(state__in=["OPEN", "NEEDS_REVIEW"])
    print("Still in doubt:", listed(Counter(f"{one.kind} {one.state}" for one in unfinished)))
    print(f"Lost: {len(lost)}")
    awaited = Operation.objects.aggregate(all=Sum("strays_awaited"))["all"] or 0
    print(f"Doubled or disagreeing: {len(wrong)}")
    print(f"Strays: {len(strays)} holds that no receipt names, {awaited} awaited of the statement")
    print(f"Not counted: {len(uncounted_strays(strays))} keys with more strays than their operations await")
    print(f"Audit: {len(broken)} violations; {len(tally.wrong)} wrong answers")
    is_well = not (lost or wrong or broken or tally.wrong)
    if not is_well:
        _keep_evidence(bank, logs)
    return 0 if is_well else 1


def _keep_evidence(bank: SimulatedBank, logs: Sequence[Path]) -> None:
    """The logs, our rows and the bank's: databases and logs of a soak end with it."""
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    for log in logs:
        shutil.copy(log, EVIDENCE)
    for rows in (Payment, Operation, Attempt, Event, Discrepancy):
        path = EVIDENCE / f"{rows.__name__.lower()}s.json"
        path.write_text(serializers.serialize("json", rows.objects.all(), indent=1))
    for name, found in (("ledger", bank.ledger()), ("requests", bank.requests())):
        path = EVIDENCE / f"bank_{name}.json"
        path.write_text(json.dumps([vars(one) for one in found], default=str, indent=1))
    print(f"Logs and rows are kept in {EVIDENCE}")


def _print_recovery(logs: Sequence[Path]) -> None:
    """Which operations recovery passed over, and what else the processes' logs tell of it."""
    events: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if not isinstance(event, dict):
                continue
            name = str(event.get("event"))
            if name in _TOLD_OF_RECOVERY:
                events[name] += 1
            elif event.get("level") in ("error", "critical"):
                events[f"{name.partition(': /')[0]} (error)"] += 1  # without the request's path
            if name in ("recovery_passes_over", "recovery_failed"):
                passed[str(event.get("operation"))] += 1
    print(
        "Recovery passed over:", ", ".join(f"{one} {times} times" for one, times in passed.items()) or "none"
    )
    print("Its heartbeat says now:", heartbeats.passed_over() or "none")
    print("The logs tell of:", listed(events))


def _lost(tally: Tally) -> list[str]:
    """What a client was told for certain and is not so any more, and what was done that was refused."""
    payments = {payment.public_id: payment for payment in Payment.objects.all()}
    found = []
    for payment_id, receipt in tally.told.items():
        later = {_AFTER[verb] for verb in tally.unanswered.get(payment_id, ())}
        state = payments[payment_id].state if payment_id in payments else "missing"
        if state not in {receipt["state"], *later}:
            found.append(f"{payment_id}: told {receipt['state']}, is {state}")
    refused = Payment.objects.filter(order_id__startswith=ORDERS_SENT_TWICE)
    return found + [f"{one} was made by a request with two Idempotency-Key headers" for one in refused]
