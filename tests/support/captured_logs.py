"""What the gateway's own log handler writes, whatever pytest does to standard output meanwhile."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import structlog


@contextmanager
def captured_logs() -> Iterator[StringIO]:
    """The finished lines, as they would be printed."""
    (handler,) = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler)
        and isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)
    ]
    lines = StringIO()
    before = handler.setStream(lines)
    try:
        yield lines
    finally:
        handler.setStream(before)
