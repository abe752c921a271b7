"""Run mutmut over payments/domain, whole, and over a sample of payments/engine.

    python -m tests.mutants                                     # both; `domain` or `engine` for one
    python -m tests.mutants domain 'payments.domain.cards.*'    # some of the domain, by mutmut's names

Settings (environment): MUTANTS (40), how many mutants of the engine are tried; MUTANTS_SEED (1), which ones;
MUTANTS_PROCESSES (1), how many at once for the domain; MUTANTS_SECONDS (870), when to stop. A mutant of the
engine is judged by the fastest tests that reach it, up to some seconds of them, on one PostgreSQL for all.
Everything happens in a copy of the project. What was not tried in time is said.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from mutmut.stats import status_by_exit_code

from dev.postgres import EmbeddedPostgres
from tests.support.project import PROJECT

MUTMUT = Path(sys.executable).with_name("mutmut")
TESTS_FOR_ONE = 8.0  # seconds of tests that judge a mutant of the engine
SOURCES = ("bank", "dev", "docs", "ficpay", "office", "payments", "reconciliation", "templates", "tests")
CAUGHT = {"killed", "timeout"}
SURVIVED = {"survived", "no tests"}


@dataclass(frozen=True)
class Target:
    """A package, the tests that are to see it broken, and what pytest is told besides."""

    package: str
    tests: tuple[str, ...]
    options: tuple[str, ...] = ()

    @property
    def settings(self) -> str:
        also = [*(tree for tree in SOURCES if tree not in ("payments", "tests")), "manage.py"]
        values = {
            "source_paths": ["payments"],
            "only_mutate": [f"{self.package}/*"],
            "also_copy": also,
            "pytest_add_cli_args": ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *self.options],
            "pytest_add_cli_args_test_selection": list(self.tests),
            "use_git_change_detection": False,
            "track_dependencies": False,
            "process_isolation": "forkserver",
            "debug": True,  # what pytest says is in the log
        }
        return "\n[tool.mutmut]\n" + "".join(f"{name} = {json.dumps(is_)}\n" for name, is_ in values.items())


# Without the tests that read the sources, and those that measure time or wait for it.
DOMAIN = Target(
    "payments/domain",
    (
        "tests/domain",
        "--ignore=tests/domain/test_bank_words.py",
        "--deselect=tests/domain/test_cards.py::TestALongText",
    ),
)
ENGINE = Target(
    "payments/engine",
    (
        "tests/engine",
        *(
            f"--ignore=tests/engine/test_{slow}.py"
            for slow in ("pacing", "recovery", "late_senders", "sending", "statements")
        ),
    ),
    ("--reuse-db", "-p", "tests.mutants.fresh"),
)


@dataclass
class Result:
    """What became of the chosen mutants of a package: mutmut's status for each name."""

    package: str
    all_of_them: int
    statuses: dict[str, str]
    copy: Path

    def show(self) -> None:
        counted = Counter(self.statuses.values())
        caught = sum(counted[status] for status in CAUGHT)
        survived = sorted(name for name, status in self.statuses.items() if status in SURVIVED)
        tried = caught + len(survived)
        share = f"{100 * caught / tried:.1f} %" if tried else "none"
        _say(f"\n{self.package}: {caught} of {tried} mutants caught ({share}).")
        _say(f"  {self.all_of_them} mutants exist, {len(self.statuses)} were chosen: {dict(counted)}.")
        for name in survived:
            _say(f"  {self.statuses[name]}: {name}")
            _say(self._difference(name))

    def _difference(self, name: str) -> str:
        shown = subprocess.run(
            [MUTMUT, "show", name], cwd=self.copy, capture_output=True, text=True, check=False
        ).stdout.splitlines()
        changed = [line for line in shown if line[:1] in {"+", "-"} and line[:3] not in {"+++", "---"}]
        return "\n".join(f"      {line}" for line in changed)


def try_domain(home: Path, seconds: float, *names: str) -> Result:
    """All mutants, or those of these names."""
    copy = _copied(home / "domain", DOMAIN)
    _mutmut(copy, seconds, *names, processes=_setting("MUTANTS_PROCESSES", 1))
    statuses = _statuses(copy)
    chosen = [name for name in statuses if not names or any(fnmatch(name, each) for each in names)]
    return Result(DOMAIN.package, len(statuses), {name: statuses[name] for name in chosen}, copy)


