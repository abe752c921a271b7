"""A payment's chain of evidence in sentences: what was sent, what the bank replied, and what happens next.

Written for people who must answer "why is this stuck?". Times are UTC, amounts in the currency's major unit.
"""

from datetime import UTC, datetime

from payments.domain.money import display
from payments.domain.outcomes import ReviewReason, Verdict
from payments.domain.replies import Said
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState, PaymentState
from payments.engine.abilities import abilities_of
from payments.models import Attempt, Discrepancy, Operation, Payment, standing_proposals
from payments.models.clock import read_clock
from payments.models.discrepancies import LATE_HOLD, LATE_REPLY, ORPHAN_REPLY

_NOT_KNOWN: dict[str, str] = {
    OperationKind.AUTHORIZE: "It is not known whether the money is held.",
    OperationKind.CAPTURE: "The capture needs review.",
    OperationKind.VOID: "The money was held. Staff must find out whether it still is.",
    OperationKind.REFUND: "The money was taken. Staff must find out whether it was refunded.",
    OperationKind.RELEASE: "Staff must find out whether a released hold still blocks the cardholder's money.",
}
_DOUBT: dict[str, str] = {
    OperationKind.AUTHORIZE: "It is not known yet whether the money is held.",
    OperationKind.CAPTURE: "The money is held. It is not known yet whether it was taken.",
    OperationKind.VOID: "It is not known yet whether the money is still held.",
    OperationKind.REFUND: "The money was taken. It is not known yet whether it was refunded.",
    OperationKind.RELEASE: "A hold still blocks the cardholder's money, as far as we know.",
}
_CONTRADICTED = (
    "The bank has executed the {kind}, but our books say it was not executed. Staff must settle this: "
    "instruct it again if that is possible, or contact the bank."
)
_ORPHANED = (
    "The bank has executed a {kind} of this payment, {reference}, and our database has lost its record. "
    "Staff must settle this: instruct it again if that is possible, or contact the bank."
)
_REVIEW: dict[str, str] = {
    ReviewReason.CAPTURE_ID_UNKNOWN: (
        "The bank says it is captured, but the capture's id is unknown. Look it up in the statement of "
        "{day}, or ask the bank. Until then a refund is not possible."
    ),
    ReviewReason.NOT_DEDUCIBLE: (
        "The bank says it is already done, but an earlier operation may have done it. Staff must ask the "
        "bank."
    ),
    ReviewReason.CONTRADICTION: (
        "The bank contradicts our books, and repeated it while healthy. Staff must settle it with the bank."
    ),
    ReviewReason.TOO_OLD_TO_ASK: (
        "The bank may have forgotten the key by now, so finding no hold under it proves nothing. The "
        "statement of {day} decides."
    ),
    ReviewReason.CANNOT_ASK: (
        "The bank may have executed it, but it cannot be asked: it has no idempotency keys, so nothing is "
        "sent again. Staff must look it up in the bank's own books of {day}."
    ),
}
_MONEY = {
    PaymentState.PENDING: "It is not known whether the money is held.",
    PaymentState.AUTHORIZED: "The money is held but not taken.",
    PaymentState.CAPTURED: "The money is taken.",
    PaymentState.REFUNDED: "The money was taken and refunded.",
    PaymentState.VOIDED: "The hold was voided; no money was taken.",
    PaymentState.EXPIRED: "The hold expired; no money was taken.",
    PaymentState.DECLINED: "The issuer declined it: {code}. No money was taken.",
    PaymentState.FAILED: "It was not executed, as far as the bank can tell. No money was taken.",
}


def explain(payment: Payment) -> list[str]:
    """The sentences, in order."""
    operations = list(payment.operations.order_by("created_at").prefetch_related("attempts", "events"))
    now = read_clock()
    amount = display(payment.amount_minor, payment.currency)
    return [
        f"{payment.public_id}: {amount} for order {payment.order_id} of customer {payment.customer_id}, "
        f"in {payment.mode} mode at {payment.bank}. It is {payment.state}.",
        *(sentence for operation in operations for sentence in _chain(operation, now)),
        what_now(payment, operations, now),
    ]


