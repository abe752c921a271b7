"""Strict JSON: a body that two parsers could read differently is refused."""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.http import parse_header_parameters
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

_MOST_DIGITS = 1_000


class PayloadTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "payload_too_large"


class StrictJSONParser(BaseParser):
    """UTF-8 JSON of limited size, without duplicate names, NaN or Infinity.

    Raises UnsupportedMediaType, PayloadTooLarge and ParseError. Their messages do not quote the body, which
    may contain a card.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        _check_charset(media_type or "")
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        try:
            content = stream.read(limit + 1)
        except OSError:
            raise ParseError("The body is incomplete: the connection was closed early.") from None
        if len(content) > limit:
            raise PayloadTooLarge(f"The body is larger than {limit} bytes.")
        try:
            return json.loads(
                content.decode("utf-8"),
                object_pairs_hook=_once_each,
                parse_constant=_no_constant,
                parse_int=_integer,
            )
        except _Ambiguous as error:
            raise ParseError(str(error)) from None
        except (ValueError, RecursionError):
            raise ParseError("The body is not valid UTF-8 JSON.") from None


def _check_charset(media_type: str) -> None:
    """JSON is UTF-8 (RFC 8259). A body declared with another charset would be misread, so it is refused."""
    _, parameters = parse_header_parameters(media_type)
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(media_type)


class _Ambiguous(Exception):
    pass


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise _Ambiguous("The body contains an object with the same name twice.")
    return named


def _integer(digits: str) -> int:
    """Cut very long integers short: Python refuses more than 4,300 digits. No field accepts such values."""
    return int(digits[:_MOST_DIGITS])


def _no_constant(_name: str) -> Any:
    raise _Ambiguous("The body contains NaN or Infinity, which are not valid JSON.")