def try_engine(home: Path, seconds: float) -> Result:
    """A sample, drawn by a fixed seed."""
    ends = time.monotonic() + seconds
    copy = _copied(home / "engine", ENGINE)
    with _postgres(home):
        # Only until mutmut has made all mutants, and found out which tests reach what, and how fast.
        stats = copy / "mutants" / "mutmut-stats.json"
        _mutmut(copy, seconds, until=stats)
        if not stats.exists():
            sys.exit("The tests of payments/engine have not run through in time. Give MUTANTS_SECONDS more.")
        _leave_the_fastest_tests(stats)
        names = sorted(_statuses(copy))
        draw = random.Random(_setting("MUTANTS_SEED", 1))
        chosen = draw.sample(names, min(len(names), _setting("MUTANTS", 40)))
        _forget_verdicts(copy)
        _mutmut(copy, ends - time.monotonic(), *chosen)
    statuses = _statuses(copy)
    return Result(ENGINE.package, len(names), {name: statuses[name] for name in chosen}, copy)


def _copied(copy: Path, target: Target) -> Path:
    for tree in SOURCES:
        shutil.copytree(PROJECT / tree, copy / tree, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "manage.py", copy)
    settings = (PROJECT / "pyproject.toml").read_text() + target.settings
    (copy / "pyproject.toml").write_text(settings)
    return copy


@contextmanager
def _postgres(home: Path) -> Iterator[None]:
    """A server that outlives each run of tests, so that its database is made once."""
    directory = home / "pg"
    os.environ["FICPAY_TESTS_POSTGRES"] = str(directory)
    switched_off = ("fsync", "synchronous_commit", "full_page_writes", "autovacuum")
    options = dict.fromkeys(switched_off, "off")
    with EmbeddedPostgres(directory, options=options):
        yield


def _mutmut(copy: Path, seconds: float, *names: str, processes: int = 1, until: Path | None = None) -> None:
    """Try these mutants, or all. What has not been tried in time, or `until` a file is there, is left."""
    ends = time.monotonic() + seconds
    log = copy / "mutmut.log"
    with log.open("ab") as output:
        running = subprocess.Popen(
            [MUTMUT, "run", "--max-children", str(processes), *names],
            cwd=copy,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            while (code := running.poll()) is None:
                if until is not None and _is_whole(until):
                    return
                if time.monotonic() > ends:
                    _say(f"  stopped after {seconds:.0f} seconds")
                    return
                time.sleep(0.2)
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
    if code:
        sys.exit(f"mutmut failed:\n{log.read_text()[-4000:]}")


def _is_whole(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return False
    return True


def _metas(copy: Path) -> Iterator[tuple[Path, dict[str, dict[str, int | None]]]]:
    for path in sorted((copy / "mutants").rglob("*.meta")):
        yield path, json.loads(path.read_text())


def _statuses(copy: Path) -> dict[str, str]:
    return {
        name: status_by_exit_code[code]
        for _, meta in _metas(copy)
        for name, code in meta["exit_code_by_key"].items()
    }


def _forget_verdicts(copy: Path) -> None:
    for path, meta in _metas(copy):
        meta["exit_code_by_key"] = dict.fromkeys(meta["exit_code_by_key"])
        path.write_text(json.dumps(meta))


def _leave_the_fastest_tests(stats: Path) -> None:
    """Of the tests that reach a function, those that take some seconds together."""
    known = json.loads(stats.read_text())
    took = known["duration_by_test"]
    for function, tests in known["tests_by_mangled_function_name"].items():
        kept, seconds = [], 0.0
        for test in sorted(tests, key=lambda test: (took[test], test)):
            seconds += took[test]
            if kept and seconds > TESTS_FOR_ONE:
                break
            kept.append(test)
        known["tests_by_mangled_function_name"][function] = kept
    stats.write_text(json.dumps(known))


def _setting(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    # Asked to stop, it takes what it has started with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ends = time.monotonic() + _setting("MUTANTS_SECONDS", 870)
    packages = {word for word in sys.argv[1:] if word in ("domain", "engine")} or {"domain", "engine"}
    names = [word for word in sys.argv[1:] if word not in packages]
    home = Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        if "domain" in packages:
            _say("Trying mutants of payments/domain...")
            try_domain(home, ends - time.monotonic(), *names).show()
        if "engine" in packages:
            _say("Trying mutants of payments/engine...")
            try_engine(home, ends - time.monotonic()).show()
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
