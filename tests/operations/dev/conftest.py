"""What the tests of the two commands share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory under which a socket's path fits: pytest's own lie deep."""
    with tempfile.TemporaryDirectory(prefix="ficpay-") as directory:
        yield Path(directory)
