"""The forms of the back office. None of them changes a model: what they ask for goes to one service call."""

from typing import Any

from django import forms

from payments.domain.cards import contains_card_number
from payments.models import Resolution


class NoCardNumbers(forms.Form):
    """Refuses what looks like a card number in any field: it would be stored and shown."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, value in list(cleaned.items()):
            if isinstance(value, str) and contains_card_number(value):
                self.add_error(name, "This looks like a card number, which FicPay does not keep.")
        return cleaned


class ReasonForm(NoCardNumbers):
    """What every decision needs."""

    reason = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For the log, and for whoever looks at this next.",
    )


class ReferenceForm(ReasonForm):
    """The bank's id of a capture or a refund."""

    reference = forms.CharField(
        label="The bank's reference",
        max_length=64,
        help_text="As cap_… or ref_…; the bank is asked for it before anything changes.",
    )
    field_order = ("reference", "reason")


class NotExecutedForm(ReasonForm):
    """Why it is known that something was not executed."""

    evidence = forms.ChoiceField(choices=[("", "Choose…"), *Resolution.Evidence.choices])
    quote = forms.CharField(
        label="The bank's words, or which statement",
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    field_order = ("evidence", "quote", "reason")


class StrayHoldForm(ReasonForm):
    """A hold that a statement shows and no payment has."""

    reference = forms.CharField(
        label="The hold's id", max_length=64, help_text="As auth_…, from the bank's statement."
    )
    field_order = ("reference", "reason")


class NoteForm(NoCardNumbers):
    """A remark for other staff."""

    note = forms.CharField(max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))
