"""As whom PostgreSQL runs: its server refuses to be root, and a container has often nobody else.

Root starts it in a user namespace of its own in which it is somebody else. Outside it stays root, so
that a directory only root may enter is no obstacle. Where namespaces are forbidden (many containers),
it becomes another user who keeps the one right it needs: to pass by directories of mode 0700.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


class NoUnprivilegedUser(Exception):
    """Root has no way to start a program as somebody else."""


@dataclass(frozen=True)
class Disguise:
    """The words to put before a command, and the user who must own its files, seen from here."""

    prefix: tuple[str, ...]
    owner: int

    def own(self, directory: Path) -> None:
        """Give a whole directory to that user, if the last start was under another one."""
        if directory.stat().st_uid == self.owner:
            return
        for path in [directory, *directory.rglob("*")]:
            os.chown(path, self.owner, -1, follow_symlinks=False)


def disguise() -> Disguise:
    """How to start PostgreSQL here. Raises NoUnprivilegedUser."""
    if os.geteuid() != 0:
        return Disguise(prefix=(), owner=os.geteuid())
    user = _somebody()
    unshare = ("unshare", "-U", f"--map-user={user}", f"--map-group={user}")
    if _works(unshare):
        return Disguise(prefix=unshare, owner=0)
    setpriv = (
        "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
        "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
    )  # fmt: skip
    if _works(setpriv):
        return Disguise(prefix=setpriv, owner=user)
    raise NoUnprivilegedUser(
        "PostgreSQL does not run as root, and neither `unshare` nor `setpriv` works here. "
        "Run as an ordinary user, or set DATABASE_URL to a PostgreSQL that runs elsewhere."
    )


def _somebody() -> int:
    """A user with a name: initdb insists on one. 1000 where it exists, the first person of most machines."""
    users = [entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0]
    return 1000 if 1000 in users else min(users, default=1000)


def _works(prefix: tuple[str, ...]) -> bool:
    if not shutil.which(prefix[0]):
        return False
    return subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
