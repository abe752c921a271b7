"""Secrets from the environment: present, long enough, and in production not those of development."""

from django.core.exceptions import ImproperlyConfigured
from environs import Env

DEVELOPMENT_PREFIX = "development-only-"  # `make up` begins its secrets so, that production can refuse them
MINIMUM_LENGTH = 50  # what `manage.py check --deploy` asks of DJANGO_SECRET_KEY


def read(env: Env, name: str, *, production: bool) -> str:
    """The secret in the variable `name`. Raises ImproperlyConfigured with a sentence saying what to do."""
    return _checked(env.str(name, ""), name, production=production)


def read_keyring(env: Env, name: str, *, production: bool) -> dict[str, str]:
    """The secrets of `name` by their id, the signing one first, from `id:secret,older-id:older-secret`."""
    keyring: dict[str, str] = {}
    pairs: list[str] = env.list(name, [])
    for pair in pairs:
        key_id, separator, secret = pair.partition(":")
        if not separator or not key_id or key_id in keyring:
            raise ImproperlyConfigured(f"{name} must be a list of id:secret pairs with ids of their own.")
        keyring[key_id] = _checked(secret, name, production=production)
    if not keyring:
        _checked("", name, production=production)
    return keyring


def _checked(secret: str, name: str, *, production: bool) -> str:
    if not secret:
        raise ImproperlyConfigured(
            f"{name} is not set. On a development machine run `make up` once: it writes one into var/. "
            "In production set it to at least 50 random characters."
        )
    if production and secret.startswith(DEVELOPMENT_PREFIX):
        raise ImproperlyConfigured(f"{name} is a development secret: production needs one of its own.")
    if production and len(secret) < MINIMUM_LENGTH:
        raise ImproperlyConfigured(
            f"{name} is too short: production needs at least {MINIMUM_LENGTH} characters."
        )
    return secret
