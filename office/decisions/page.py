"""The page of a decision: a form, a preview of the changes, and one service call on confirmation."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from office.decisions import drafts
from office.decisions.carry_out import OutcomeUnknown, Resolved
from office.decisions.drafts import Draft
from office.decisions.evidence import CannotResolve
from office.decisions.forms import ReasonForm
from office.decisions.kinds.base import Facts
from office.pages.rendering import render_page
from payments.engine.conclude import Outdated
from payments.engine.refusals import Refused

# The form's cleaned fields, with `seen_epoch` and `seen_attempt`.
Given = dict[str, Any]
_SEEN = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,5}))?", re.ASCII)
_ANOTHERS = "anothers_case"  # the checkbox on the case of another owner


@dataclass(frozen=True)
class Preview:
    """What a decision will change, and whether another person must approve it first."""

    changes: Facts
    waits: bool = False


@dataclass(frozen=True)
class Decision:
    """One page: its subject, its form, its preview and its effect."""

    title: str
    about: Facts
    form: Callable[..., ReasonForm]  # called with the data that was sent, or None
    preview: Callable[[Given], Preview]  # raises if the decision would be refused
    # Returns the result, a sentence that tells it, or a page that shows it once.
    decide: Callable[[Given], Resolved | str | HttpResponse]
    back: str
    seen: str = ""  # the state that the page shows; a later change makes the decision outdated
    owner: str = ""  # another person who owns the case: the form asks for confirmation


def decision_page(request: HttpRequest, decision: Decision) -> HttpResponse:
    """The page of a decision. It decides only by POST, and only after the preview was confirmed.

    Every POST leads to a redirect: to the page with its draft, or back when the decision is made.
    """
    if request.method == "POST":
        return _take(request, decision)
    draft = drafts.find(request)
    if draft is None and drafts.is_asked_for(request):  # the decision is already made
        return HttpResponseRedirect(decision.back)
    form = _form_of(decision, draft.fields if draft else None)
    if draft is None:
        return _show(request, decision, form, seen=None)
    seen, preview = draft.fields.get("seen"), None
    if draft.message or not form.is_valid():
        if draft.message:
            form.add_error(None, draft.message)
        return _show(request, decision, form, seen=seen)
    try:
        preview = decision.preview(_given(form, draft.fields))
    except (CannotResolve, Refused) as no:
        form.add_error(None, f"Nothing changed. {no}")
    except Outdated as no:
        form.add_error(None, f"Nothing changed. {no} The current state is shown above.")
        seen = None
    return _show(request, decision, form, preview, seen=seen)


def _take(request: HttpRequest, decision: Decision) -> HttpResponse:
    form = _form_of(decision, request.POST)
    if form.is_valid() and "confirmed" in request.POST:
        return _decide(request, decision, _given(form, request.POST))
    kept = drafts.storable(request.POST)
    if kept is None:
        return _show(request, decision, form, seen=request.POST.get("seen"))
    return HttpResponseRedirect(drafts.store(request, request.path, Draft(kept)))


def _show(
    request: HttpRequest,
    decision: Decision,
    form: ReasonForm,
    preview: Preview | None = None,
    *,
    seen: str | None,
) -> HttpResponse:
    """`seen` is what an earlier page showed; None: the current state."""
    context = {
        "title": decision.title,
        "about": decision.about,
        "form": form,
        "preview": preview,
        "back": decision.back,
        "seen": decision.seen if seen is None else seen,
    }
    return render_page(request, "office/decide.html", context)


def _decide(request: HttpRequest, decision: Decision, given: Given) -> HttpResponse:
    try:
        done = decision.decide(given)
        if isinstance(done, HttpResponse):
            drafts.drop(request)
            return done
        if isinstance(done, Resolved):
            tell = messages.success if done.is_done else messages.warning
            tell(request, done.said)
        else:
            messages.success(request, done)
    except (CannotResolve, Outdated) as no:
        return _refused(request, str(no))
    except OutcomeUnknown as unknown:
        messages.error(request, f"It is not known whether anything changed. {unknown}")
    except Refused as refused:
        return _refused(request, refused.detail)
    drafts.drop(request)
    return HttpResponseRedirect(decision.back)


def _refused(request: HttpRequest, why: str) -> HttpResponse:
    """Back to the form with its input, and with the current state instead of the one seen before."""
    fields = drafts.storable(request.POST) or {}
    drafts.drop(request)
    fields.pop("seen", None)
    message = f"Nothing changed. {why}"
    return HttpResponseRedirect(drafts.store(request, request.path, Draft(fields, message)))


def _form_of(decision: Decision, sent: Mapping[str, str] | None) -> ReasonForm:
    form = decision.form(sent)
    if decision.owner:
        form.fields[_ANOTHERS] = forms.BooleanField(
            label=f"{decision.owner} owns this case. I have asked them, or it cannot wait.",
            error_messages={"required": f"{decision.owner} owns this case. Check this box to act on it."},
        )
    return form


def _given(form: ReasonForm, sent: Mapping[str, str]) -> Given:
    seen = _SEEN.fullmatch(sent.get("seen", ""))
    epoch, attempt = (int(one) if one else None for one in seen.groups()) if seen else (None, None)
    fields = {name: value for name, value in form.cleaned_data.items() if name != _ANOTHERS}
    return fields | {"seen_epoch": epoch, "seen_attempt": attempt}
