"""The matrix of the back office: every address, everybody, GET and POST. A new address needs a row here."""

from typing import Any
from unittest import mock

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.template.response import TemplateResponse
from django.test import RequestFactory

from office.door.roles import Role
from payments.models import (
    ApiKey,
    Assignment,
    Attempt,
    Discrepancy,
    Event,
    Merchant,
    Operation,
    Payment,
    RateLimit,
    Resolution,
)
from reconciliation.models import (
    Correction,
    Difference,
    FeeTerms,
    Run,
    Settlement,
    StatementFile,
    StatementLine,
)
from tests.office.door.doors import ACTORS, ANONYMOUS, NO_GROUP, SUPERUSER, Objects, routes, signed_in
from tests.office.door.doors import objects as objects  # noqa: PLC0414 - a fixture

STAFF = {NO_GROUP, *Role, SUPERUSER}
LOOKING = {
    *(Role.SUPPORT, Role.SUPPORT_LEAD, Role.FINANCE, Role.FINANCE_LEAD, Role.AUDITOR, SUPERUSER),
}
RESOLVING = {Role.SUPPORT, Role.SUPPORT_LEAD, SUPERUSER}
APPROVING = {Role.SUPPORT_LEAD, SUPERUSER}
EXPORTING = {Role.FINANCE, Role.FINANCE_LEAD, SUPERUSER}
AUDITING = {Role.SUPPORT_LEAD, Role.FINANCE_LEAD, Role.AUDITOR, SUPERUSER}
IMPORTING = EXPORTING
MATCHING = {Role.SUPPORT_LEAD, *IMPORTING}  # they look after differences
PAYING = {Role.FINANCE_LEAD, SUPERUSER}
SUPERUSERS = {SUPERUSER}
NOBODY: set[str] = set()

