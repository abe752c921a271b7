"""Every environment variable FicPay knows, read once, here.

A comment that begins with `#:` says what the variable below it means: `make settings` writes
docs/settings.md from them. `make up` writes the variables of a development machine into
`$FICPAY_VAR/development.env`, which is read below if it exists, so that `manage.py` finds the
running instance. The process's own environment always wins.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from environs import Env

from ficpay import secrets
from ficpay.database.bounds import connection_bounds
from ficpay.logs import configure_logging
from ficpay.unfold import UNFOLD as UNFOLD  # noqa: PLC0414 - a setting that stands in a file of its own
from payments.domain.rates import Limits
from payments.domain.timing import DatabaseTiming, Timing

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent
#: The directory of data, logs and development secrets.
#: Default: `var`
VAR_DIR = Path(env.str("FICPAY_VAR", str(BASE_DIR / "var"))).resolve()
if (VAR_DIR / "development.env").exists():
    env.read_env(str(VAR_DIR / "development.env"), recurse=False, override=False)

# --- What runs, and for whom -----------------------------------------------------------------
#: Development: short secrets are accepted, logs are readable, HTTPS is not required. Never in production.
DEBUG = env.bool("DJANGO_DEBUG", False)
#: Signs sessions and form tokens. At least 50 random characters in production.
SECRET_KEY = secrets.read(env, "DJANGO_SECRET_KEY", production=not DEBUG)
#: The host names that FicPay responds to, separated by commas.
ALLOWED_HOSTS = env.list("DJANGO_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
#: The origins from which the back office is served, separated by commas: `https://pay.example`.
CSRF_TRUSTED_ORIGINS: list[str] = env.list("DJANGO_CSRF_TRUSTED_ORIGINS", [])
#: The web server's port under `make up`.
FICPAY_PORT = env.int("FICPAY_PORT", 8000)

# With another secret a client's retry would reach the bank as a new instruction: a second hold.
#: Derives the idempotency keys that FicPay sends to banks. At least 50 random characters in production.
#: Rotate it only while no operation is open or in doubt.
BANK_KEY_SECRET = secrets.read(env, "FICPAY_BANK_KEY_SECRET", production=not DEBUG)
#: Signs the fingerprints of requests: `id:secret` pairs, separated by commas. The first pair signs.
#: Keep an older pair for 30 days, as long as its fingerprints.
FINGERPRINT_KEYS = secrets.read_keyring(env, "FICPAY_FINGERPRINT_KEYS", production=not DEBUG)

# --- The banks -------------------------------------------------------------------------------
#: FicMart's bank. `make up` starts no simulated bank if this is set.
BANK_URL = env.str("BANK_URL", "http://localhost:8787").rstrip("/")
# Then the bank may be asked again at once; otherwise only after the lease has run out.
#: Whether a connection that closes without a reply proves that FicMart's bank has stopped working on the
#: request. Set it to `true` only if no proxy or load balancer stands between FicPay and the bank.
#: Default: `false` (`true` for the simulated bank of `make up`)
BANK_CLOSES_WHEN_FINISHED = env.bool("BANK_CLOSES_WHEN_FINISHED", False)
#: The acquirer. `make up` starts no simulated acquirer if this is set.
ACQUIRER_URL = env.str("ACQUIRER_URL", "http://localhost:8080").rstrip("/")
#: Requests that a web process works on at once. Most of the time they wait for a bank.
REQUEST_THREADS = env.int("FICPAY_REQUEST_THREADS", 384)
# Banks that stall leave threads for reads. The sandbox replies at once: it cannot stall.
#: Calls that a web process may have in flight at each bank. The sum over all banks but the sandbox must stay
#: below `FICPAY_REQUEST_THREADS`.
BANK_THREADS = env.int("FICPAY_BANK_THREADS", 160)
#: The same for single banks: `acquirer=16,ficmart=64`.
BANK_THREADS_OF: dict[str, int] = env.dict("FICPAY_BANK_THREADS_OF", {}, subcast_values=int)
# The bounds of calls to each bank, and of those that differ, by the bank's name.
BANK_TIMING = Timing()
BANK_TIMINGS: dict[str, Timing] = {}
#: Operations in doubt that the recovery process asks banks about at once.
RECOVERY_THREADS = env.int("FICPAY_RECOVERY_THREADS", 4)

#: Void holds that a bank's statement shows and no payment claims, once no payment can claim them any more: 25
#: hours at FicMart's bank. If it is not set, staff decide about each.
VOID_ORPHAN_HOLDS = env.bool("FICPAY_VOID_ORPHAN_HOLDS", False)

# --- Staff -----------------------------------------------------------------------------------
#: The amounts, in minor units by currency, above which a decision of staff needs a second person. In a
#: currency that is not named, every decision does.
FOUR_EYES_ABOVE: dict[str, int] = env.dict(
    "FICPAY_FOUR_EYES_ABOVE",
    {"USD": 50_000, "EUR": 50_000, "GBP": 50_000, "JPY": 50_000},
    subcast_values=int,
)

# --- The database ----------------------------------------------------------------------------
#: Database connections that a process keeps in a pool. 0 means no pool: the worker, which forks, needs 0.
#: Default: `0` (`6` for the web server of `make up`)
DB_POOL = env.int("FICPAY_DB_POOL", 0)
#: Whether statements are prepared. Behind PgBouncer this needs its `max_prepared_statements` above 0.
DB_PREPARE = env.bool("FICPAY_DB_PREPARE", True)


# How long anything at the database may take: below the 20 s that a client waits.
DATABASE_TIMING = DatabaseTiming(client_wait=BANK_TIMING.client_wait)


def _database() -> dict[str, Any]:
    #: PostgreSQL 15 or newer, as the application's role: `postgres://user:password@host:5432/name`.
    #: `make up` starts no database of its own if this is set.
    #: Default: `postgres://ficpay@localhost:5432/ficpay`; an embedded database under `make up`
    url = env.str("DATABASE_URL", "postgres://ficpay@localhost:5432/ficpay")
    database: dict[str, Any] = dict(
        dj_database_url.parse(url, engine="ficpay.database", conn_health_checks=True)
    )
    given: dict[str, Any] = database.get("OPTIONS", {})
    bounds = connection_bounds(DATABASE_TIMING)
    # What DATABASE_URL says itself comes later, and wins.
    database["OPTIONS"] = bounds | given
    database["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 5 if DB_PREPARE else None}
    database["OPTIONS"]["options"] = f"{bounds['options']} {given.get('options', '')}".strip()
    # A pooler between transactions would hand a cursor that is open between them to somebody else.
    database["DISABLE_SERVER_SIDE_CURSORS"] = True
    if DB_POOL:
        pool = {"min_size": min(2, DB_POOL), "max_size": DB_POOL, "timeout": DATABASE_TIMING.pool}
        database["OPTIONS"]["pool"] = pool
    else:
        database["CONN_MAX_AGE"] = 60
    return database


DATABASES = {"default": _database()}
#: The same database as the role that owns the tables, for `manage.py migrate` alone. If it is not set, the
#: role of `DATABASE_URL` owns the tables, and `manage.py check --deploy` warns.
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", "")
DATABASE_OWNER: dict[str, Any] = {}
if DATABASE_OWNER_URL:
    DATABASE_OWNER = {"OPTIONS": {}, **dj_database_url.parse(DATABASE_OWNER_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- The application -------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "office.apps.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_fsm",
    "django_q",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "payments",
    "reconciliation",
    "office",
    "ficpay",
]
MIDDLEWARE = [
    "ficpay.requests.RequestIdMiddleware",
    "ficpay.content_security.ContentSecurityMiddleware",
    "ficpay.addresses.NoCardNumberInAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # From here requests of the API go straight to their view. What follows is for pages alone.
    "ficpay.shortcut.ApiShortcut",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "office.door.sessions.IdleSessionMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "ficpay.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # asks whether the login is locked
    "django.contrib.auth.backends.ModelBackend",
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
WHITENOISE_USE_FINDERS = DEBUG
APPEND_SLASH = False

# --- Safety ----------------------------------------------------------------------------------
# Error pages and mails never show a frame's variables or a request's body: a card may be in them.
DEFAULT_EXCEPTION_REPORTER = "ficpay.errors.DiscreetExceptionReporter"
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024  # a body of 64 KiB; the largest honest payment has about 20
# Of a bank's statement, which staff upload: 10 MiB are about 100,000 lines. Only LARGE_UPLOADS takes so much.
# The web server reads it, half a minute at worst, and its requests share the processor meanwhile.
LARGEST_UPLOAD = 10 * 1024 * 1024
LARGE_UPLOADS = "/admin/reconciliation/statementfile/upload/"
#: Trust the proxy's `X-Forwarded-Proto` and the last address in `X-Forwarded-For`.
BEHIND_PROXY = env.bool("FICPAY_BEHIND_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
#: HTTPS only: pages are redirected to it, and API requests over `http://` get a 403. Ignored in development.
HTTPS_ONLY = not DEBUG and env.bool("DJANGO_SECURE_SSL_REDIRECT", True)
if not DEBUG:
    SECURE_SSL_REDIRECT = HTTPS_ONLY
    # Health checks speak plain HTTP inside the cluster. The API is not redirected but refused: clients follow
    # a redirected POST with a GET, and take its 200 for their payment.
    SECURE_REDIRECT_EXEMPT = [r"^health", r"^readiness$", r"^api/"]
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

# --- Logins of staff -------------------------------------------------------------------------
#: Let only staff with a second factor, an authenticator app, into the back office.
REQUIRE_SECOND_FACTOR = env.bool("FICPAY_REQUIRE_SECOND_FACTOR", False)
#: Minutes without a request after which a login ends.
SESSION_COOKIE_AGE = 60 * env.int("FICPAY_SESSION_MINUTES", 30)  # seconds
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # where nothing, or nothing of ours, is named to return to
OTP_TOTP_ISSUER = "FicPay"
CSRF_FAILURE_VIEW = "office.door.old_forms.too_old"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # so that nobody locks others out from elsewhere
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_HANDLER = "office.door.lockout.DiscreetHandler"
AXES_USERNAME_CALLABLE = "office.door.lockout.account_of"
AXES_CLIENT_IP_CALLABLE = "office.door.lockout.address_of"
AXES_CLIENT_STR_CALLABLE = "office.door.lockout.described"
AXES_LOCKOUT_CALLABLE = "office.door.lockout.locked_out"

# --- The API ---------------------------------------------------------------------------------
#: POSTs with a new idempotency key, and DELETEs, that a merchant may send in one mode in 60 seconds. The back
#: office can give a merchant other limits.
_WRITES_PER_MINUTE = env.int("FICPAY_WRITES_PER_MINUTE", 100)
#: Reads that a merchant may send in one mode in 60 seconds, and as many retries of POSTs.
_READS_PER_MINUTE = env.int("FICPAY_READS_PER_MINUTE", 1000)
RATE_LIMITS = Limits(writes=_WRITES_PER_MINUTE, reads=_READS_PER_MINUTE)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["payments.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["payments.api.authentication.MayCall"],
    "DEFAULT_PARSER_CLASSES": ["payments.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "payments.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "NON_FIELD_ERRORS_KEY": "",  # an error of the whole body names no field
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS is a 405 like any other method that is not described
}

SPECTACULAR_SETTINGS = {
    "TITLE": "FicPay",
    "VERSION": "1.0.0",
    "DESCRIPTION": (BASE_DIR / "docs" / "api.md").read_text(),
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_NO_READ_ONLY_REQUIRED": True,
    "ENUM_NAME_OVERRIDES": {
        "PaymentState": "payments.domain.states.PaymentState",
        "OperationName": "payments.api.response_serializers.MERCHANT_OPERATIONS",
        "MoneyMoved": "payments.api.response_serializers.MONEY_MOVED",
        "Actor": "payments.api.response_serializers.ACTORS",
        "DeclineCode": "payments.api.response_serializers.DECLINE_CODES",
        "Outcome": "payments.api.response_serializers.OUTCOMES",
        "OutcomeCode": "payments.api.response_serializers.OUTCOME_CODES",
        "FieldErrorCode": "payments.api.response_serializers.FIELD_ERROR_CODES",
        "EventType": "payments.api.response_serializers.EVENT_TYPES",
        "Currency": "payments.domain.money.Currency",
        "SettledKind": "payments.api.settlements.serializers.SETTLED_KINDS",
        "Scope": "payments.api.merchants.response_serializers.SCOPES",
        "ApiKeyState": "payments.api.merchants.response_serializers.API_KEY_STATES",
    },
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # In the file; an instance that serves the document names itself.
    "SERVERS": [{"url": "http://localhost:8000", "description": "`make up` on your machine"}],
    "CONTACT": {"name": "FicPay, payments of FicMart", "email": "ficpay@ficmart.example"},
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "EXTERNAL_DOCS": {"description": "Every error explained, with an example", "url": "/problems/"},
    "TAGS": [
        {"name": "Payments", "description": "One customer's money for one order, from hold to refund."},
        {
            "name": "Orders and customers",
            "description": "The same payments, found by the ids you gave them.",
        },
        {"name": "Settlements", "description": "What the bank pays you, and for which payments."},
        {"name": "Merchant and API keys", "description": "What you may do, and with which keys."},
    ],
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "persistAuthorization": True,
        "displayRequestDuration": True,
        "tryItOutEnabled": True,
    },
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "payments.api.schema_finish.finish",
    ],
}

# The routes of a new merchant: the bank that serves a currency in a mode. `manage.py route` changes them.
ROUTES = {
    "live": {"USD": "ficmart", "EUR": "acquirer", "GBP": "acquirer"},
    "test": {"USD": "sandbox", "EUR": "sandbox", "GBP": "sandbox", "JPY": "sandbox"},
}

# --- The worker ------------------------------------------------------------------------------
#: A folder into which banks deliver their statements, with a subfolder for each bank by its name, such as
#: `ficmart/`. The worker imports the files, and moves them to `done/` or `refused/` beside them.
#: Default: none
STATEMENTS_FOLDER = env.str("FICPAY_STATEMENTS", "")
# Schedules and wake-ups only: what is due stands in our own tables, and every task may run twice.
# retry > timeout x (1 + (queue_limit + 1) / workers) keeps one task from being handed out twice; the longest
# timeout is 900 s, of the schedules that say so.
Q_CLUSTER: dict[str, Any] = {
    "name": "ficpay",
    "orm": "default",
    "workers": 4,  # one for what comes every minute, while statements, settlements and a check take theirs
    "timeout": 120,
    "retry": 1500,
    "queue_limit": 1,
    "max_attempts": 1,
    # The newest 100 good runs of each schedule, which staff look at, and every failure (for 30 days).
    "save_limit": 100,
    "save_limit_per": "group",
    "catch_up": False,
    "poll": 1,
    "label": "Schedules",
}

# --- Logs ------------------------------------------------------------------------------------
LOGGING_CONFIG = None
#: `json` or `console`.
#: Default: `json` (`console` in development)
LOG_FORMAT = env.str("FICPAY_LOG_FORMAT", "console" if DEBUG else "json")
#: A level as Python names them: `DEBUG`, `INFO`, `WARNING`, `ERROR`.
configure_logging(log_format=LOG_FORMAT, level=env.str("FICPAY_LOG_LEVEL", "INFO"))
