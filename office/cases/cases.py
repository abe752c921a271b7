"""Buttons that take, take over or give back a case. Each returns to the page it was pressed on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.cache import never_cache

from office.cases import assignments
from office.cases.assignments import AlreadyAssigned
from office.decisions.actions import QUEUE, resolutions_of
from office.decisions.permissions import APPROVE, RESOLVE
from office.decisions.subjects import find_operation, owner_of, page_of
from office.log.actors import staff_of
from office.pages.search_forms import form_lost
from payments.models import Operation

_FROM_PAYMENT = "from_payment"  # a field of the payment page's forms


@dataclass(frozen=True)
class Case:
    """An operation that staff must settle, its owner, and the assignment buttons the reader may use."""

    operation: Operation
    owner: str
    buttons: list[tuple[str, str]]


def cases_of(request: HttpRequest, operations: list[Operation]) -> list[Case]:
    """The operations of a payment that staff must settle."""
    return [_as_seen_by(request, one) for one in operations if resolutions_of(one)]


def _as_seen_by(request: HttpRequest, operation: Operation) -> Case:
    owner = owner_of(operation)
    step = ""
    if not owner:
        step = "take"
    elif owner == request.user.get_username():
        step = "give_back"
    elif request.user.has_perm(APPROVE):
        step = "take_over"
    may = step and request.user.has_perm(RESOLVE)
    address = [reverse(f"admin:payments_{step}", args=[operation.pk])] if may else []
    return Case(operation, owner, [(step.replace("_", " ").capitalize(), one) for one in address])


def urls(site: admin.AdminSite) -> list[Any]:
    """One URL per button, below the list of payments."""

    def step(name: str, act: Callable[[HttpRequest, Operation], None], *permissions: str) -> Any:
        def view(request: HttpRequest, operation_id: UUID) -> HttpResponse:
            if not request.user.has_perms(permissions):
                raise PermissionDenied
            operation = find_operation(operation_id)
            to = page_of(operation) if _FROM_PAYMENT in request.POST else reverse(QUEUE)
            if request.method != "POST":
                return form_lost(request, to)
            act(request, operation)
            return HttpResponseRedirect(to)

        route = f"operations/<uuid:operation_id>/{name}/"
        return path(route, site.admin_view(never_cache(view)), name=f"payments_{name.replace('-', '_')}")

    return [
        step("take", _take, RESOLVE),
        step("take-over", _take_over, RESOLVE, APPROVE),
        step("give-back", _give_back, RESOLVE),
    ]


def _take(request: HttpRequest, operation: Operation) -> None:
    try:
        assignments.take(staff_of(request), operation)
    except AlreadyAssigned as owner:
        messages.warning(request, f"Nothing changed: {_case(operation)} is assigned to {owner}.")
    else:
        messages.success(request, f"You now own {_case(operation)}.")


def _take_over(request: HttpRequest, operation: Operation) -> None:
    assignments.take_over(staff_of(request), operation)
    messages.success(request, f"You now own {_case(operation)}.")


def _give_back(request: HttpRequest, operation: Operation) -> None:
    if assignments.give_back(staff_of(request), operation):
        messages.success(request, f"You no longer own {_case(operation)}.")
    else:
        messages.warning(request, f"Nothing changed: you did not own {_case(operation)}.")


def _case(operation: Operation) -> str:
    return f"the {operation.kind} of {operation.payment or operation.target_reference}"
