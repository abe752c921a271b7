"""The end of a soak: what must hold between the receipts, what clients were told, and the banks' ledgers."""

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
from tests.adversity.model.books import Books, asked_once
from tests.adversity.soak.disturbances import ORDERS_SENT_TWICE
from tests.adversity.soak.tally import Tally, listed
from tests.support.bank_books import disagreements, stray_holds, uncounted_strays
from tests.support.gateway_server import PROJECT
from tests.support.simulated_acquirer import Decision, SimulatedAcquirer
from tests.support.simulated_bank import SimulatedBank

EVIDENCE = PROJECT / "var" / "soak"
_AFTER = {"capture": "CAPTURED", "void": "VOIDED", "refund": "REFUNDED"}
_TOLD_OF_RECOVERY = ("recovery_passes_over", "recovery_failed", "reply_put_down", "late_reply_adopted")
_TOLD_OF_RECOVERY += ("reply_not_recorded", "orphan_reply_filed", "database_away", "look_failed")


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


def is_anything_open() -> bool:
    """Whether recovery has anything left to settle."""
    return Operation.objects.filter(state="OPEN").exists()


def close(bank: SimulatedBank, acquirer: SimulatedAcquirer, tally: Tally, logs: Sequence[Path]) -> int:
    """Print what was done and found; 1 if money was lost or doubled, or a rule of the books is broken."""
    bank.wait_until_idle(seconds=60)
    acquirer.wait_until_idle(seconds=60)
    tally.injected["bank answers 500"] = sum(seen.status == 500 for seen in bank.requests())
    tally.injected["acquirer answers 503"] = sum(seen.status == 503 for seen in acquirer.requests())
    strays, decisions = stray_holds(bank), acquirer.decisions()
    wrong = disagreements(bank) + Books(bank.ledger()).money() + asked_once(decisions)
    lost = _lost(tally) + _lost_at_acquirer(decisions)
    stuck = _stuck(bank)
    broken = [f"{one.rule}: {one.subject}: {one.detail}" for one in violations()]
    for line in (*tally.wrong, *lost, *wrong, *stuck, *broken):
        print(f"  {line}")
    print("Disturbances:", listed(tally.injected))
    print("Shoppers got:", listed(tally.answers), f"and {tally.unfinished} no final response")
    _print_recovery(logs)
    _print_bank("ficmart", sum(entry.type == "AUTH_HOLD" for entry in bank.ledger()))
    _print_bank("acquirer", sum(decision.authorized for decision in decisions))
    print(f"In doubt, and not in the review queue: {len(stuck)}")
    print(f"Lost: {len(lost)}")
    awaited = Operation.objects.aggregate(all=Sum("strays_awaited"))["all"] or 0
    print(f"Doubled or disagreeing: {len(wrong)}")
    print(f"Strays: {len(strays)} holds that no receipt names, {awaited} awaited of the statement")
    print(f"Not counted: {len(uncounted_strays(strays))} keys with more strays than their operations await")
    print(f"Audit: {len(broken)} violations; {len(tally.wrong)} wrong answers")
    is_well = not (lost or wrong or stuck or broken or tally.wrong)
    if not is_well:
        _keep_evidence(bank, acquirer, logs)
    return 0 if is_well else 1


def _print_bank(name: str, held: int) -> None:
    states = Counter(Payment.objects.filter(bank=name).values_list("state", flat=True))
    unfinished = Operation.objects.filter(bank=name, state__in=["OPEN", "NEEDS_REVIEW"])
    doubts = Counter(f"{one.kind} {one.state}" for one in unfinished)
    print(f"Payments at {name}: {listed(states)}; {held} authorized there; still in doubt: {listed(doubts)}")


def _keep_evidence(bank: SimulatedBank, acquirer: SimulatedAcquirer, logs: Sequence[Path]) -> None:
    """The logs, our rows and the banks': databases and logs of a soak end with it."""
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    for log in logs:
        shutil.copy(log, EVIDENCE)
    for rows in (Payment, Operation, Attempt, Event, Discrepancy):
        path = EVIDENCE / f"{rows.__name__.lower()}s.json"
        path.write_text(serializers.serialize("json", rows.objects.all(), indent=1))
    kept: dict[str, Sequence[object]] = {
        "bank_ledger": bank.ledger(),
        "bank_requests": bank.requests(),
        "acquirer_decisions": acquirer.decisions(),
        "acquirer_requests": acquirer.requests(),
    }
    for name, found in kept.items():
        path = EVIDENCE / f"{name}.json"
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
                # Without the request's path, and a traceback.
                told = name.partition("\n")[0].partition(": /")[0]
                events[f"{told} (error)"] += 1
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


def _lost_at_acquirer(decisions: list[Decision]) -> list[str]:
    """Authorizations that no payment names and no review is about."""
    ours = Payment.objects.filter(bank="acquirer")
    named = set(ours.values_list("bank_authorization_id", flat=True))
    reviewed = Operation.objects.filter(bank="acquirer", state="NEEDS_REVIEW")
    looked_for = set(reviewed.values_list("amount_minor", flat=True))
    return [
        f"{one} is named by no payment and under no review"
        for one in decisions
        if one.authorized and one.authorization_code not in named and one.amount not in looked_for
    ]


def _stuck(bank: SimulatedBank) -> list[str]:
    """Doubts that are still OPEN, and reviews without an open case that names the bank's silence."""
    found = [f"{one} is still OPEN" for one in Operation.objects.filter(state="OPEN")]
    return found + Books(bank.ledger()).unnamed_reviews(contradicting=False)
