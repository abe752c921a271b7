"""The forms of the back office. None of them changes a model: what they ask for goes to one service call."""

from typing import Any

from django import forms

from office.decisions.denials import covered, denials
from office.decisions.evidence import Evidence, Kind
from payments.domain.cards import people_wrote_card_number
from payments.domain.states import Mode
from payments.models import Operation, Route
from payments.models.resolutions import SHOWS


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


class ReferenceForm(ReasonForm):
    """The bank's id of a capture or a refund."""

    reference = ReferenceField(
        label="The bank's reference",
        max_length=80,
        help_text="As cap_… or ref_…, or the bare id of a statement. The bank is asked for it before "
        "anything changes.",
    )
    field_order = ("reference", "reason")


class CapturedForm(ReasonForm):
    """The capture that the bank had made when we asked for a void."""

    reference = ReferenceField(
        label="The bank's reference of the capture",
        max_length=80,
        help_text="As cap_…, or the bare id of a statement. The bank is asked for it first.",
    )
    field_order = ("reference", "reason")


class NotExecutedForm(ReasonForm):
    """Why it is known that something was not executed."""

    evidence = forms.ChoiceField(help_text="How do you know it?")
    quote = forms.CharField(
        label="The bank's words, or the statement's name",
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    covers_from = forms.DateField(
        label="The statement covers (UTC days)", required=False, widget=forms.DateInput({"type": "date"})
    )
    covers_to = forms.DateField(
        label="to, this day included", required=False, widget=forms.DateInput({"type": "date"})
    )
    field_order = ("evidence", "quote", "covers_from", "covers_to", "reason")

    def __init__(self, *args: Any, operation: Operation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        evidence: Any = self.fields["evidence"]
        # An answer that proves it stands on the timeline, or is no evidence.
        answers = [
            (
                f"{Evidence.BANK_ANSWER}:{one.number}",
                f"The bank's answer to attempt {one.number}: {one.reply}",
            )
            for one in denials(operation)
        ]
        others = [
            (Evidence.STATEMENT.value, SHOWS[Kind.RECORD_NOT_EXECUTED, Evidence.STATEMENT]),
            (Evidence.BANK_WORD.value, f"{Evidence.BANK_WORD.label} (a second person approves)"),
        ]
        evidence.choices = [("", "Choose…"), *answers, *others]
        begin, end = (f"{at:%Y-%m-%d %H:%M} UTC" for at in covered(operation))
        self.fields["covers_from"].help_text = f"All the time from {begin} to {end}."

    def clean(self) -> dict[str, Any]:
        """With `evidence` and the `attempt` that it names."""
        cleaned = super().clean()
        kind, _, attempt = cleaned.get("evidence", "").partition(":")
        needed = {
            Evidence.STATEMENT: ("quote", "covers_from", "covers_to"),
            Evidence.BANK_WORD: ("quote",),
        }.get(kind, ())
        for name in needed:
            if not cleaned.get(name) and name not in self.errors:
                self.add_error(name, "This evidence needs it.")
        return cleaned | {"evidence": kind, "attempt": int(attempt) if attempt else None}


class VoidedForm(ReasonForm):
    """How it is known that a hold was voided."""

    evidence = forms.ChoiceField(
        choices=[
            ("", "Choose…"),
            (Evidence.STATEMENT.value, SHOWS[Kind.RECORD_VOIDED, Evidence.STATEMENT]),
            (Evidence.BANK_WORD.value, Evidence.BANK_WORD.label),
        ],
        help_text="Void ids cannot be looked up at the bank, so a second person approves.",
    )
    quote = forms.CharField(
        label="The bank's words, or the statement's name and line",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    field_order = ("evidence", "quote", "reason")


class SettledForm(ReasonForm):
    """What was agreed with the bank about something that it has done in spite of our books."""

    evidence = forms.ChoiceField(
        choices=[(Evidence.BANK_WORD.value, "")],
        widget=forms.HiddenInput,
        initial=Evidence.BANK_WORD.value,
    )
    quote = forms.CharField(
        label="What was agreed with the bank",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="As that it has given the money back to the card, with its reference.",
    )
    field_order = ("quote", "reason")


class StrayHoldForm(ReasonForm):
    """A hold that a statement shows and no payment has."""

    bank = forms.ChoiceField()
    reference = ReferenceField(
        label="The hold's id", max_length=80, help_text="As auth_…, or bare as the bank's statement has it."
    )
    field_order = ("bank", "reference", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bank: Any = self.fields["bank"]
        routes = Route.objects.filter(mode=Mode.LIVE)
        names = routes.order_by("bank").values_list("bank", flat=True).distinct()
        bank.choices = [(name, name) for name in names]


class NoteForm(NoCardNumbers):
    """A remark for other staff."""

    note = forms.CharField(max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))
