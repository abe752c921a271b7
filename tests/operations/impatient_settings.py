"""The settings of a server that does not wait long for one of its pool's connections."""

from ficpay.settings import *  # noqa: F403
from ficpay.settings import DATABASES, DB_POOL

if DB_POOL:
    DATABASES["default"]["OPTIONS"]["pool"]["timeout"] = 0.5
