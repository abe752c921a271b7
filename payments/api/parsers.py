"""JSON, read strictly: what two readers could understand differently is refused."""

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
    """UTF-8 JSON without duplicate names and without NaN or Infinity, of limited size.

    Raises UnsupportedMediaType, PayloadTooLarge and ParseError. What was sent is not repeated: a card may be
    in it.
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
            raise ParseError("The body broke off.") from None
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
            raise ParseError("The body is not valid JSON in UTF-8.") from None


def _check_charset(media_type: str) -> None:
    """JSON is UTF-8 (RFC 8259); whoever names another charset means other text than we would read."""
    _, parameters = parse_header_parameters(media_type)
    if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(media_type)


class _Ambiguous(Exception):
    pass


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise _Ambiguous("The body has an object with the same name twice.")
    return named


def _integer(digits: str) -> int:
    """Python reads no more than 4,300 digits; no field takes as many, and each says how much it does take."""
    return int(digits[:_MOST_DIGITS])


def _no_constant(_name: str) -> Any:
    raise _Ambiguous("The body has a number that JSON does not know (NaN or Infinity).")
