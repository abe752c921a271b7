"""What the forms of decisions have in common. They change no model: their fields go to one service call."""

from typing import Any

from django import forms

from payments.domain.cards import contains_typed_card_number
from payments.domain.money import DENOMINATIONS, display, read_amount


class NoCardNumbers(forms.Form):
    """Refuses text that looks like a card number in any field, because fields are stored and shown.

    Passwords are exempt: they are hashed.
    """

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, value in list(cleaned.items()):
            if "password" not in name and isinstance(value, str) and contains_typed_card_number(value):
                self.add_error(
                    name, "This looks like a card number. FicPay does not store card numbers: remove it."
                )
        return cleaned


class Lines(forms.CharField):
    """Text of one or more lines."""

    widget = forms.Textarea(attrs={"rows": 2})


class ReasonForm(NoCardNumbers):
    """The reason that every decision needs."""

    reason = Lines(max_length=500, help_text="Recorded in the log.")


class AmountField(forms.CharField):
    """An amount as pages show it, in one currency: `100.00`, `$100.00`, `¥5,000`. Cleaned to minor units.

    Decimals are required, because digits alone could be minor units, as in the API.
    """

    def __init__(self, *, most_minor: int, currency: str, **kwargs: Any) -> None:
        self._most, self._currency = most_minor, currency
        super().__init__(
            max_length=40,
            help_text=f"At most {display(most_minor, currency)}. Leave empty for the full amount.",
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
    """The amount to capture or to refund, if the bank takes partial amounts."""

    def __init__(self, *args: Any, most_minor: int, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount_minor"] = AmountField(label="Amount", most_minor=most_minor, currency=currency)
        self.order_fields(["amount_minor", "reason"])


class ReferenceField(forms.CharField):
    """A bank's id. Spaces and invisible characters that were pasted with it are removed."""

    def clean(self, value: Any) -> str:
        return "".join(one for one in super().clean(value) if one.isprintable() and not one.isspace())


class NoteForm(NoCardNumbers):
    """A note for other staff."""

    note = Lines(max_length=1000)
