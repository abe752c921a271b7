"""Every address of the back office with real objects behind it, and everybody who may knock."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import URLResolver, get_resolver

from office.door.roles import Role, make_groups
from payments.domain.states import OperationKind
from payments.models import Discrepancy, Event, Resolution
from tests.support.book_factories import DifferenceFactory, RunFactory, SettlementFactory
from tests.support.factories import (
    ApiKeyFactory,
    AttemptFactory,
    EventFactory,
    OperationFactory,
    PaymentFactory,
)

ANONYMOUS, NO_GROUP, SUPERUSER = "anonymous", "no group", "superuser"
ACTORS = (ANONYMOUS, NO_GROUP, *Role, SUPERUSER)


def routes() -> list[str]:
    """Below /admin/, as the resolver has them."""

    def walk(patterns: Any, prefix: str) -> Iterator[str]:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            else:
                yield route

    found = walk(get_resolver().url_patterns, "")
    return list(dict.fromkeys(route.removeprefix("admin/") for route in found if route.startswith("admin/")))


def signed_in(actor: str) -> Client:
    client = Client()
    if actor == ANONYMOUS:
        return client
    user, _ = User.objects.get_or_create(
        username=actor, defaults={"is_staff": True, "is_superuser": actor == SUPERUSER}
    )
    if actor in tuple(Role):
        user.groups.add(Group.objects.get(name=actor))
    client.force_login(user)
    return client


class Objects:
    """One of everything, and the addresses of all of it."""

    def __init__(self) -> None:
        self.payment = PaymentFactory(captured=True)
        authorize = OperationFactory(payment=self.payment, succeeded=True)
        AttemptFactory(operation=authorize)
        EventFactory(payment=self.payment, type=Event.Type.PAYMENT_AUTHORIZED, operation=authorize)
        noted = EventFactory(payment=self.payment, type=Event.Type.NOTE_ADDED)
        self.operation = OperationFactory(
            payment=self.payment,
            kind=OperationKind.REFUND,
            needs_review=True,
            created_at=self.payment.created_at,
        )
        self.victim = User.objects.create_user("victim", password="x")
        Discrepancy.objects.create(
            kind=Discrepancy.Kind.CONTRADICTION, operation=self.operation, payment=self.payment
        )
        self.resolution = Resolution.objects.create(
            kind=Resolution.Kind.REFUND,
            payment=self.payment,
            operation=self.operation,
            bank="ficmart",
            amount_minor=1,
            currency="USD",
            reason="a test",
            proposed_by=self.victim,
            needs_second=True,
        )
        self.key = ApiKeyFactory(merchant=self.payment.merchant)
        self.difference = DifferenceFactory()
        self.settlement = SettlementFactory(merchant=self.payment.merchant)
        self.group = Group.objects.get(name=Role.SUPPORT)
        self.by_model = {
            "payments/payment": self.payment,
            "payments/merchant": self.payment.merchant,
            "payments/apikey": self.key,
            "payments/event": noted,
            "reconciliation/difference": self.difference,
            "reconciliation/run": RunFactory(),
            "reconciliation/statementfile": self.difference.line.file,
            "reconciliation/settlement": self.settlement,
            "auth/user": self.victim,
            "auth/group": self.group,
        }

    def path(self, route: str) -> str:
        model = "/".join(route.split("/")[:2])
        values = {
            "object_id": getattr(self.by_model.get(model, self.payment), "pk", None),
            "id": self.victim.pk,
            "operation_id": self.operation.pk,
            "payment_id": self.payment.pk,
            "resolution_id": self.resolution.pk,
            "key_id": self.key.pk,
            "merchant_id": self.payment.merchant.pk,
            "difference_id": self.difference.pk,
            "settlement_id": self.settlement.pk,
            "verb": "refund",
            "name": "recovery",
            "content_type_id": ContentType.objects.get_for_model(type(self.payment)).pk,
        }
        route = {
            "^(?P<app_label>reconciliation|auth|payments)/$": "payments/",
            "(?P<url>.*)$": "nowhere/",
        }.get(route, route)
        return "/admin/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), route)


@pytest.fixture
def objects(db: None) -> Objects:
    make_groups()
    return Objects()
