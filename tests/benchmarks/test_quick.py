"""The benchmark runs from end to end. What it measures here means nothing: no test asserts a time."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.gateway_server import PROJECT


def test_measures_an_authorize_beside_floor_and_bare(tmp_path: Path) -> None:
    few = {"SECTIONS": "floor,bare,authorize", "CLIENTS": "2", "ROUNDS": "1", "SECONDS": "0.3"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.gateway", "quick"],
        cwd=PROJECT,
        env={**os.environ, **few, "BENCH_OUT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    rows = json.loads((tmp_path / "results.json").read_text())["tables"]["Hot path"]
    assert list(rows) == ["floor, 2 clients", "bare, 2 clients", "authorize, 2 clients"]
    assert {"to bare", "to floor", "web CPU ms", "WAL kB"} < set(rows["authorize, 2 clients"])
    assert "authorize, 2 clients" in (tmp_path / "results.md").read_text()
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")
