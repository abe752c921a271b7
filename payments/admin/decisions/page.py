"""How a decision is made: a form, what it will change, and one service call once that is confirmed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from payments.admin.decisions.forms import ReasonForm
from payments.services.concluding import Outdated
from payments.services.evidence import CannotResolve
from payments.services.refusals import Refused
from payments.services.resolutions import NotKnown, Resolved


@dataclass(frozen=True)
class Decision:
    """One page: what it is about, its form, what it will change, and what it does."""

    title: str
    about: list[tuple[str, str]]
    form: Callable[..., ReasonForm]  # given what was posted, if anything
    changes: Callable[[dict[str, Any]], list[tuple[str, str]]]
    decide: Callable[[dict[str, Any]], Resolved | str]  # what came of it, in a sentence
    back: str
    seen: str = ""  # what the page showed; whoever has changed it since has made it outdated
    # Whether somebody else has to approve it; raises where it would not be taken at all.
    waits: Callable[[dict[str, Any]], bool] | None = None


class DecisionPages:
    """Pages on which something is decided: never by GET, nor before it was shown and confirmed."""

    def __init__(self, site: admin.AdminSite) -> None:
        self._site = site

    def page_of(self, request: HttpRequest, decision: Decision) -> HttpResponse:
        form = decision.form(request.POST if request.method == "POST" else None)
        is_given = request.method == "POST" and form.is_valid()
        if is_given and "confirmed" in request.POST:
            return self._decide(request, decision, form.cleaned_data)
        changes, waits = None, False
        seen = request.POST.get("seen", decision.seen)
        if is_given:
            try:
                waits = decision.waits(form.cleaned_data) if decision.waits else False
                changes = decision.changes(form.cleaned_data)
            except (CannotResolve, Refused) as no:
                form.add_error(None, f"Nothing has changed. {no}")
            except Outdated as no:
                form.add_error(None, f"Nothing has changed. {no} Above stands how it is now.")
                seen = decision.seen
        context = self._site.each_context(request) | {
            "title": decision.title,
            "about": decision.about,
            "form": form,
            "changes": changes,
            "waits": waits,
            "back": decision.back,
            "seen": seen,
        }
        request.current_app = self._site.name
        return TemplateResponse(request, "payments/admin/decide.html", context)

    def _decide(self, request: HttpRequest, decision: Decision, given: dict[str, Any]) -> HttpResponse:
        try:
            done = decision.decide(given)
            if isinstance(done, Resolved):
                tell = messages.success if done.is_done else messages.warning
                tell(request, done.said)
            else:
                messages.success(request, done)
        except (CannotResolve, Outdated) as no:
            messages.error(request, f"Nothing has changed. {no}")
        except NotKnown as unknown:
            messages.error(request, f"Whether anything has changed is not known. {unknown}")
        except Refused as refused:
            messages.error(request, f"Nothing has changed. {refused.detail}")
        return HttpResponseRedirect(decision.back)
