"""Takes in the statement files that banks have delivered into a folder, FICPAY_STATEMENTS.

The folder has a subfolder for each bank, by its name. A file that is complete is imported; then it moves to
`done/` beside it, or to `refused/` with a text file that says why, and the bank is reconciled. A crash in
between does no harm: the file is found again, known by its contents, and moved.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from payments.engine.abilities import banks_with_statements
from reconciliation.services.imports import AlreadyImported, Busy, Refused, import_file
from reconciliation.services.reconcile import reconcile

log = structlog.get_logger("reconciliation.inbox")
# A file that nobody has written to for so long is complete.
QUIET = 30.0  # seconds
_UNFINISHED = (".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".swp")
DONE, REFUSED = "done", "refused"


@dataclass(frozen=True)
class Taken:
    """What became of one file. `why` has the sentences for a refused one, and for one that waits."""

    bank: str
    name: str
    result: Literal["imported", "known", "refused", "waits"]
    why: str = ""


def take_in(folder: Path, *, actor: str, quiet: float = QUIET) -> list[Taken]:
    """Import every complete file, the oldest name first, and reconcile its bank.

    A bank whose folder another process works on is left to that process. Files and folders of no known bank
    stay where they are. Raises OSError where the folder cannot be read; and the first error of a file, after
    all others were taken in.
    """
    taken: list[Taken] = []
    errors: list[Exception] = []
    known = banks_with_statements()
    strangers = [one.name for one in folder.iterdir() if one.is_dir() and one.name not in known]
    if strangers:
        log.warning("folders_of_no_bank", folders=sorted(strangers), banks=known)
    for bank in known:
        if not (inbox := folder / bank).is_dir():
            continue
        with _alone(inbox) as is_ours:
            results = []
            for file in _complete(inbox, quiet) if is_ours else []:
                try:
                    results.append(_take(file, bank, actor))
                except Exception as error:
                    log.exception("statement_not_taken_in", bank=bank, file=file.name)
                    errors.append(error)
        taken += results
        if any(one.result in ("imported", "known") for one in results):
            reconcile(bank, actor=actor)
    if errors:
        raise errors[0]
    return taken


@contextmanager
def _alone(inbox: Path) -> Iterator[bool]:
    """Whether no other process works on this folder. The lock ends with its process."""
    descriptor = os.open(inbox, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def _complete(inbox: Path, quiet: float) -> list[Path]:
    """The files that are there in full, by name: names begin with the date, as a rule."""
    return sorted(one for one in inbox.iterdir() if _is_wanted(one) and _is_quiet(one, quiet))


def _is_wanted(path: Path) -> bool:
    is_hidden = path.name.startswith((".", "~"))
    return (
        path.is_file() and not path.is_symlink() and not is_hidden and path.suffix.lower() not in _UNFINISHED
    )


def _is_quiet(path: Path, quiet: float) -> bool:
    """By the time of its last change, which no sender can set back."""
    try:
        return time.time() - path.stat().st_ctime >= quiet
    except FileNotFoundError:
        return False


def _take(path: Path, bank: str, actor: str) -> Taken:
    before = _stamp(path)
    try:
        import_file(path, bank=bank, actor=actor, name=path.name)
        taken = Taken(bank, path.name, "imported")
    except Busy as busy:
        return Taken(bank, path.name, "waits", str(busy))
    except AlreadyImported:
        taken = Taken(bank, path.name, "known")
    except Refused as refused:
        taken = Taken(bank, path.name, "refused", "\n".join(refused.sentences))
    if before is None or _stamp(path) != before:
        # It has grown meanwhile: it stays, and is taken in again, in full.
        log.warning("statement_still_written", bank=bank, file=path.name)
        return taken
    if taken.result == "refused":
        target = _free(path.parent / REFUSED, path.name)
        with _reason(target).open("x", encoding="utf-8") as reason:
            reason.write(f"{taken.why}\n")
        path.rename(target)
        log.error("statement_refused", bank=bank, file=path.name, why=taken.why)
    else:
        path.rename(_free(path.parent / DONE, path.name))
        log.info("statement_taken_in", bank=bank, file=path.name, result=taken.result)
    return taken


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _free(folder: Path, name: str) -> Path:
    """A path in the folder that no other file has: `a.csv`, `a-2.csv`, `a-3.csv`.

    Whoever delivers may write here: no link of theirs is followed. Raises OSError where the folder is one.
    """
    folder.mkdir(exist_ok=True)
    if folder.is_symlink():
        raise OSError(f"{folder} is a symbolic link")
    wanted = target = folder / name
    number = 1
    while os.path.lexists(target) or os.path.lexists(_reason(target)):
        number += 1
        target = wanted.with_stem(f"{wanted.stem}-{number}")
    return target


def _reason(refused: Path) -> Path:
    """The text file that says why."""
    return refused.with_name(f"{refused.name}.txt")
