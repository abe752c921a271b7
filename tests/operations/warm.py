"""Several commands of `manage.py` from one process that has loaded Django: each in a fork of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from tests.support.project import PROJECT

_EACH = """
import json, os, sys, tempfile
import django, manage

django.setup()
import ficpay.urls  # what the checks of each command load
results = []
for command in json.loads(sys.argv[1]):
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        if (child := os.fork()) == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            sys.argv = ["manage.py", *command]
            manage.main()
            sys.exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        errors.seek(0)
        results.append([command, status, out.read(), errors.read()])
print(json.dumps(results))
"""


def run_each(commands: Sequence[Sequence[str]], **settings: str) -> list[subprocess.CompletedProcess[str]]:
    """What each command says and how it ends, as if an operator had typed it."""
    done = subprocess.run(
        [sys.executable, "-c", _EACH, json.dumps(commands)],
        cwd=PROJECT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "ficpay.settings", **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return [subprocess.CompletedProcess(*result) for result in json.loads(done.stdout)]
