"""How the back office words what models hold: times, amounts, and states as coloured labels."""

import re
from datetime import UTC, datetime, timedelta

from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from payments.domain.states import OperationState, PaymentState

NOTHING = "none"  # where there could be something

# unfold's names for colours; what a colour says, the text beside it says, too.
GOOD, NEUTRAL, HELD, WAITING, BAD = "success", "", "info", "warning", "danger"
COLOURS: dict[str, str] = {
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


# What turns the text around it, or does not show: Unicode's marks of direction, invisible blanks, controls.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)


def as_written(text: str) -> SafeString:
    """What others wrote, for a page: its marks of direction are shown, and turn nothing around."""
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


def label(text: str, colour: str = "") -> SafeString:
    """A label in one of unfold's colours."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colour})


def state_label(state: str) -> SafeString:
    """A payment's or an operation's state."""
    return label(state, COLOURS[state])


def utc(moment: datetime | None) -> SafeString | str:
    """`2026-11-21 09:30:00 UTC`, whatever the reader's time zone."""
    return _time(moment, "seconds", " UTC")


def utc_to_the_millisecond(moment: datetime) -> SafeString | str:
    """`2026-11-21 09:30:00.123 UTC`."""
    return _time(moment, "milliseconds", " UTC")


def utc_in_column(moment: datetime) -> SafeString | str:
    """`2026-11-21 09:30:00`, under a heading that says UTC."""
    return _time(moment, "seconds", "")


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC")


def with_times(sentences: str) -> SafeString:
    """Sentences in which every moment is a time that the page shows in the reader's zone."""
    parts, end = [], 0
    for found in _MOMENT.finditer(sentences):
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
        parts += [(sentences[end : found.start()],), (utc(moment),)]
        end = found.end()
    return format_html_join("", "{}", [*parts, (sentences[end:],)])


def age(time: timedelta) -> str:
    """In the two largest units that matter: `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
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
