"""`python -m bank` as a command that ends by itself."""

import subprocess
import sys

from tests.support.project import PROJECT


def run_bank(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bank", *arguments],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
