"""Routes: which bank serves a merchant's currency, read by authorizes and changed by people."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from office.log.staff import Operator
from office.merchants.routes import NoSuchRoute, change_route
from payments.domain.money import Currency
from payments.domain.states import Mode
from payments.models import Event, Merchant, Payment, Route
from tests.support.api_client import ApiClient, order


def route(*arguments: str) -> str:
    """What `manage.py route` prints."""
    printed = io.StringIO()
    call_command("route", *arguments, stdout=printed, stderr=printed)
    return printed.getvalue()


@pytest.fixture(autouse=True)
def dollars_alone(settings: Any) -> None:
    """What FicMart has beside them stands in the settings."""
    settings.ROUTES = {"live": {"USD": "ficmart"}, "test": {"USD": "sandbox"}}


def change(merchant: Merchant, mode: Mode, bank: str | None) -> bool:
    return change_route(
        Operator(), slug=merchant.slug, mode=mode, currency=Currency.USD, bank=bank, reason="a test"
    )


class TestAuthorize:
    def test_goes_to_the_bank_of_its_route(self, test_mode: ApiClient) -> None:
        payment = test_mode.authorized()
        assert Payment.objects.get(order_id=payment["order_id"]).bank == "sandbox"

    def test_of_a_currency_without_a_route_is_a_400_that_lists_those_with_one(
        self, test_mode: ApiClient
    ) -> None:
        answer = test_mode.post("/payments", order(currency="CHF"))
        assert answer.status == 400
        assert answer.json["errors"] == [
            {
                "field": "currency",
                "code": "unsupported_currency",
                "detail": "You have no route for this currency. Use one of: USD.",
            }
        ]

    def test_of_a_merchant_without_routes_says_whom_to_ask(
        self, merchant: Merchant, test_mode: ApiClient
    ) -> None:
        change(merchant, Mode.TEST, None)
        answer = test_mode.post("/payments", order())
        assert (answer.status, answer.json["errors"][0]["code"]) == (400, "unsupported_currency")
        assert "Ask FicPay's staff" in answer.json["errors"][0]["detail"]

    def test_a_payment_keeps_its_bank_when_the_route_goes(
        self, merchant: Merchant, test_mode: ApiClient
    ) -> None:
        payment = test_mode.authorized()
        change(merchant, Mode.TEST, None)
        assert test_mode.post(f"/payments/{payment['id']}/capture").status == 200


class TestChangingARoute:
    def test_is_in_the_log_with_the_old_and_the_new_bank(self, merchant: Merchant) -> None:
        assert change(merchant, Mode.LIVE, None)
        event = Event.objects.get(type=Event.Type.ROUTE_CHANGED)
        assert event.actor == "operator"
        assert event.evidence["changed"] == {"bank": {"from": "ficmart", "to": None}}
        assert change(merchant, Mode.LIVE, "ficmart")
        assert Route.objects.get(merchant=merchant, mode=Mode.LIVE).bank == "ficmart"

    def test_that_is_so_already_changes_nothing(self, merchant: Merchant) -> None:
        assert not change(merchant, Mode.LIVE, "ficmart")
        assert not Event.objects.filter(type=Event.Type.ROUTE_CHANGED).exists()

    @pytest.mark.parametrize(("mode", "bank"), [(Mode.TEST, "ficmart"), (Mode.LIVE, "sandbox")])
    def test_never_leads_test_payments_to_live_money_or_back(
        self, merchant: Merchant, mode: Mode, bank: str
    ) -> None:
        with pytest.raises(NoSuchRoute, match=f"{bank} does not support USD in {mode} mode"):
            change(merchant, mode, bank)

    def test_never_leads_to_nobody(self, merchant: Merchant) -> None:
        with pytest.raises(NoSuchRoute, match=r"There is no bank no-such-bank\. Banks: ficmart, "):
            change(merchant, Mode.LIVE, "no-such-bank")


class TestTheCommand:
    def test_lists_and_changes(self, merchant: Merchant) -> None:
        assert route("ficmart").splitlines() == ["live  USD  ficmart", "test  USD  sandbox"]
        asked = ("ficmart", "--mode", "live", "--currency", "USD")
        assert route(*asked, "--remove", "--reason", "it ended").splitlines() == ["test  USD  sandbox"]
        assert "live  USD  ficmart" in route(*asked, "--bank", "ficmart", "--reason", "a new contract")
        assert "was already set like this" in route(*asked, "--bank", "ficmart", "--reason", "once more")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("nobody",), "There is no merchant 'nobody'. Merchants: ficmart."),
            (("ficmart", "--mode", "live"), "Add --bank or --remove"),
            (("ficmart", "--bank", "ficmart"), "give --mode, --currency and --reason"),
            (
                ("ficmart", "--mode", "test", "--currency", "USD", "--bank", "ficmart", "--reason", "x"),
                "ficmart does not support USD in test mode. Banks that support it: sandbox.",
            ),
        ],
    )
    def test_says_what_is_wrong(self, merchant: Merchant, arguments: tuple[str, ...], says: str) -> None:
        with pytest.raises(CommandError, match=says.replace(".", r"\.")):
            route(*arguments)


class TestThePage:
    @pytest.fixture
    def page(self, merchant: Merchant, admin_client: Client) -> Any:
        address = reverse("admin:payments_change_route", args=[merchant.pk])
        return lambda **given: admin_client.post(address, given, follow=True)

    def test_shows_what_changes_before_it_changes_it(self, merchant: Merchant, page: Any) -> None:
        given = {"route": "live USD", "bank": "none", "reason": "the contract ended"}
        assert "in live mode get 400" in page(**given).content.decode()
        assert Route.objects.filter(merchant=merchant, mode=Mode.LIVE).exists()
        shown = page(**given, confirmed="1").content.decode()
        assert "New payments in USD (live) are refused." in shown
        assert not Route.objects.filter(merchant=merchant, mode=Mode.LIVE).exists()

    def test_refuses_a_bank_that_does_not_serve_the_mode(self, merchant: Merchant, page: Any) -> None:
        shown = page(route="test USD", bank="ficmart", reason="x", confirmed="1").content.decode()
        assert "ficmart does not support USD in test mode. Banks that support it: sandbox." in shown
        assert Route.objects.get(merchant=merchant, mode=Mode.TEST).bank == "sandbox"
