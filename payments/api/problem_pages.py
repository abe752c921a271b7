"""The pages that an error's `type` names: what it means and what to do, for people and for programs."""

import json
import re
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from payments.api.field_errors import FIELD_ERRORS
from payments.api.problem_examples import problem
from payments.domain.problems import PROBLEMS, type_of

_CODE = re.compile(r"`([^`]+)`")


@vary_on_headers("Accept")
@require_safe
def every_problem(request: HttpRequest) -> HttpResponse:
    """All errors by status, and the codes of invalid fields: a page, or JSON for who prefers that."""
    told = {"problems": [_told(code) for code in PROBLEMS], "field_errors": FIELD_ERRORS}
    return _answered(request, "problems/all.html", told)


@vary_on_headers("Accept")
@require_safe
def one_problem(request: HttpRequest, code: str) -> HttpResponse:
    """One error. Raises Http404 for a code that is none."""
    if code not in PROBLEMS:
        raise Http404
    told = _told(code) | {"example": problem(code)}
    if code == "validation_error":
        told["field_errors"] = FIELD_ERRORS
    return _answered(request, "problems/one.html", told)


def _told(code: str) -> dict[str, Any]:
    known = PROBLEMS[code]
    return {
        "type": type_of(code),
        "code": code,
        "status": known.status,
        "title": known.title,
        "cause": known.cause,
        "money_moved": known.money_moved,
        "again": known.again.value,
        "next": known.next,
        "retry_after": known.retry_after,
        "cases": [{"when": when, "next": text} for when, text in known.cases],
    }


def _answered(request: HttpRequest, template: str, told: dict[str, Any]) -> HttpResponse:
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return JsonResponse(told)
    example = {"example": json.dumps(told["example"], indent=2)} if "example" in told else {}
    return render(request, template, _marked_up(told | example))


def _marked_up(told: Any) -> Any:
    """The sentences with what stands in backticks as code; everything escaped."""
    match told:
        case str():
            return mark_safe(_CODE.sub(r"<code>\1</code>", escape(told)))  # noqa: S308 - escaped just now
        case dict():
            return {name: _marked_up(each) for name, each in told.items()}
        case list():
            return [_marked_up(each) for each in told]
        case _:
            return told
