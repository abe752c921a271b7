"""Every call of the API, as the URL configuration has them: a new one needs no line in any list."""

import re
from collections.abc import Mapping

from payments.api.urls import urlpatterns

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def calls() -> list[tuple[str, str]]:
    """Method and path below `/api/v1`, the path with its parameters in braces."""
    return [
        (method.upper(), "/" + _PARAMETER.sub(r"{\1}", str(pattern.pattern)))
        for pattern in urlpatterns
        for method in pattern.callback.actions
        if method != "head"
    ]


def filled(path: str, values: Mapping[str, str]) -> str:
    """The path with these parameters. Raises KeyError for a parameter that has no value."""
    return path.format_map(values)