# What GET and POST answer, and to whom; the others on the staff get a 403, and strangers the login.
Door = tuple[int, set[str], int, set[str]]
DECISION: Door = (200, RESOLVING, 302, RESOLVING)  # to the page with what was typed
OPERATING: Door = (200, {Role.OPERATIONS, SUPERUSER}, 302, {Role.OPERATIONS, SUPERUSER})
STEP: Door = (302, RESOLVING, 302, RESOLVING)
NO_RECORD: Door = (404, RESOLVING, 404, RESOLVING)  # not for the refund that the doors lead to
NEVER: Door = (403, NOBODY, 403, NOBODY)
NO_PAGE: Door = (404, STAFF, 404, STAFF)
LEADS_ON: Door = (302, STAFF, 302, STAFF)  # to the page beside it, which has a row of its own
ADMINISTRATION: Door = (200, SUPERUSERS, 200, SUPERUSERS)
OWN: Door = (200, STAFF, 200, STAFF)
APP_LIST = "^(?P<app_label>reconciliation|auth|payments)/$"  # a 404 for those who have nothing to see there
_OPERATION = "payments/payment/operations/<uuid:operation_id>/"
_PAYMENT = "payments/payment/instructions/<uuid:payment_id>/"
MATRIX: dict[str, Door] = {
    "": OWN,
    "search/": OWN,  # names of lists that one may see
    "second-factor/": OWN,
    "password_change/": OWN,
    "password_change/done/": (200, STAFF, 405, STAFF),
    "autocomplete/": (403, STAFF, 405, STAFF),
    "jsi18n/": (200, STAFF, 405, STAFF),
    "r/<path:content_type_id>/<path:object_id>/": NO_PAGE,
    APP_LIST: (200, STAFF - {NO_GROUP}, 200, STAFF - {NO_GROUP}),
    "(?P<url>.*)$": NO_PAGE,
    "payments/payment/": (200, LOOKING, 405, STAFF),
    "payments/payment/<path:object_id>/change/": (200, LOOKING, 405, STAFF),
    "payments/payment/search/": (302, STAFF, 302, STAFF),  # to the list
    "payments/payment/card-number-refused/": (200, STAFF, 405, STAFF),
    "payments/payment/review/": (200, LOOKING, 405, STAFF),
    "payments/payment/export/": (302, EXPORTING, 302, EXPORTING),  # to the list: no reason is given
    f"{_OPERATION}reference/": STEP,  # back: something is proposed about this one already
    f"{_OPERATION}not-executed/": STEP,  # likewise
    f"{_OPERATION}voided/": NO_RECORD,
    f"{_OPERATION}captured/": NO_RECORD,
    f"{_OPERATION}late-reply/": NO_RECORD,
    f"{_OPERATION}ask-again/": DECISION,
    f"{_OPERATION}take/": STEP,
    f"{_OPERATION}take-over/": (302, APPROVING, 302, APPROVING),
    f"{_OPERATION}give-back/": STEP,
    "payments/payment/stray-hold/": DECISION,
    f"{_PAYMENT}note/": DECISION,
    f"{_PAYMENT}<str:verb>/": DECISION,
    "payments/payment/proposals/<int:resolution_id>/approve/": (200, APPROVING, 302, APPROVING),
    # One's own is taken back by whoever may resolve; this one is another's.
    "payments/payment/proposals/<int:resolution_id>/refuse/": (200, APPROVING, 302, APPROVING),
    "payments/payment/keys/<int:key_id>/disable/": OPERATING,
    "payments/merchant/": (200, {*EXPORTING, Role.AUDITOR, Role.OPERATIONS}, 405, STAFF),
    "payments/merchant/<int:merchant_id>/fees/": (200, PAYING, 302, PAYING),
    "payments/merchant/<int:merchant_id>/route/": OPERATING,
    "payments/merchant/<int:merchant_id>/limits/": OPERATING,
    "payments/merchant/<int:merchant_id>/issue-key/": OPERATING,
    "payments/apikey/<int:key_id>/rotate/": OPERATING,
    "payments/merchant/<path:object_id>/change/": NO_PAGE,
    "payments/apikey/": (200, {Role.AUDITOR, Role.OPERATIONS, SUPERUSER}, 405, STAFF),
    "payments/apikey/<path:object_id>/change/": NO_PAGE,
    "payments/event/": (200, AUDITING, 405, STAFF),
    "payments/event/search/": (302, AUDITING, 302, AUDITING),  # to the list
    "payments/event/<path:object_id>/change/": NO_PAGE,
    "reconciliation/difference/": (200, LOOKING, 405, STAFF),
    "reconciliation/difference/search/": (302, LOOKING, 302, LOOKING),  # to the list
    "reconciliation/difference/<path:object_id>/change/": (200, LOOKING, 405, STAFF),
    "reconciliation/difference/<int:difference_id>/take/": (302, MATCHING, 302, MATCHING),
    "reconciliation/difference/<int:difference_id>/give-back/": (302, MATCHING, 302, MATCHING),
    "reconciliation/difference/<int:difference_id>/accept/": (200, MATCHING, 302, MATCHING),
    "reconciliation/run/": (200, LOOKING, 405, STAFF),
    "reconciliation/run/<path:object_id>/change/": (200, LOOKING, 405, STAFF),
    "reconciliation/statementfile/": (200, LOOKING, 405, STAFF),
    "reconciliation/statementfile/<path:object_id>/change/": (200, LOOKING, 405, STAFF),
    "reconciliation/statementfile/awaited/": (200, LOOKING, 405, STAFF),
    "reconciliation/statementfile/upload/": (200, IMPORTING, 200, IMPORTING),
    "reconciliation/settlement/": (200, LOOKING, 405, STAFF),
    "reconciliation/settlement/<path:object_id>/change/": (200, LOOKING, 405, STAFF),
    "reconciliation/settlement/<uuid:settlement_id>/csv/": (200, LOOKING, 405, STAFF),
    "reconciliation/settlement/<uuid:settlement_id>/correct/": (200, PAYING, 302, PAYING),
    "reconciliation/settlement/ledger/": (200, LOOKING, 405, STAFF),
    "schedules/": (200, {Role.OPERATIONS, Role.AUDITOR, SUPERUSER}, 405, STAFF),
    "schedules/<slug:name>/run/": (200, {Role.OPERATIONS, SUPERUSER}, 302, {Role.OPERATIONS, SUPERUSER}),
    "auth/user/<id>/password/": ADMINISTRATION,
    "auth/user/<path:object_id>/reset-second-factor/": (200, SUPERUSERS, 302, SUPERUSERS),
    "auth/user/<path:object_id>/unlock/": (200, SUPERUSERS, 302, SUPERUSERS),
}
_BOOKS = ("difference", "run", "statementfile", "settlement")
for _model in (
    *("payments/payment", "payments/merchant", "payments/apikey", "payments/event"),
    *(f"reconciliation/{name}" for name in _BOOKS),
):
    MATRIX |= {
        f"{_model}/add/": NEVER,
        f"{_model}/<path:object_id>/delete/": NEVER,
        f"{_model}/<path:object_id>/history/": NO_PAGE,
        f"{_model}/<path:object_id>/": LEADS_ON,
    }
for _model in ("auth/user", "auth/group"):
    MATRIX |= {
        f"{_model}/": ADMINISTRATION,
        f"{_model}/add/": ADMINISTRATION,
        f"{_model}/<path:object_id>/change/": ADMINISTRATION,
        f"{_model}/<path:object_id>/delete/": (302, SUPERUSERS, 302, SUPERUSERS),  # back, with a word on why
        f"{_model}/<path:object_id>/history/": NO_PAGE,
        f"{_model}/<path:object_id>/": LEADS_ON,
    }
