"""Structured logs on standard error, with every card number masked.

Standard output is for a command's own output: programs read `reconcile pending --json`.

Our code does not log card data. Masking is the last line of defence, for card numbers that a caller puts into
a path, a header or the text of an exception.
"""

import logging.config
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from payments.domain.cards import mask_card_numbers


def mask_cards(_logger: Any, _method: str, event_dict: EventDict) -> EventDict:
    """Mask card numbers in all names and values, including nested ones and tracebacks."""
    return {mask_card_numbers(key): _masked(value) for key, value in event_dict.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask_card_numbers(value)
    if value is None or isinstance(value, bool | int | float):
        text = str(value)
        masked = mask_card_numbers(text)
        return value if masked == text else masked
    if isinstance(value, Mapping):
        return {_masked(key): _masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(inner) for inner in value]
    return mask_card_numbers(str(value))


def configure_logging(*, log_format: str, level: str) -> None:
    """Format the logs of structlog and of the standard library alike, as `console` or `json`."""
    logging.raiseExceptions = False  # or a record that cannot be formatted is printed raw, with its arguments
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,  # plain tracebacks, without local variables
        mask_cards,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: Processor = structlog.processors.JSONRenderer()
    if log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": [structlog.stdlib.ExtraAdder(), *shared],
                    "processors": [_without_internals, renderer],
                }
            },
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stderr",
                    "formatter": "structured",
                }
            },
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                # The middleware logs every request once, with its path masked.
                "django.server": {"level": "WARNING", "propagate": True, "handlers": []},
                "django.request": {"level": "ERROR"},
                "axes": {"level": "WARNING"},
                "_granian": {"level": "INFO", "propagate": True, "handlers": []},
                "granian.access": {"level": "CRITICAL"},
            },
        }
    )


def _without_internals(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> EventDict:
    for key in ("_record", "_from_structlog", "request", "server_time", "status_code"):
        event_dict.pop(key, None)
    return dict(event_dict)
