"""Secrets from the environment. Production refuses short ones and development's."""

from django.core.exceptions import ImproperlyConfigured
from environs import Env

DEVELOPMENT_PREFIX = "development-only-"  # of the secrets that `make up` makes, so production can refuse them
MINIMUM_LENGTH = 50  # `manage.py check --deploy` requires it of DJANGO_SECRET_KEY


def read(env: Env, name: str, *, production: bool) -> str:
    """The secret in the variable `name`. Raises ImproperlyConfigured, whose message says what to do."""
    return _checked(env.str(name, ""), name, production=production)


def read_keyring(env: Env, name: str, *, production: bool) -> dict[str, str]:
    """The secrets in `name` by their ids, the signing one first: `id:secret,older-id:older-secret`."""
    keyring: dict[str, str] = {}
    pairs: list[str] = env.list(name, [])
    for pair in pairs:
        key_id, separator, secret = pair.partition(":")
        if not separator or not key_id or key_id in keyring:
            raise ImproperlyConfigured(f"{name} must be a list of id:secret pairs with different ids.")
        keyring[key_id] = _checked(secret, name, production=production)
    if not keyring:
        _checked("", name, production=production)
    return keyring


def _checked(secret: str, name: str, *, production: bool) -> str:
    if not secret:
        raise ImproperlyConfigured(
            f"{name} is not set. On a development machine, run `make up` once: it writes one to var/. "
            "In production set it to at least 50 random characters."
        )
    if production and secret.startswith(DEVELOPMENT_PREFIX):
        raise ImproperlyConfigured(f"{name} is a development secret. Production needs its own.")
    if production and len(secret) < MINIMUM_LENGTH:
        raise ImproperlyConfigured(
            f"{name} is too short: production needs at least {MINIMUM_LENGTH} characters."
        )
    return secret
