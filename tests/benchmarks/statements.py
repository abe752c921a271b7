"""`make statements-benchmark`: how long the import of a statement of LINES (1,000,000) lines takes.

A file of each form, and a tenth of it before, go through `import_file` in a process of their own, which has
the application's role and settings, into a PostgreSQL with its defaults (fsync included). Then come the same
lines again in another file: nothing is new in it. Memory is the process's at its largest.

Ends with 1 if the whole file takes longer than a minute or more than 300 MB, and the tenth is no tenth of it.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
os.environ["FICPAY_LOG_LEVEL"] = "ERROR"

LONGEST, LARGEST = 60.0, 300  # seconds, MB
TEN_TIMES = 14.0  # as much time for ten times the lines, at most

DAY = datetime(2026, 11, 21, tzinfo=UTC)


def main() -> int:
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    from tests.settings import POSTGRES  # noqa: PLC0415
    from tests.support.application_role import grant_privileges  # noqa: PLC0415
    from tests.support.gateway_server import environment_of_a_process  # noqa: PLC0415

    lines = int(os.environ.get("LINES") or 1_000_000)
    for option in ("fsync", "synchronous_commit", "full_page_writes"):
        POSTGRES.options[option] = "on"
    with POSTGRES, tempfile.TemporaryDirectory() as folder:
        POSTGRES.create_database("ficpay")
        call_command("migrate", verbosity=0)
        grant_privileges()
        environment = environment_of_a_process("http://127.0.0.1:1")
        connection.close()
        print(f"{'':32}{'seconds':>9}{'of them reading':>17}{'lines a second':>16}{'MB':>6}")
        wrong = []
        for seed, form in enumerate(("csv", "xml")):
            taken = []
            for size in (lines // 10, lines):
                file = Path(folder, f"{size}.{form}")
                write(file, size, seed=seed * 2 + (size == lines))
                taken.append(_measured(f"{size:,} lines of {_NAMES[form]}", file, environment))
            with file.open("a") as same:
                same.write("\n")
            _measured("the same lines again", file, environment)
            (small, _), (whole, memory) = taken
            if whole > LONGEST or memory > LARGEST or whole > small * TEN_TIMES:
                wrong.append(f"{_NAMES[form]} took {whole:.0f} s and {memory} MB: too much.")
    print("\n".join(wrong) or f"Within {LONGEST:.0f} s and {LARGEST} MB.")
    return 1 if wrong else 0


_NAMES = {"csv": "CSV", "xml": "camt.053"}


def _measured(what: str, file: Path, environment: dict[str, str]) -> tuple[float, int]:
    """Seconds and MB of one import."""
    command = [sys.executable, "-m", "tests.benchmarks.statements", str(file)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    seconds, memory = told["seconds"], told["kilobytes"] // 1024
    print(
        f"{what:32}{seconds:>9.1f}{told['reading']:>17.1f}{told['lines'] / seconds:>16,.0f}{memory:>6}",
        flush=True,
    )
    return seconds, memory


def import_one(file: Path) -> None:
    """In a process of its own: import the file, and print what it took."""
    import resource  # noqa: PLC0415

    from reconciliation.services.imports import import_file  # noqa: PLC0415

    begun = time.perf_counter()
    read_at = begun

    def note(_bytes: int) -> None:
        nonlocal read_at
        read_at = time.perf_counter()

    lines = import_file(file, bank="ficmart", actor="operator", progress=note).file.lines
    told = {
        "lines": lines,
        "seconds": time.perf_counter() - begun,
        "reading": read_at - begun,
        "kilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps(told))


def write(file: Path, lines: int, *, seed: int) -> None:
    """A statement of so many holds and captures, oldest first, in the form that the file's name says."""
    with file.open("w") as out:
        (_write_csv if file.suffix == ".csv" else _write_camt)(out, _entries(lines, seed))


def _entries(lines: int, seed: int) -> Iterator[tuple[str, str, str, int, datetime]]:
    """Each with its id, its type, what it names, its cents, its time."""
    numbers = random.Random(seed)
    hold = ""
    for number in range(lines):
        own = str(UUID(int=numbers.getrandbits(128), version=4))
        at = DAY + timedelta(microseconds=number * (86_000_000_000 // lines) + 123)
        if number % 2 == 0:
            hold = own
            yield own, "AUTH_HOLD", "", 5000 + number % 100, at
        else:
            yield own, "CAPTURE", hold, 4999 + number % 100, at


def _write_csv(out: TextIO, entries: Iterator[tuple[str, str, str, int, datetime]]) -> None:
    out.write("entry_id,type,reference_id,amount_cents,currency,created_at\n")
    for own, kind, names, cents, at in entries:
        out.write(f"{own},{kind},{names},{cents},USD,{at:%Y-%m-%dT%H:%M:%S.%f}789Z\n")


def _write_camt(out: TextIO, entries: Iterator[tuple[str, str, str, int, datetime]]) -> None:
    out.write(
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.08'><BkToCstmrStmt>"
        "<GrpHdr><MsgId>1</MsgId></GrpHdr><Stmt><Id>1</Id><FrToDt><FrDtTm>2026-11-21T00:00:00Z</FrDtTm><ToDtTm>2026-11-22T00:00:00Z"
        "</ToDtTm></FrToDt>\n"
    )
    for own, kind, names, cents, at in entries:
        refs = f"<TxId>{names}</TxId>" if names else ""
        out.write(
            f"<Ntry><NtryRef>{own}</NtryRef><Amt Ccy='USD'>{cents // 100}.{cents % 100:02}</Amt>"
            f"<CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>{'BOOK' if names else 'PDNG'}</Cd></Sts>"
            f"<BookgDt><DtTm>{at.isoformat()}</DtTm></BookgDt><BkTxCd><Prtry><Cd>{kind}</Cd></Prtry></BkTxCd>"
            f"<NtryDtls><TxDtls><Refs><AcctSvcrRef>{own}</AcctSvcrRef>{refs}</Refs></TxDtls></NtryDtls></Ntry>\n"
        )
    out.write("</Stmt></BkToCstmrStmt></Document>\n")


if __name__ == "__main__":
    django.setup()
    if len(sys.argv) > 1:
        import_one(Path(sys.argv[1]))
    else:
        sys.exit(main())
