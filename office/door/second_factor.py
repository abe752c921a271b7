"""A second factor for staff: a code of six digits from an authenticator app (TOTP, RFC 6238).

A user has at most one device. They set it up in the back office, and every later login asks for its code. If
the phone is lost, a superuser or `manage.py reset_second_factor` removes it. Both are logged.
"""

from base64 import b32encode
from typing import Any

import django_otp
import segno
import structlog
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from django_otp.plugins.otp_totp.models import TOTPDevice

from office.log.staff import Operator, Staff, log_action
from payments.models import Event

log = structlog.get_logger(__name__)
User = AbstractBaseUser | AnonymousUser


def device_of(user: User) -> TOTPDevice | None:
    """The device that the user has set up."""
    return TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).order_by("pk").first()


def is_verified(user: Any) -> bool:
    """Whether this session was opened with a code."""
    return bool(user.is_verified())


def offer_device(user: User) -> TOTPDevice:
    """A new device with a new secret. It replaces a device that was offered before."""
    with transaction.atomic():
        TOTPDevice.objects.filter(user_id=user.pk, confirmed=False).delete()
        return TOTPDevice.objects.create(user_id=user.pk, name="Authenticator app", confirmed=False)


def offered_device(user: User) -> TOTPDevice | None:
    return TOTPDevice.objects.filter(user_id=user.pk, confirmed=False).order_by("pk").last()


def confirm_device(request: HttpRequest, by: Staff, offered: TOTPDevice, code: str) -> bool:
    """Activate one's offered device if the code is right. False also while codes are throttled."""
    device = django_otp.verify_token(request.user, offered.persistent_id, code)
    if device is None:
        return False
    with transaction.atomic():
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        log_action(by, Event.Type.USER_SECOND_FACTOR_SET_UP, account=by.username, account_id=by.user_id)
    django_otp.login(request, device)
    log.info("second factor set up", user_id=request.user.pk)
    return True


def reset(by: Staff | Operator, user: AbstractBaseUser, *, reason: str) -> bool:
    """Remove the user's device, so that the next login needs only the password. False if there was none."""
    with transaction.atomic():
        removed, _ = TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).delete()
        TOTPDevice.objects.filter(user_id=user.pk).delete()  # offered, but never set up
        if removed:
            log_action(
                by,
                Event.Type.USER_SECOND_FACTOR_RESET,
                account=user.get_username(),
                account_id=user.pk,
                reason=reason,
            )
    log.info("second factor reset", user_id=user.pk)
    return bool(removed)


def qr_code(device: TOTPDevice) -> SafeString:
    """The device's secret as a QR code in SVG, made of shapes only."""
    picture: str = segno.make(device.config_url, micro=False).svg_inline(scale=5, border=2, light="white")
    return mark_safe(picture)  # noqa: S308 - squares only; the content is encoded in their positions


def secret_to_type(device: TOTPDevice) -> str:
    """The same secret as text, for users who cannot scan it."""
    secret = b32encode(device.bin_key).decode()
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
