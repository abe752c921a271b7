"""Adds a note for other staff from the payment's page. An invalid note is shown on a page of its own."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from office.decisions import drafts
from office.decisions.actions import PAYMENT
from office.decisions.drafts import Draft
from office.decisions.forms import NoteForm
from office.decisions.subjects import about_payment, find_payment
from office.log import staff
from office.log.actors import staff_of
from office.pages.rendering import render_page


def add_note(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Add the note, or show it with its errors."""
    payment = find_payment(payment_id)
    back = reverse(PAYMENT, args=[payment.pk])
    draft = drafts.find(request)
    form = NoteForm(request.POST) if request.method == "POST" else NoteForm(draft.fields if draft else None)
    if request.method == "POST" and form.is_valid():
        if staff.add_note(staff_of(request), payment, form.cleaned_data["note"]):
            messages.success(request, "Note added to the timeline.")
        else:
            messages.info(request, "This note is already on the timeline. It was not added twice.")
        drafts.drop(request)
        return HttpResponseRedirect(back)
    kept = drafts.storable(request.POST) if request.method == "POST" else None
    if kept is not None:
        return HttpResponseRedirect(drafts.store(request, request.path, Draft(kept)))
    if draft and draft.message:
        form.add_error(None, draft.message)
    context = {
        "title": "A note for other staff",
        "about": about_payment(payment),
        "form": form,
        "back": back,
        "submit": "Add note",
    }
    return render_page(request, "office/decide.html", context)
