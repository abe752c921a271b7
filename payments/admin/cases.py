"""Who looks after a case of the review queue. One click each, and back to the queue."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.cache import never_cache

from payments.admin.actors import staff_of
from payments.admin.decisions.actions import APPROVE, QUEUE, RESOLVE
from payments.admin.decisions.subjects import find_operation
from payments.admin.sent import not_sent
from payments.models import Operation
from payments.services import assignments
from payments.services.assignments import LookedAfter


def urls(site: admin.AdminSite) -> list[Any]:
    """One address a step, below the list of payments."""

    def step(name: str, act: Callable[[HttpRequest, Operation], None], *permissions: str) -> Any:
        def view(request: HttpRequest, operation_id: UUID) -> HttpResponse:
            if not request.user.has_perms(permissions):
                raise PermissionDenied
            if request.method != "POST":
                return not_sent(request, reverse(QUEUE))
            act(request, find_operation(operation_id))
            return HttpResponseRedirect(reverse(QUEUE))

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
    except LookedAfter as by:
        messages.warning(request, f"Nothing has changed: {by} looks after {_case(operation)}.")
    else:
        messages.success(request, f"You look after {_case(operation)}.")


def _take_over(request: HttpRequest, operation: Operation) -> None:
    assignments.take_over(staff_of(request), operation)
    messages.success(request, f"You look after {_case(operation)}.")


def _give_back(request: HttpRequest, operation: Operation) -> None:
    if assignments.give_back(staff_of(request), operation):
        messages.success(request, f"Nobody looks after {_case(operation)} any more.")
    else:
        messages.warning(request, f"Nothing has changed: you did not look after {_case(operation)}.")


def _case(operation: Operation) -> str:
    return f"the {operation.kind} of {operation.payment or operation.target_reference}"
