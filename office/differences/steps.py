"""Takes a difference, gives it back, or accepts it: each is one service call and one line in the log."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.views.decorators.cache import never_cache

from office.decisions.drafts import keeps_typed
from office.decisions.evidence import CannotResolve
from office.decisions.forms import ReasonForm
from office.decisions.page import Decision, Preview, decision_page
from office.differences import assigning
from office.differences.words import amount_of
from office.log.actors import staff_of
from office.pages.books import RESOLVE
from office.pages.search_forms import form_lost
from reconciliation.models import Difference
from reconciliation.services.differences import OPEN_STATES, CaseChanged

PAGE = "admin:reconciliation_difference_change"
View = Callable[[HttpRequest, Difference], HttpResponse]


@dataclass(frozen=True)
class Steps:
    """What the reader may do about a difference: buttons that are pressed, and pages that ask first."""

    buttons: list[tuple[str, str]]
    pages: list[tuple[str, str]]


def of(request: HttpRequest, difference: Difference) -> Steps:
    if difference.state not in OPEN_STATES or not request.user.has_perm(RESOLVE):
        return Steps([], [])
    button = ("Take", _address("take_difference", difference))
    if difference.owner_id == request.user.pk:
        button = ("Give back", _address("give_back_difference", difference))
    elif difference.owner_id is not None:
        button = ("Take over", button[1])
    return Steps([button], [("Accept…", _address("accept_difference", difference))])


def urls() -> list[Any]:
    """Each needs the permission to resolve differences. A GET changes nothing."""
    return [
        _url("take", _guarded(_take)),
        _url("give-back", _guarded(_give_back)),
        _url("accept", keeps_typed(_guarded(_accept))),
    ]


def _url(name: str, view: Callable[..., HttpResponse]) -> Any:
    named = f"reconciliation_{name.replace('-', '_')}_difference"
    return path(f"<int:difference_id>/{name}/", admin.site.admin_view(view), name=named)


def _guarded(view: View) -> Callable[..., HttpResponse]:
    def checked(request: HttpRequest, difference_id: int) -> HttpResponse:
        if not request.user.has_perm(RESOLVE):
            raise PermissionDenied
        found = Difference.objects.select_related("owner", "payment", "line")
        return view(request, get_object_or_404(found, pk=difference_id))

    return never_cache(checked)


def _take(request: HttpRequest, difference: Difference) -> HttpResponse:
    instead_of = request.POST.get("owner", "")  # as the page showed it
    take = partial(assigning.take, instead_of=int(instead_of) if instead_of.isdigit() else None)
    return _step(request, difference, take, "You now own this case.")


def _give_back(request: HttpRequest, difference: Difference) -> HttpResponse:
    return _step(request, difference, assigning.give_back, "You no longer own this case.")


def _step(
    request: HttpRequest, difference: Difference, act: Callable[[Any, Difference], None], done: str
) -> HttpResponse:
    to = reverse(PAGE, args=[difference.pk])
    if request.method != "POST":
        return form_lost(request, to)
    try:
        act(staff_of(request), difference)
    except CaseChanged as no:
        messages.warning(request, f"Nothing changed. {no}")
    else:
        messages.success(request, done)
    return HttpResponseRedirect(to)


def _accept(request: HttpRequest, difference: Difference) -> HttpResponse:
    back = reverse(PAGE, args=[difference.pk])
    if difference.state not in OPEN_STATES:
        messages.warning(request, f"Nothing changed. This case is already {difference.state}.")
        return HttpResponseRedirect(back)

    def decide(given: dict[str, Any]) -> str:
        try:
            assigning.accept(staff_of(request), difference, reason=given["reason"])
        except CaseChanged as no:
            raise CannotResolve(str(no)) from None
        return "The difference is accepted."

    is_anothers = difference.owner_id not in (None, request.user.pk)
    return decision_page(
        request,
        Decision(
            title="Accept a difference",
            about=_about(difference),
            form=ReasonForm,
            preview=lambda _: Preview(_ACCEPTING),
            decide=decide,
            back=back,
            owner=difference.owner.get_username() if difference.owner and is_anothers else "",
        ),
    )


def _about(difference: Difference) -> list[tuple[str, Any]]:
    about = [
        ("Difference", difference.get_kind_display()),
        ("Amount", amount_of(difference)),
        ("Bank", difference.bank),
        ("Payment", difference.payment.public_id if difference.payment else ""),
        ("Bank's reference", difference.line.reference if difference.line else ""),
        ("Owner", difference.owner.get_username() if difference.owner else "none"),
    ]
    return [(name, value) for name, value in about if value]


_ACCEPTING = [
    ("Case", "Is closed as accepted, with your reason."),
    ("Money", "Nothing moves, and no payment changes: books and bank go on disagreeing about it."),
    ("Later", "It opens again if a run finds another amount."),
]


def _address(name: str, difference: Difference) -> str:
    return reverse(f"admin:reconciliation_{name}", args=[difference.pk])
