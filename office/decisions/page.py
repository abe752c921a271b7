"""How a decision is made: a form, what it will change, and one service call once that is confirmed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from office.decisions import drafts
from office.decisions.carry_out import NotKnown, Resolved
from office.decisions.drafts import Draft
from office.decisions.evidence import CannotResolve
from office.decisions.forms import ReasonForm
from office.decisions.kinds.base import Facts
from office.pages.framed import framed
from payments.engine.conclude import Outdated
from payments.engine.refusals import Refused

# The form's fields as they were understood, with `seen_epoch` and `seen_attempt`.
Given = dict[str, Any]
_SEEN = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,5}))?", re.ASCII)
_ANOTHERS = "anothers_case"


@dataclass(frozen=True)
class Preview:
    """What a decision will change, and whether somebody else has to approve it before."""

    changes: Facts
    waits: bool = False


@dataclass(frozen=True)
class Decision:
    """One page: what it is about, its form, what it will change, and what it does."""

    title: str
    about: Facts
    form: Callable[..., ReasonForm]  # given what was sent, if anything
    preview: Callable[[Given], Preview]  # raises where it would not be taken
    decide: Callable[[Given], Resolved | str]  # what came of it, in a sentence
    back: str
    seen: str = ""  # what the page showed; whoever has changed it since has made it outdated
    owner: str = ""  # somebody else who looks after the case: acting on it asks first


def decision_page(request: HttpRequest, decision: Decision) -> HttpResponse:
    """A page on which something is decided: never by GET, nor before it was shown and confirmed.

    A redirect follows every form that is sent: to the page with what was typed, or back when it is done.
    """
    if request.method == "POST":
        return _take(request, decision)
    draft = drafts.find(request)
    if draft is None and drafts.is_asked_for(request):  # it has been decided
        return HttpResponseRedirect(decision.back)
    form = _form_of(decision, draft.fields if draft else None)
    if draft is None:
        return _show(request, decision, form, seen=None)
    seen, preview = draft.fields.get("seen"), None
    if draft.told or not form.is_valid():
        if draft.told:
            form.add_error(None, draft.told)
        return _show(request, decision, form, seen=seen)
    try:
        preview = decision.preview(_given(form, draft.fields))
    except (CannotResolve, Refused) as no:
        form.add_error(None, f"Nothing has changed. {no}")
    except Outdated as no:
        form.add_error(None, f"Nothing has changed. {no} Above stands how it is now.")
        seen = None
    return _show(request, decision, form, preview, seen=seen)


def _take(request: HttpRequest, decision: Decision) -> HttpResponse:
    form = _form_of(decision, request.POST)
    if form.is_valid() and "confirmed" in request.POST:
        return _decide(request, decision, _given(form, request.POST))
    kept = drafts.keepable(request.POST)
    if kept is None:
        return _show(request, decision, form, seen=request.POST.get("seen"))
    return HttpResponseRedirect(drafts.keep(request, request.path, Draft(kept)))


def _show(
    request: HttpRequest,
    decision: Decision,
    form: ReasonForm,
    preview: Preview | None = None,
    *,
    seen: str | None,
) -> HttpResponse:
    """`seen` as an earlier page had it; None: as things are now."""
    context = {
        "title": decision.title,
        "about": decision.about,
        "form": form,
        "preview": preview,
        "back": decision.back,
        "seen": decision.seen if seen is None else seen,
    }
    return framed(request, "office/decide.html", context)


def _decide(request: HttpRequest, decision: Decision, given: Given) -> HttpResponse:
    try:
        done = decision.decide(given)
        if isinstance(done, Resolved):
            tell = messages.success if done.is_done else messages.warning
            tell(request, done.said)
        else:
            messages.success(request, done)
    except (CannotResolve, Outdated) as no:
        return _refused(request, str(no))
    except NotKnown as unknown:
        messages.error(request, f"Whether anything has changed is not known. {unknown}")
    except Refused as refused:
        return _refused(request, refused.detail)
    drafts.drop(request)
    return HttpResponseRedirect(decision.back)


def _refused(request: HttpRequest, why: str) -> HttpResponse:
    """Back to the form as it was filled in. A page made from it is made anew from how things are now."""
    fields = drafts.keepable(request.POST) or {}
    drafts.drop(request)
    fields.pop("seen", None)
    told = f"Nothing has changed. {why}"
    return HttpResponseRedirect(drafts.keep(request, request.path, Draft(fields, told)))


def _form_of(decision: Decision, sent: Mapping[str, str] | None) -> ReasonForm:
    form = decision.form(sent)
    if decision.owner:
        form.fields[_ANOTHERS] = forms.BooleanField(
            label=f"{decision.owner} looks after this case. I have asked, or it cannot wait.",
            error_messages={"required": f"{decision.owner} looks after this case: tick this to act on it."},
        )
    return form


def _given(form: ReasonForm, sent: Mapping[str, str]) -> Given:
    seen = _SEEN.fullmatch(sent.get("seen", ""))
    epoch, attempt = (int(one) if one else None for one in seen.groups()) if seen else (None, None)
    fields = {name: value for name, value in form.cleaned_data.items() if name != _ANOTHERS}
    return fields | {"seen_epoch": epoch, "seen_attempt": attempt}
