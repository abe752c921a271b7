"""What the forms of decisions have in common. None of them changes a model: what they ask for goes to one
service call."""

from typing import Any

from django import forms

from payments.domain.cards import people_wrote_card_number


class NoCardNumbers(forms.Form):
    """Refuses what looks like a card number in any field: it would be stored and shown."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, value in list(cleaned.items()):
            if isinstance(value, str) and people_wrote_card_number(value):
                self.add_error(name, "This looks like a card number, which FicPay does not keep.")
        return cleaned


class ReasonForm(NoCardNumbers):
    """What every decision needs."""

    reason = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For the log, and for whoever looks at this next.",
    )


class ReferenceField(forms.CharField):
    """A bank's id, pasted: without what nobody sees (blanks, zero-width characters)."""

    def clean(self, value: Any) -> str:
        return "".join(one for one in super().clean(value) if one.isprintable() and not one.isspace())


class NoteForm(NoCardNumbers):
    """A remark for other staff."""

    note = forms.CharField(max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))
