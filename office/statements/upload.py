"""The page on which staff upload a statement. It is imported and reconciled before the page answers."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from office.log.actors import staff_of
from office.log.staff import Staff, log_action
from office.pages.books import IMPORT
from office.pages.rendering import render_page
from payments.domain.cards import contains_typed_card_number
from payments.engine.abilities import banks_with_statements
from payments.models import Event
from reconciliation.models import Run, StatementFile
from reconciliation.services.imports import Refused, import_file
from reconciliation.services.reconcile import reconcile

Uploaded = Any  # django.core.files.uploadedfile.UploadedFile
_SHOWN = 100  # malformed lines


class UploadForm(forms.Form):
    """The file, whose it is, and its day if the file does not say it."""

    bank = forms.ChoiceField()
    file = forms.FileField(help_text="CSV or camt.053.")
    day = forms.DateField(
        required=False,
        label="Day (UTC)",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Leave empty if the file or its name says it.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bank: Any = self.fields["bank"]
        bank.choices = [(name, name) for name in banks_with_statements()]

    def clean_file(self) -> Uploaded:
        file: Uploaded = self.cleaned_data["file"]
        if (file.size or 0) > settings.LARGEST_UPLOAD:
            raise forms.ValidationError(too_large())
        if contains_typed_card_number(file.name or ""):
            raise forms.ValidationError("The file's name looks like a card number. Rename the file.")
        return file


def too_large() -> str:
    """What to do with a file that is too large for the page."""
    return (
        f"The file is larger than {settings.LARGEST_UPLOAD // 1024**2} MB. Have an operator import it by "
        "`manage.py reconcile statement`, or put it into the banks' folder."
    )


def page(request: HttpRequest) -> HttpResponse:
    """The form; by POST the import. A file that is refused leaves nothing behind."""
    if not request.user.has_perm(IMPORT):
        raise PermissionDenied
    if request.method != "POST":
        asked = {name: request.GET.get(name, "") for name in ("bank", "day")}
        return _show(request, UploadForm(initial=asked))
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, form)
    given = form.cleaned_data
    try:
        file, run = _import(staff_of(request), given["file"], given["bank"], given["day"])
    except Refused as refused:
        form.add_error(None, str(refused))
        return _show(request, form, refused)
    messages.success(
        request,
        f"{file.name} is imported. Lines: {file.lines:,}, of which {file.new_lines:,} are new.",
    )
    return HttpResponseRedirect(reverse("admin:reconciliation_run_change", args=[run.pk]))


def _show(request: HttpRequest, form: UploadForm, refused: Refused | None = None) -> HttpResponse:
    malformed = refused.malformed[:_SHOWN] if refused else []
    context = {
        "title": "Upload a statement",
        "form": form,
        "malformed": malformed,
        "unshown": refused.malformed_lines - len(malformed) if refused else 0,
        "largest": settings.LARGEST_UPLOAD // 1024**2,
        "back": reverse("admin:reconciliation_statementfile_changelist"),
    }
    return render_page(request, "office/books/upload.html", context)


def _import(staff: Staff, file: Uploaded, bank: str, day: Any) -> tuple[StatementFile, Run]:
    """Import the file and reconcile the bank. Raises Refused."""
    with _on_disk(file) as path:
        imported = import_file(path, bank=bank, actor=staff.actor, day=day, name=file.name or "")
    kept = imported.file
    log_action(
        staff,
        Event.Type.STATEMENT_IMPORTED,
        statement=kept.name,
        bank=bank,
        lines=kept.lines,
        new=kept.new_lines,
    )
    return kept, reconcile(bank, actor=staff.actor)


@contextmanager
def _on_disk(file: Uploaded) -> Iterator[Path]:
    """The uploaded file's path. A small one is in memory and is written first."""
    if isinstance(file, TemporaryUploadedFile):
        yield Path(file.temporary_file_path())
        return
    with tempfile.NamedTemporaryFile(prefix="ficpay-statement-") as kept:
        for chunk in file.chunks():
            kept.write(chunk)
        kept.flush()
        yield Path(kept.name)
