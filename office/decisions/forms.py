"""What the forms of decisions have in common. None of them changes a model: what they ask for goes to one
service call."""

from typing import Any

from django import forms

from payments.domain.cards import people_wrote_card_number
from payments.domain.money import DENOMINATIONS, display, read_amount


class NoCardNumbers(forms.Form):
    """Refuses what looks like a card number in any field: it would be stored and shown.

    Passwords may look as they like: they are hashed.
    """

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, value in list(cleaned.items()):
            if "password" not in name and isinstance(value, str) and people_wrote_card_number(value):
                self.add_error(name, "This looks like a card number, which FicPay does not keep.")
        return cleaned


class Lines(forms.CharField):
    """Text of a line or more."""

    widget = forms.Textarea(attrs={"rows": 2})


class ReasonForm(NoCardNumbers):
    """What every decision needs."""

    reason = Lines(max_length=500, help_text="For the log, and for whoever looks at this next.")


class AmountField(forms.CharField):
    """An amount as it is shown, in one currency: `100.00`, `$100.00`, `¥5,000`. Cleaned to minor units.

    Digits alone would be minor units elsewhere: here an amount has its currency's decimals.
    """

    def __init__(self, *, most_minor: int, currency: str, **kwargs: Any) -> None:
        self._most, self._currency = most_minor, currency
        super().__init__(
            max_length=40,
            help_text=f"At most {display(most_minor, currency)}; empty for all of it.",
            required=False,
            **kwargs,
        )

    def clean(self, value: Any) -> int | None:
        text = super().clean(value).strip()
        if not text:
            return None
        has_decimals = DENOMINATIONS[self._currency].exponent > 0
        typed = None if has_decimals and text.isdigit() else read_amount(text)
        if typed is None or self._currency not in typed.currencies:
            raise forms.ValidationError(f"Write an amount like {display(self._most, self._currency)}.")
        if not 0 < typed.amount_minor <= self._most:
            raise forms.ValidationError(f"At most {display(self._most, self._currency)} is left.")
        return typed.amount_minor


class PartForm(ReasonForm):
    """How much to capture or to refund, where the bank takes parts."""

    def __init__(self, *args: Any, most_minor: int, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount_minor"] = AmountField(label="Amount", most_minor=most_minor, currency=currency)
        self.order_fields(["amount_minor", "reason"])


class ReferenceField(forms.CharField):
    """A bank's id, pasted: without what nobody sees (blanks, zero-width characters)."""

    def clean(self, value: Any) -> str:
        return "".join(one for one in super().clean(value) if one.isprintable() and not one.isspace())


class NoteForm(NoCardNumbers):
    """A remark for other staff."""

    note = Lines(max_length=1000)
