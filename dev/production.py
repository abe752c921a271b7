"""`python -m dev.production COMMAND...`: runs a command with production settings and its own secrets.

`make check` checks deployment safety, the API document and the types. Its results must not depend on the
files in var/, on the shell, or on a database.
"""

import os
import secrets
import subprocess
import sys
import tempfile

from dev.environment import PROJECT


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ficpay-check-") as empty:
        environment = {name: value for name, value in os.environ.items() if not _is_ours(name)}
        done = subprocess.run(sys.argv[1:], env=environment | settings(empty), cwd=PROJECT, check=False)
    sys.exit(done.returncode)


def settings(directory: str) -> dict[str, str]:
    """All settings that production requires. The database does not exist."""
    return {
        "FICPAY_VAR": directory,
        "DJANGO_DEBUG": "false",
        "DJANGO_ALLOWED_HOSTS": "ficpay.example.com",
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(60),
        "FICPAY_BANK_KEY_SECRET": secrets.token_urlsafe(60),
        "FICPAY_FINGERPRINT_KEYS": f"check:{secrets.token_urlsafe(60)}",
        "DATABASE_URL": "postgres://ficpay@127.0.0.1:1/ficpay",
        "BANK_URL": "https://bank.example.com",
    }


def _is_ours(name: str) -> bool:
    return name.startswith(("DJANGO_", "FICPAY_", "BANK_", "DATABASE_"))


if __name__ == "__main__":
    main()
