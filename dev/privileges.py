"""Which user PostgreSQL runs as: its server refuses to run as root, which is often a container's only user.

If we are root, the server runs in its own user namespace, where it has another user id. Outside the namespace
it is still root, so it can enter directories that only root may enter. If namespaces are forbidden, as in
many containers, the server runs as another user who keeps one capability: to access directories of mode 0700.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


class NoUnprivilegedUser(Exception):
    """Root cannot start a program as another user here."""


@dataclass(frozen=True)
class Disguise:
    """The command prefix that changes the user, and the user who must own the files."""

    prefix: tuple[str, ...]
    owner: int

    def own(self, directory: Path) -> None:
        """Make that user own the whole directory, if the last start was as another one."""
        if directory.stat().st_uid == self.owner:
            return
        for path in [directory, *directory.rglob("*")]:
            os.chown(path, self.owner, -1, follow_symlinks=False)


def disguise() -> Disguise:
    """How to start PostgreSQL without being root. Raises NoUnprivilegedUser."""
    if os.geteuid() != 0:
        return Disguise(prefix=(), owner=os.geteuid())
    user = _another_user()
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
        "PostgreSQL cannot run as root, and neither `unshare` nor `setpriv` works here. "
        "Run as an ordinary user, or set DATABASE_URL to another PostgreSQL server."
    )


def _another_user() -> int:
    """A user with a name, which initdb requires. Usually 1000, the first ordinary user of most machines."""
    users = [entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0]
    return 1000 if 1000 in users else min(users, default=1000)


def _works(prefix: tuple[str, ...]) -> bool:
    if not shutil.which(prefix[0]):
        return False
    return subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
