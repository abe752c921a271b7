"""The pages that an error's `type` refers to: what the error means and what to do, as HTML or JSON."""

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
    """All errors by status, and the codes of invalid fields."""
    content = {"problems": [_described(code) for code in PROBLEMS], "field_errors": FIELD_ERRORS}
    return _response(request, "problems/all.html", content)


@vary_on_headers("Accept")
@require_safe
def one_problem(request: HttpRequest, code: str) -> HttpResponse:
    """One error. Raises Http404 for an unknown code."""
    if code not in PROBLEMS:
        raise Http404
    content = _described(code) | {"example": problem(code)}
    if code == "validation_error":
        content["field_errors"] = FIELD_ERRORS
    return _response(request, "problems/one.html", content)


def _described(code: str) -> dict[str, Any]:
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


def _response(request: HttpRequest, template: str, content: dict[str, Any]) -> HttpResponse:
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return JsonResponse(content)
    example = {"example": json.dumps(content["example"], indent=2)} if "example" in content else {}
    return render(request, template, _marked_up(content | example))


def _marked_up(content: Any) -> Any:
    """All texts as HTML: escaped, with the parts in backticks as <code>."""
    match content:
        case str():
            return mark_safe(_CODE.sub(r"<code>\1</code>", escape(content)))  # noqa: S308 - escaped just now
        case dict():
            return {name: _marked_up(each) for name, each in content.items()}
        case list():
            return [_marked_up(each) for each in content]
        case _:
            return content
