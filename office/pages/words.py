"""Formats what models hold for pages: times, durations, and states as colored labels."""

import re
from datetime import UTC, datetime, timedelta

from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from payments.domain.states import OperationState, PaymentState

NOTHING = "none"  # shown for an empty value

# unfold's color names. The text beside a color always says the same.
GOOD, NEUTRAL, HELD, WAITING, BAD = "success", "", "info", "warning", "danger"
COLORS: dict[str, str] = {
    PaymentState.PENDING: WAITING,
    PaymentState.AUTHORIZED: HELD,
    PaymentState.CAPTURED: GOOD,
    PaymentState.REFUNDED: NEUTRAL,
    PaymentState.VOIDED: NEUTRAL,
    PaymentState.EXPIRED: NEUTRAL,
    PaymentState.DECLINED: BAD,
    PaymentState.FAILED: BAD,
    OperationState.OPEN: WAITING,
    OperationState.NEEDS_REVIEW: BAD,
    OperationState.SUCCEEDED: GOOD,
    OperationState.REJECTED: BAD,
    OperationState.NOT_EXECUTED: NEUTRAL,
}


# Unicode's direction marks, invisible spaces and control characters: they reorder the text, or do not show.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)


def as_written(text: str) -> SafeString:
    """Text that others wrote, safe for a page: invisible and direction characters are shown as marks."""
    text = text.replace("\r\n", "\n")  # as browsers send line breaks
    if text.isascii() and text.replace("\n", "").isprintable():
        return format_html("{}", text)
    parts, end = [], 0
    for found in _UNSEEN.finditer(text):
        name = f"U+{ord(found.group()):04X}"
        mark = format_html('<span class="ficpay-mark" title="An invisible character">{}</span>', name)
        parts += [(text[end : found.start()],), (mark,)]
        end = found.end()
    return format_html("<bdi>{}</bdi>", format_html_join("", "{}", [*parts, (text[end:],)]))


def shortened(text: str) -> SafeString:
    """Text that the style sheet cuts to its column. A tooltip and screen readers have all of it."""
    return format_html('<span class="ficpay-short" title="{}">{}</span>', text, as_written(text))


def label(text: str, color: str = "") -> SafeString:
    """A label in one of unfold's colors."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": color})


def state_label(state: str) -> SafeString:
    """A payment's or an operation's state."""
    return label(state, COLORS[state])


def utc(moment: datetime | None) -> SafeString | str:
    """`2026-11-21 09:30:00 UTC`; the page's script shows it in the reader's zone."""
    return _time(moment, "seconds", " UTC")


def utc_to_the_millisecond(moment: datetime) -> SafeString | str:
    """`2026-11-21 09:30:00.123 UTC`."""
    return _time(moment, "milliseconds", " UTC")


def utc_in_column(moment: datetime) -> SafeString | str:
    """`2026-11-21 09:30:00`, for a column whose heading says UTC."""
    return _time(moment, "seconds", "")


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC")


def with_times(sentences: str) -> SafeString:
    """Sentences in which every time is marked up, so that the page shows it in the reader's zone."""
    parts, end = [], 0
    for found in _MOMENT.finditer(sentences):
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
        parts += [(sentences[end : found.start()],), (utc(moment),)]
        end = found.end()
    return format_html_join("", "{}", [*parts, (sentences[end:],)])


def age(time: timedelta) -> str:
    """A duration in at most two units: `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    seconds = max(int(time.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if hours < 1:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if days < 1 else f"{days} d {hours % 24} h"


def plain(name: str) -> str:
    """`payment.not_executed` as `Payment not executed`."""
    return name.replace(".", " ").replace("_", " ").capitalize()


def _time(moment: datetime | None, timespec: str, zone: str) -> SafeString | str:
    if moment is None:
        return NOTHING
    here = moment.astimezone(UTC)
    shown = here.replace(tzinfo=None).isoformat(sep=" ", timespec=timespec)
    return format_html('<time datetime="{}">{}{}</time>', here.isoformat(), shown, zone)