LOGIN_PAGE = "office/door/login.html"
# Who is not signed in sees these, too.
PUBLIC = {"login/", "logout/", "colors.css"}
STEPS = ("take/", "take-over/", "give-back/", "note/", "export/")  # services that need no form
# Books: what only services change.
BOOKS: list[Any] = [
    *(Payment, Operation, Attempt, Event, Discrepancy, Resolution, Merchant, ApiKey, Assignment),
    *(Difference, Run, StatementFile, StatementLine, Settlement, Correction, FeeTerms),
    RateLimit,
]


def answers(actor: str, objects: Objects, body: dict[str, str]) -> dict[str, list[int | str]]:
    """What this one gets at every address, by GET and by POST; nothing of it lasts."""
    client = signed_in(actor)
    found: dict[str, list[int | str]] = {}
    for route in sorted(routes(), key=lambda route: route == "logout/"):  # last, for it ends the session
        found[route] = []
        for method in ("get", "post"):
            with transaction.atomic():
                response = getattr(client, method)(objects.path(route), body if method == "post" else {})
                transaction.set_rollback(True)
            # What was typed into a decision's form is carried through the login, which answers at once.
            to_login = (
                getattr(response, "template_name", None) == LOGIN_PAGE
                if response.status_code == 200
                else (response.status_code == 302 and response["Location"].startswith("/admin/login/"))
            )
            found[route].append("login" if to_login else response.status_code)
    return found


def expected(actor: str, route: str) -> list[int | str]:
    get, readers, post, writers = MATRIX[route]
    if actor == ANONYMOUS:
        return ["login", "login"]
    refused = 404 if route == APP_LIST else 403
    return [get if actor in readers else refused, post if actor in writers else refused]


class TestTheMatrix:
    def test_has_a_row_for_every_address_and_no_other(self) -> None:
        assert set(routes()) == set(MATRIX) | PUBLIC

    @pytest.mark.parametrize("actor", ACTORS)
    def test_is_what_everybody_gets(self, actor: str, objects: Objects) -> None:
        """Pages are made for the superuser, who sees most of each; what others get is in the status."""
        if actor != SUPERUSER:
            with mock.patch.object(TemplateResponse, "rendered_content", ""):
                self._gets(actor, objects)
        else:
            self._gets(actor, objects)

    def _gets(self, actor: str, objects: Objects) -> None:
        found = answers(actor, objects, {"action": "nothing", "reason": ""})
        wrong = {
            route: (found[route], expected(actor, route))
            for route in MATRIX
            if found[route] != expected(actor, route)
        }
        assert wrong == {}

    def test_lets_nobody_change_the_books_by_a_form(self, objects: Objects) -> None:
        """Superusers included. Without a service's own form, nothing is written wherever it is posted."""
        before = {model: list(model.objects.order_by("pk").values()) for model in BOOKS}
        form = {
            "action": "delete_selected",
            "_selected_action": str(objects.payment.pk),
            "post": "yes",
            "_save": "Save",
            "state": "VOIDED",
            "amount_minor": "1",
            "slug": "x",
            "name": "x",
            "mode": "test",
        }
        client = signed_in(SUPERUSER)
        for route in routes():
            if route.startswith(("payments/", "reconciliation/")) and not route.endswith(STEPS):
                client.post(objects.path(route), form)
        assert {model: list(model.objects.order_by("pk").values()) for model in BOOKS} == before
        assert not LogEntry.objects.exists()

    def test_registers_no_book_with_a_way_to_edit_it(self, objects: Objects, rf: RequestFactory) -> None:
        signed_in(SUPERUSER)
        request = rf.get("/")
        request.user = User.objects.get(username=SUPERUSER)
        for model in filter(admin.site.is_registered, BOOKS):
            page = admin.site.get_model_admin(model)
            assert page.get_model_perms(request) == {
                "add": False,
                "change": False,
                "delete": False,
                "view": True,
            }
            assert page.get_actions(request) == {}
            assert page.list_editable == ()


class TestGroups:
    def test_are_those_of_the_roles(self, objects: Objects) -> None:
        assert set(Group.objects.values_list("name", flat=True)) == {role.value for role in Role}

    def test_may_add_change_and_delete_nothing(self, objects: Objects) -> None:
        names = Group.objects.values_list("permissions__codename", flat=True)
        assert not [name for name in names if name.startswith(("add_", "change_", "delete_"))]

    def test_give_the_auditor_nothing_but_a_look(self, objects: Objects) -> None:
        names = Group.objects.get(name=Role.AUDITOR).permissions.values_list("codename", flat=True)
        assert {name.partition("_")[0] for name in names} == {"view"}
