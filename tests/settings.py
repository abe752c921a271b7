"""The gateway's settings under test: a PostgreSQL and a `var/` of the tests' own, whatever runs beside."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from dev.postgres import EmbeddedPostgres

# Short, for the socket's sake; removed when the tests are done.
HOME = Path(tempfile.mkdtemp(prefix="ficpay-tests-"))
(HOME / "static").mkdir()
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
# Nothing of it must outlive the tests, so it need not reach the disk.
POSTGRES = EmbeddedPostgres(
    Path(os.environ.get("FICPAY_TESTS_POSTGRES", HOME / "postgres")),
    options={
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        # It keeps a table until somebody has waited for a second, and nobody here waits longer for a lock.
        "autovacuum": "off",
        "max_connections": "300",
        "log_min_messages": "info",
        "log_line_prefix": "%m ",
        "log_min_error_statement": "error",
    },
)
os.environ |= {
    "FICPAY_VAR": str(HOME),
    "DATABASE_URL": POSTGRES.url("ficpay"),
    "DJANGO_DEBUG": "false",
    "DJANGO_SECRET_KEY": "of-the-tests-only-" + "k" * 50,
    "DJANGO_SECURE_SSL_REDIRECT": "false",
    "BANK_CLOSES_WHEN_FINISHED": "true",
    "FICPAY_BANK_KEY_SECRET": "of-the-tests-only-" + "b" * 50,
    "FICPAY_FINGERPRINT_KEYS": "new:of-the-tests-only-" + "f" * 50 + ",old:of-the-tests-only-" + "o" * 50,
    "FICPAY_LOG_FORMAT": "json",
    # Tests and benchmarks send as fast as they can. Those of the limits set limits of their own.
    "FICPAY_WRITES_PER_MINUTE": "10000000",
    "FICPAY_READS_PER_MINUTE": "10000000",
}
for name in (
    "DATABASE_OWNER_URL",
    "FICPAY_DB_POOL",
    "FICPAY_BANK_THREADS",
    "FICPAY_BANK_THREADS_OF",
    "DJANGO_ALLOWED_HOSTS",
):
    os.environ.pop(name, None)

from ficpay.settings import *  # noqa: E402, F403

ALLOWED_HOSTS = ["*"]
# The test client speaks plain HTTP; that production does not is what `manage.py check --deploy` is for.
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WHITENOISE_USE_FINDERS = True
# A static file is looked for when it is asked for: every client of the tests would list them all first.
WHITENOISE_AUTOREFRESH = True