def what_now(payment: Payment, operations: list[Operation], now: datetime) -> str:
    """Where the money is, and what happens next and when."""
    open_ones = [one for one in operations if one.state in UNFINISHED_OPERATIONS]
    unfinished = [one for one in open_ones if one.kind != OperationKind.RELEASE]
    late = Discrepancy.objects.filter(payment=payment, kind=LATE_REPLY, closed_at=None)
    contradicted = [
        _CONTRADICTED.format(kind=kind) for kind in late.values_list("operation__kind", flat=True)
    ]
    contradicted += _orphaned(payment)
    sentences = [*contradicted] or ([] if unfinished else [_money(payment, open_ones)])
    sentences += [_what_next(one, now) for one in open_ones]
    if not unfinished and not contradicted:
        sentences += _possible(payment, now)
    sentences += _proposed(payment)
    for one in operations:
        if one.kind == OperationKind.RELEASE and one.state == OperationState.NOT_EXECUTED:
            freed = any(attempt.said == Said.APPROVED for attempt in one.attempts.all()) or _is_freed(one)
            found = f"was not freed, as staff found on {one.finished_at:%d %B}"
            what = "was freed after all" if freed else found
            sentences.append(f"The hold {one.target_reference} {what}.")
        if one.strays_awaited:
            holds = "a hold" if one.strays_awaited == 1 else f"{one.strays_awaited} holds"
            sentences.append(
                f"The {one.kind} is waiting for the bank's statement: {holds} of "
                f"{display(one.amount_minor, one.currency)} that no reply has named may exist since about "
                f"{moment(one.created_at)}. The statement must show each one or rule it out."
            )
        if one.look_again_at:
            sentences.append(f"FicPay looks for the hold once more at {moment(one.look_again_at)}.")
    return " ".join(sentences)


def _orphaned(payment: Payment) -> list[str]:
    """The operations of the payment that the bank executed and our books do not have."""
    orphans = Discrepancy.objects.filter(payment=payment, kind=ORPHAN_REPLY, closed_at=None).order_by("pk")
    return [
        _ORPHANED.format(kind=one.evidence.get("kind", "operation"), reference=one.bank_reference)
        for one in orphans
    ]


def _money(payment: Payment, open_ones: list[Operation]) -> str:
    """Where the money is. None of the payment's own operations is unfinished."""
    if payment.state == PaymentState.EXPIRED and any(
        one.state == OperationState.NEEDS_REVIEW for one in open_ones
    ):
        return "The hold expired."  # the review of its release says what happened to the money
    code = payment.decline_code.replace("_", " ").replace("cvv", "CVV")
    return _MONEY[PaymentState(payment.state)].format(code=code)


def _possible(payment: Payment, now: datetime) -> list[str]:
    """What can be done with the payment, and until when."""
    expires, able = payment.authorization_expires_at, abilities_of(payment.bank)
    if payment.state == PaymentState.CAPTURED:
        if not able.can(OperationKind.REFUND):
            return ["Its bank does not support refunds."]
        if payment.refunded_minor == 0:
            return ["It can be refunded."]
        refunded, captured, refundable = (
            display(one, payment.currency)
            for one in (payment.refunded_minor, payment.captured_minor, payment.refundable_minor)
        )
        return [f"{refunded} of {captured} has been refunded; {refundable} can still be refunded."]
    if payment.state != PaymentState.AUTHORIZED:
        return []
    left = [_DONE[kind] for kind in _DONE if able.can(kind)]
    if not left:
        return ["Its bank supports neither captures nor voids: it settles the payment by itself."]
    if expires is None:
        return []
    freed = "and the hold is voided" if able.voids_expired_holds else "and its bank frees the hold"
    if expires <= now:
        return [f"The hold ran out at {moment(expires)}. Within a minute the payment expires {freed}."]
    return [f"It can be {' or '.join(left)} until {moment(expires)}. Then it expires {freed}."]


_DONE = {OperationKind.CAPTURE: "captured", OperationKind.VOID: "voided"}


def _is_freed(release: Operation) -> bool:
    """Whether another release has freed the same hold."""
    others = Operation.objects.filter(bank=release.bank, target_reference=release.target_reference)
    return others.filter(kind=OperationKind.RELEASE, state=OperationState.SUCCEEDED).exists()


def _proposed(payment: Payment) -> list[str]:
    """The proposals that wait for a second person."""
    waiting = standing_proposals().filter(payment=payment)
    return [
        f"{one.get_kind_display()}: proposed by {one.proposed_by.get_username()}, waits for a second person."
        for one in waiting.select_related("proposed_by").order_by("pk")
    ]


