"""Points where one process waits until another lets it go on, and its clock: files in a folder both know."""

import time
from pathlib import Path
from typing import Literal

# The operation and its attempt are committed; or the sender was told that it may, and has not sent a byte.
Gate = Literal["recorded", "permitted"]


class Gates:
    """Open, unless shut. The clock is the machine's, unless it is put forward."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shut(self, gate: Gate) -> None:
        self._file(gate, "reached").unlink(missing_ok=True)
        self._file(gate, "shut").touch()

    def open(self, gate: Gate) -> None:
        self._file(gate, "shut").unlink()

    def open_all(self) -> None:
        for shut in self._folder.glob("*.shut"):
            shut.unlink()

    def wait_until_reached(self, gate: Gate, *, seconds: float = 10) -> None:
        """Raises AssertionError where nobody comes."""
        deadline = time.monotonic() + seconds
        while not self._file(gate, "reached").exists():
            assert time.monotonic() < deadline, f"nobody came to the gate: {gate}"
            time.sleep(0.01)

    def pass_through(self, gate: Gate) -> None:
        """Wait while it is shut."""
        if self._file(gate, "shut").exists():
            self._file(gate, "reached").touch()
        while self._file(gate, "shut").exists():
            time.sleep(0.01)

    @property
    def ahead(self) -> float:
        """By how many seconds the process's clock is ahead of the machine's."""
        clock = self._folder / "clock"
        return float(clock.read_text()) if clock.exists() else 0.0

    def put_clock_forward(self, seconds: float) -> None:
        written = self._folder / "clock.new"
        written.write_text(str(self.ahead + seconds))
        written.rename(self._folder / "clock")

    def _file(self, gate: Gate, what: str) -> Path:
        return self._folder / f"{gate}.{what}"
