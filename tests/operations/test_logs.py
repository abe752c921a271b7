"""Logs: structured lines, and no card number in any part of them."""

import json
import logging
import subprocess
import sys
from functools import partial
from typing import Any

import pytest
import structlog

from tests.support.captured_logs import captured_logs
from tests.support.simulated_bank import PROJECT

NUMBER = "4916338506082832"
MASKED = "************2832"


def logged(write: Any) -> dict[str, Any]:
    with captured_logs() as lines:
        write()
    line: dict[str, Any] = json.loads(lines.getvalue())
    assert NUMBER not in lines.getvalue()
    return line


class TestMask:
    def test_every_kind_of_value_is_masked(self) -> None:
        for value in (
            NUMBER,
            int(NUMBER),
            -int(NUMBER),
            float(NUMBER),
            NUMBER.encode(),
            f"a {NUMBER} b",
            "4916 3385 0608 2832",
            "4916-3385-0608-2832",
            [NUMBER],
            (NUMBER,),
            {NUMBER},
            {"a": {"b": [{"c": NUMBER}]}},
            {NUMBER: "a"},
            ValueError(NUMBER),
        ):
            line = logged(partial(structlog.get_logger("tests").info, "event", value=value))
            shown = json.dumps(line["value"])
            assert "2832" in shown, value
            assert "4916" not in shown, value

    def test_the_message_and_its_arguments_are_masked(self) -> None:
        log = logging.getLogger("tests")
        assert logged(lambda: log.info(f"card {NUMBER}"))["event"] == f"card {MASKED}"  # noqa: G004
        assert (
            logged(lambda: log.info("card %s %d", NUMBER, int(NUMBER)))["event"] == f"card {MASKED} {MASKED}"
        )
        assert logged(lambda: structlog.get_logger("t").info("card %s", NUMBER))["event"] == f"card {MASKED}"

    def test_extras_and_names_are_masked(self) -> None:
        line = logged(lambda: logging.getLogger("tests").info("event", extra={"note": {NUMBER: NUMBER}}))
        assert line["note"] == {MASKED: MASKED}
        assert MASKED in logged(lambda: structlog.get_logger("tests").info("event", **{NUMBER: "name"}))

    @pytest.mark.parametrize("log", [logging.getLogger("tests"), structlog.get_logger("tests")], ids=type)
    def test_an_exceptions_text_is_masked_and_its_locals_are_not_shown(self, log: Any) -> None:
        def fail() -> None:
            cvv = "8642"
            try:
                try:
                    raise ValueError(f"inner {NUMBER}")
                except ValueError as inner:
                    raise RuntimeError(f"outer {NUMBER} {len(cvv)}") from inner
            except RuntimeError:
                log.exception("failed")

        line = logged(fail)
        assert f"inner {MASKED}" in line["exception"]
        assert f"outer {MASKED}" in line["exception"]
        assert "8642" not in line["exception"].replace('cvv = "8642"', "")

    def test_bound_context_is_masked(self) -> None:
        with structlog.contextvars.bound_contextvars(note=NUMBER):
            assert logged(lambda: logging.getLogger("tests").info("event"))["note"] == MASKED

    def test_ordinary_values_are_left_alone(self) -> None:
        values = {
            "a": 5,
            "b": 1.5,
            "c": None,
            "d": True,
            "e": [1, "2"],
            "f": 1763726400123456,
            "g": "order-1001",
        }
        line = logged(lambda: structlog.get_logger("tests").info("event", **values))
        assert {name: line[name] for name in values} == values

    def test_a_line_that_cannot_be_formatted_is_not_printed_raw(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with captured_logs():
            logging.getLogger("tests").info("%d", NUMBER)
        assert NUMBER not in capfd.readouterr().err


class TestFormats:
    @pytest.mark.parametrize("log_format", ["json", "console"])
    def test_one_line_is_one_event_whatever_is_in_it(self, log_format: str) -> None:
        code = (
            "from ficpay.logs import configure_logging; import structlog, logging;"
            f"configure_logging(log_format={log_format!r}, level='INFO');"
            "structlog.get_logger('a').info('request', path='/a\\nforged [info]', card='4916338506082832');"
            "logging.getLogger('b').info('plain'); logging.getLogger('b').debug('quiet')"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
        )
        assert len(done.stderr.splitlines()) == 2, done.stderr
        assert MASKED in done.stderr
        assert NUMBER not in done.stderr
        assert done.stdout == ""
