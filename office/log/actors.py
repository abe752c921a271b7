"""The signed-in member of staff, as the staff log records them."""

from django.http import HttpRequest

from office.log.network import network_address
from office.log.staff import Staff


def staff_of(request: HttpRequest) -> Staff:
    """The signed-in member of staff."""
    assert request.user.pk is not None  # noqa: S101 - the admin site lets nobody else in
    return Staff(
        user_id=request.user.pk,
        username=request.user.get_username(),
        address=network_address(request),
        request_id=request.META.get("ficpay.request_id", ""),
    )
