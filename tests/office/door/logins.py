"""Logging in as a browser would, with a password and a second factor, or failing to."""

from datetime import UTC, datetime
from typing import Any

from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

LOGIN, INDEX, SECOND_FACTOR = "/admin/login/", "/admin/", "/admin/second-factor/"
PASSWORD = "correct horse battery staple"
# Looks like a card: sixteen digits, Visa's first, Luhn-valid. Nobody's.
CARD_NUMBER = "4539578763621486"
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def log_in(client: Client, username: str = "kim", password: str = PASSWORD, **more: Any) -> Any:
    code = more.pop("code", "")
    form = {"username": username, "password": password, "otp_token": code, "next": INDEX}
    return client.post(LOGIN, form, **more)


def fail(client: Client, times: int, **more: Any) -> Any:
    for _ in range(times):
        answer = log_in(client, password="wrong", **more)
    return answer


def is_in(client: Client) -> bool:
    return bool(client.get(INDEX).status_code == 200)


def code_of(device: TOTPDevice) -> str:
    generator = TOTP(device.bin_key, device.step, device.t0, device.digits)
    generator.time = datetime.now(UTC).timestamp()
    return f"{generator.token():06}"


def set_up(client: Client, code: str) -> Any:
    return client.post(SECOND_FACTOR, {"code": code, "password": PASSWORD})