def moment(at: datetime) -> str:
    """`2026-11-21 09:30:00 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _chain(operation: Operation, now: datetime) -> list[str]:
    by = f"by {operation.actor}" + (f" in request {operation.request_id}" if operation.request_id else "")
    target = f" of {operation.target_reference}" if operation.target_reference else ""
    recorded = (
        f"{moment(operation.created_at)}: {operation.kind}{target} was recorded as {operation.public_id} "
        f"{by}, for {display(operation.amount_minor, operation.currency)}, under the bank key "
        f"{operation.bank_idempotency_key}."
    )
    attempts = sorted(operation.attempts.all(), key=lambda attempt: attempt.number)
    return [recorded, *(_attempt(attempt) for attempt in attempts), _ending(operation, now)]


def _attempt(attempt: Attempt) -> str:
    name = f"{'Probe' if attempt.is_probe else 'Attempt'} {attempt.number}"
    said = f"  {moment(attempt.started_at)}: {name} {_result(attempt)}"
    if attempt.verdict == Verdict.NEGATIVE_PROBE:
        said += " The bank was healthy before and after, so it has nothing stored under the key."
    if attempt.verdict == Verdict.CONTRADICTION:
        said += " The bank was healthy before and after, so this counts as a contradiction."
    if attempt.is_late:
        said += (
            " The reply could not be applied when it arrived: its sender had lost the lease, the operation "
            "had ended, or the payment was locked."
        )
    return said


def _result(attempt: Attempt) -> str:
    match attempt.result:
        case Attempt.Result.NOT_SENT:
            return f"was not sent ({attempt.reply}), so the bank has not received it."
        case Attempt.Result.SILENT:
            doubt = "" if attempt.is_probe else " The bank may have executed it."
            return f"got no readable reply ({attempt.reply}) in {attempt.duration_ms} ms.{doubt}"
        case Attempt.Result.ANSWERED:
            named = f" and {attempt.bank_reference}" if attempt.bank_reference else ""
            settles = " It settles nothing." if attempt.in_doubt else ""
            return f"got the reply {attempt.reply}{named} in {attempt.duration_ms} ms.{settles}"
        case _:
            return (
                "has no recorded end: it is in flight, or its sender has died. The bank may have executed it."
            )


def _ending(operation: Operation, now: datetime) -> str:
    if operation.finished_at is None:
        return f"  It is {operation.state}. {_what_next(operation, now)}"
    ended = f"  {moment(operation.finished_at)}: It {_ENDINGS[OperationState(operation.state)]}"
    if operation.state == OperationState.SUCCEEDED and not operation.bank_reference:
        return (
            f"{ended}: the bank says it is already done, and only this operation can have done it. "
            "The bank's id is unknown."
        )
    because = f": {operation.outcome_code}" if operation.outcome_code else ""
    named = f": {operation.bank_reference}" if operation.bank_reference else because
    return f"{ended}{named}.{_on_statement(operation)}"


def _on_statement(operation: Operation) -> str:
    """What a statement has told about the end of the operation, as a sentence."""
    told = [
        event.evidence.get("statement", {}) for event in operation.events.all() if event.type not in _STRAYS
    ]
    if any("file" in one for one in told):
        line = next(one for one in told if "file" in one)
        return f" The bank's statement shows it: {line['file']}, line {line['line']}."
    return " The bank's statements cover its time and do not show it." if any(told) else ""


# Events that tell of a hold beside the operation, not of its end.
_STRAYS = ("stray.ruled_out",)


_ENDINGS = {
    OperationState.SUCCEEDED: "SUCCEEDED",
    OperationState.DECLINED: "was DECLINED",
    OperationState.REJECTED: "was REJECTED",
    OperationState.NOT_EXECUTED: "was found NOT_EXECUTED",
}


def _what_next(operation: Operation, now: datetime) -> str:
    if operation.state == OperationState.NEEDS_REVIEW:
        discrepancy = operation.discrepancies.filter(closed_at=None).exclude(kind=LATE_HOLD).first()
        why = _REVIEW.get(discrepancy.kind if discrepancy else "", "FicPay cannot settle it by itself.")
        return f"{_NOT_KNOWN[operation.kind]} {why.format(day=f'{operation.created_at:%d %B}')}"
    doubt = f"{_DOUBT[operation.kind]} "
    due = max(filter(None, [operation.due_at, operation.lease_expires_at]))
    when = f"at {moment(due)}" if due > now else "within seconds"
    if operation.lease_epoch == 0:
        return f"{doubt}The {operation.kind} has not been sent yet: recovery sends it {when}."
    if operation.lease_expires_at > now:
        last = max(operation.attempts.all(), key=lambda attempt: attempt.number, default=None)
        if last is None or not last.result:
            return f"{doubt}The {operation.kind} is being sent. If no reply comes, recovery asks {when}."
        return f"{doubt}The bank may still be working on the {operation.kind}: recovery asks {when}."
    how = "asks the bank again"
    if operation.kind == OperationKind.AUTHORIZE:
        how = "probes the bank for it"
        if abilities_of(operation.bank).may_have_forgotten(now - operation.created_at):
            how = "probes the bank for it once more, and hands it over to staff if nothing is found,"
    return f"{doubt}The {operation.kind} is in doubt: recovery {how} {when}."
