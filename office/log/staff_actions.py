"""Describes an event of the staff log: what was done, to what, and why."""

from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from office.pages.words import plain
from payments.domain.ids import OPERATION_PREFIX, public_id
from payments.models import Event, Resolution

Type = Event.Type
WORDS: dict[str, str] = {
    Type.NOTE_ADDED: "Added a note",
    Type.OPERATION_ASSIGNED: "Took a case",
    Type.OPERATION_GIVEN_BACK: "Gave back a case",
    Type.OPERATION_ASKED_AGAIN: "Asked the bank again",
    Type.RESOLUTION_PROPOSED: "Proposed a decision",
    Type.RESOLUTION_APPLIED: "Carried out a decision",
    Type.RESOLUTION_REFUSED: "Closed a proposal",
    Type.RESOLUTION_OUTDATED: "Proposal became outdated",
    Type.RESOLUTION_FAILED: "Decision refused",
    Type.MERCHANT_CREATED: "Created a merchant",
    Type.API_KEY_CREATED: "Issued an API key",
    Type.API_KEY_ROTATED: "Rotated an API key",
    Type.API_KEY_DISABLED: "Disabled an API key",
    Type.LIMITS_CHANGED: "Changed rate limits",
    Type.ROUTE_CHANGED: "Changed a route",
    Type.PAYMENTS_EXPORTED: "Exported payments",
    Type.USER_CREATED: "Added a user",
    Type.USER_CHANGED: "Changed a user",
    Type.USER_PASSWORD_CHANGED: "Changed a password",
    Type.USER_SECOND_FACTOR_SET_UP: "Set up a second factor",
    Type.USER_SECOND_FACTOR_RESET: "Reset a second factor",
    Type.GROUP_CREATED: "Added a group",
    Type.GROUP_CHANGED: "Changed a group",
    Type.SCHEDULE_RUN_NOW: "Ran a schedule now",
    Type.STATEMENT_IMPORTED: "Imported a statement",
    Type.DIFFERENCE_ASSIGNED: "Took a difference",
    Type.DIFFERENCE_GIVEN_BACK: "Gave back a difference",
    Type.DIFFERENCE_ACCEPTED: "Accepted a difference",
    Type.FEES_CHANGED: "Changed a merchant's fees",
    Type.SETTLEMENT_CORRECTED: "Corrected a settlement",
}
# Names of evidence that are not plain enough as they are stored.
_NAMES = {"told": "Refused because", "taken_from": "Taken over from", "because": "Decided because"}
# The reason of the decision, if it differs from the reason of the proposal.
_DECIDED_BECAUSE = ("because", "approved_because")
# Shown in other columns, or ids that mean nothing to people.
_SHOWN_ELSEWHERE = frozenset(
    (
        *("user", "from", "reason", "note", "changed", "kind", "resolution"),
        *("account", "account_id", "group", "group_id", "key", "merchant", "filter", "schedule", "route"),
        *("difference", "fees", "settlement", "statement"),
        *("key_id", "limits_of"),
        *_DECIDED_BECAUSE,
    )
)


def what(event: Event) -> SafeString:
    """What was done, with its details below."""
    details = format_html_join("", "<span>{}</span>", ((text,) for text in _details(event.evidence)))
    return format_html('<div class="ficpay-told"><strong>{}</strong>{}</div>', WORDS[event.type], details)


def why(event: Event) -> str:
    """The reason or the note, as typed; empty if there is none."""
    known = (event.evidence.get(name) for name in (*_DECIDED_BECAUSE, "reason", "note"))
    return str(next(filter(None, known), ""))


def about(event: Event, *, links: bool) -> SafeString | str:
    """What it was done to: a payment, a case, a user, a key and so on. `links`: link users and groups."""
    evidence = event.evidence
    if in_books := _about_books(evidence):
        return in_books
    if event.payment:
        address = reverse("admin:payments_payment_change", args=[event.payment.pk])
        return _link(address, event.payment.order_id)
    for model, word in (("account", "user"), ("group", "group")):
        if model in evidence:
            text = f"{word} {evidence[model]}"
            address = reverse(f"admin:auth_{word}_change", args=[evidence[f"{model}_id"]])
            return _link(address, text) if links else text
    if "merchant" in evidence:
        return _about_merchant(evidence)
    if "filter" in evidence:
        asked = [f"{plain(name).lower()} {value}" for name, value in evidence["filter"].items()]
        return f"payments: {', '.join(asked) or 'all'}"
    if "schedule" in evidence:
        return f"schedule {evidence['schedule']}"
    return public_id(OPERATION_PREFIX, event.operation_id) if event.operation_id else ""


def _about_books(evidence: dict[str, Any]) -> SafeString | str:
    """The difference, settlement or statement; empty if it was none."""
    for word in ("difference", "settlement"):
        if word in evidence:
            address = reverse(f"admin:reconciliation_{word}_change", args=[evidence[word]])
            return _link(address, f"{word} {evidence[word]}")
    return f"statement {evidence['statement']}" if "statement" in evidence else ""


def _about_merchant(evidence: dict[str, Any]) -> str:
    """What of a merchant: one of its keys, routes, fees or limits, or the merchant itself."""
    merchant = evidence["merchant"]
    if "key" in evidence:
        return f"{evidence['key']} of {merchant}"
    if "route" in evidence:
        return f"route {evidence['route']} of {merchant}"
    if "fees" in evidence:
        return f"fees of {merchant}, {evidence['fees']}"
    if "limits_of" in evidence:
        return f"{evidence['limits_of']} limits of {merchant}"
    return f"merchant {merchant}"


def name_of(evidence: str) -> str:
    """The label of one piece of evidence."""
    return _NAMES.get(evidence) or plain(evidence)


def as_proposed(evidence: dict[str, Any]) -> dict[str, str]:
    """The kind of a decision and its evidence, in the words of its form."""
    if evidence.get("kind") not in Resolution.Kind.values:
        return {}
    proposed = Resolution(kind=evidence["kind"], evidence=evidence.get("evidence", ""))
    words = {"kind": proposed.get_kind_display(), "evidence": proposed.evidence_told}
    return {name: text for name, text in words.items() if text}


def _link(address: str, text: str) -> SafeString:
    return format_html('<a class="ficpay-short" href="{}" title="{}">{}</a>', address, text, text)


def _details(evidence: dict[str, Any]) -> Iterator[str]:
    evidence = evidence | as_proposed(evidence)
    if "kind" in evidence:
        yield str(evidence["kind"])
    for name, change in evidence.get("changed", {}).items():
        yield f"{plain(name.removeprefix('is_'))}{_changed(change)}"
    for name, value in evidence.items():
        if name not in _SHOWN_ELSEWHERE:
            yield f"{name_of(name)}: {_shown(value)}"
    if any(name in evidence for name in _DECIDED_BECAUSE) and "reason" in evidence:
        yield f"Reason of the proposal: {evidence['reason']}"


def _changed(change: dict[str, Any]) -> str:
    """`: now Support lead; no longer Support`, `: no → yes`, or empty if the values are not stored."""
    if "to" not in change:
        return ""
    old, new = change.get("from"), change["to"]
    if isinstance(new, list):
        before = old or []
        parts = [
            ("now", [one for one in new if one not in before]),
            ("no longer", [one for one in before if one not in new]),
        ]
        return ": " + "; ".join(f"{word} {', '.join(names)}" for word, names in parts if names)
    return f": {_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
