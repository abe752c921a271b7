"""API keys: whose request it is, and what is said to nobody's."""

from django.utils import timezone

from payments.domain.states import Mode
from payments.models import ApiKey, Merchant
from payments.usecases.merchants import issue_api_key
from tests.support.api_client import CARDS, ApiClient, order
from tests.support.factories import ApiKeyFactory, MerchantFactory

PATHS = ["/payments", f"/payments/pay_{'0' * 32}", "/orders/o", "/customers/c/payments"]


def answer_to(mistaken: ApiClient, authorization: str, path: str = "/payments") -> int:
    answer = mistaken.call("GET", path, headers={"Authorization": authorization})
    if answer.status == 401:
        assert answer.json["code"] == "authentication_failed"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert authorization == "" or authorization not in answer.body.decode()
    return answer.status


class TestAuthentication:
    def test_a_key_in_force_opens_the_api(self, mistaken: ApiClient) -> None:
        for path in PATHS:
            assert answer_to(mistaken, f"Bearer {mistaken.key}", path) in (200, 404), path

    def test_the_schemes_name_is_written_in_any_case(self, mistaken: ApiClient) -> None:
        assert answer_to(mistaken, f"bearer {mistaken.key}") == 200

    def test_anything_else_is_a_401_with_a_challenge(self, mistaken: ApiClient) -> None:
        for path in PATHS:
            for authorization in (
                "",
                "Bearer",
                "Bearer ",
                "Bearer x",
                "Basic c2s6",
                "sk_test_x",
                f"Bearer {CARDS['visa']['number']}",
                "Bearer é",
            ):
                assert answer_to(mistaken, authorization, path) == 401, (path, authorization)

    def test_a_key_with_something_before_or_after_it_is_unknown(self, mistaken: ApiClient) -> None:
        assert answer_to(mistaken, f"Bearer {mistaken.key}x") == 401
        assert answer_to(mistaken, f"Bearer {mistaken.key[:-1]}") == 401
        assert answer_to(mistaken, f"Bearer {mistaken.key} {mistaken.key}") == 401

    def test_a_post_without_a_key_is_a_401_before_anything_else(self, mistaken: ApiClient) -> None:
        answer = mistaken.call("POST", "/payments", body=b"{", headers={"Authorization": ""})
        assert (answer.status, answer.json["money_moved"]) == (401, "no")

    def test_a_disabled_key_is_a_401_and_the_others_go_on(self, mistaken: ApiClient) -> None:
        other = issue_api_key(slug="ficmart", mode=Mode.LIVE).plain
        ApiKey.objects.filter(digest=ApiKey.digest_of(mistaken.key)).update(disabled_at=timezone.now())
        assert answer_to(mistaken, f"Bearer {mistaken.key}") == 401
        assert answer_to(mistaken, f"Bearer {other}") == 200

    def test_an_inactive_merchants_key_is_a_403(self, mistaken: ApiClient) -> None:
        Merchant.objects.update(is_active=False)
        for path in PATHS:
            answer = mistaken.get(path)
            assert (answer.status, answer.json["code"]) == (403, "permission_denied"), path
        answer = mistaken.post("/payments", order())
        assert (answer.status, answer.json["money_moved"]) == (403, "no")

    def test_another_merchant_is_not_touched_by_that(self, mistaken: ApiClient) -> None:
        plain = "sk_live_of_the_test"
        ApiKeyFactory(merchant=MerchantFactory(slug="other"), plain=plain)
        Merchant.objects.filter(slug="ficmart").update(is_active=False)
        assert answer_to(mistaken, f"Bearer {plain}") == 200

    def test_a_key_is_stored_as_a_digest_and_its_last_four(self, mistaken: ApiClient) -> None:
        key = ApiKey.objects.get()
        assert mistaken.key not in "".join(str(value) for value in vars(key).values())
        assert str(key) == f"sk_live_...{mistaken.key[-4:]}"
