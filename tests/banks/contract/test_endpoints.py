"""Contract, "Endpoints": what each call takes and answers."""

import re
from datetime import timedelta

import pytest

from tests.banks.contract.client import Bank, code, instant, is_replay, new_key

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class TestPost:
    def test_an_authorization_is_approved_with_its_amount_and_its_times(self, bank: Bank) -> None:
        """`authorization_id`, `status: "approved"`, `amount`, `currency`, `expires_at`, `created_at`."""
        answer = bank.authorize(3)
        said = answer.json()
        assert answer.status_code == 200
        assert (said["status"], said["amount"], said["currency"]) == ("approved", 3, "USD")
        assert said["authorization_id"]
        assert instant(said["expires_at"]) > instant(said["created_at"])

    def test_a_capture_names_its_authorization_and_amount(self, bank: Bank) -> None:
        """`capture_id`, `authorization_id`, `status: "captured"`, `amount`, `currency`, `captured_at`."""
        hold = bank.a_hold(3)
        answer = bank.capture(hold, 3)
        said = answer.json()
        assert answer.status_code == 200
        assert (said["authorization_id"], said["status"]) == (hold, "captured")
        assert (said["amount"], said["currency"]) == (3, "USD")
        assert said["capture_id"]
        assert instant(said["captured_at"])

    def test_a_void_names_its_authorization(self, bank: Bank) -> None:
        """`void_id`, `authorization_id`, `status: "voided"`, `voided_at`."""
        hold = bank.a_hold()
        answer = bank.void(hold)
        said = answer.json()
        assert answer.status_code == 200
        assert (said["authorization_id"], said["status"]) == (hold, "voided")
        assert said["void_id"]
        assert instant(said["voided_at"])

    def test_a_refund_names_its_capture_and_amount(self, bank: Bank) -> None:
        """`refund_id`, `capture_id`, `status: "refunded"`, `amount`, `currency`, `refunded_at`."""
        capture = bank.a_capture(3)
        answer = bank.refund(capture, 3)
        said = answer.json()
        assert answer.status_code == 200
        assert (said["capture_id"], said["status"]) == (capture, "refunded")
        assert (said["amount"], said["currency"]) == (3, "USD")
        assert said["refund_id"]
        assert instant(said["refunded_at"])

    def test_amounts_are_integers_and_answers_are_json(self, bank: Bank) -> None:
        """JSON in and out. Amounts are integers in cents."""
        answer = bank.authorize(3)
        assert answer.headers["Content-Type"].startswith("application/json")
        assert type(answer.json()["amount"]) is int

    def test_a_first_answer_does_not_claim_to_be_a_replay(self, bank: Bank) -> None:
        """Only a stored reply comes with `X-Idempotent-Replayed: true`."""
        assert not is_replay(bank.authorize())

    def test_ids_are_a_prefix_and_a_lower_case_uuid(self, bank: Bank) -> None:
        """`auth_`, `cap_`, `void_`, `ref_` followed by a lower-case UUID."""
        hold = bank.a_hold()
        capture = bank.capture(hold).json()["capture_id"]
        refund = bank.refund(capture).json()["refund_id"]
        void = bank.void(bank.a_hold()).json()["void_id"]
        assert re.fullmatch(f"auth_{UUID}", hold)
        assert re.fullmatch(f"cap_{UUID}", capture)
        assert re.fullmatch(f"void_{UUID}", void)
        assert re.fullmatch(f"ref_{UUID}", refund)


class TestGet:
    def test_an_authorization_reads_back_as_it_was_made(self, bank: Bank) -> None:
        """`GET /api/v1/authorizations/{id}`: the authorization."""
        made = bank.authorize(3).json()
        _reads_back(bank, f"authorizations/{made['authorization_id']}", made)

    def test_a_capture_reads_back_as_it_was_made(self, bank: Bank) -> None:
        """`GET /api/v1/captures/{id}`: the capture."""
        made = bank.capture(bank.a_hold(3), 3).json()
        _reads_back(bank, f"captures/{made['capture_id']}", made)

    def test_a_refund_reads_back_as_it_was_made(self, bank: Bank) -> None:
        """`GET /api/v1/refunds/{id}`: the refund."""
        made = bank.refund(bank.a_capture(3), 3).json()
        _reads_back(bank, f"refunds/{made['refund_id']}", made)

    def test_an_authorization_is_always_approved(self, bank: Bank) -> None:
        """The authorization, always `status: "approved"`: captured, refunded or voided, it does not say."""
        captured, voided = bank.a_hold(), bank.a_hold()
        capture = bank.capture(captured).json()["capture_id"]
        bank.void(voided)
        assert bank.read(f"authorizations/{captured}").json()["status"] == "approved"
        assert bank.read(f"authorizations/{voided}").json()["status"] == "approved"
        bank.refund(capture)
        assert bank.read(f"authorizations/{captured}").json()["status"] == "approved"

    def test_times_read_back_have_six_fractional_digits_at_most(self, bank: Bank) -> None:
        """Up to nine fractional digits; the same object read back by GET has six."""
        hold = bank.a_hold()
        for _ in range(3):  # nine digits can end in three zeros by chance, but not three times
            said = bank.read(f"authorizations/{hold}").json()
            for time in (said["created_at"], said["expires_at"]):
                assert re.search(r"T\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-])", time), time
            hold = bank.a_hold()

    @pytest.mark.parametrize(
        "path",
        [
            "/api/v1/voids/{void}",
            "/api/v1/voids",
            "/api/v1/voids?authorization_id={hold}",
            "/api/v1/authorizations",
            "/api/v1/authorizations?idempotency_key={key}",
            "/api/v1/authorizations?order_id=1",
            "/api/v1/captures",
            "/api/v1/captures?authorization_id={hold}",
            "/api/v1/refunds",
            "/api/v1/statement",
            "/api/v1/statements",
            "/api/v1/authorizations/{key}",
            "/api/v1/captures/{hold}",
        ],
    )
    def test_what_is_not_asked_for_by_its_own_id_cannot_be_found(self, bank: Bank, path: str) -> None:
        """No GET for voids, no look-up by idempotency key, by authorization or by order, no listing, no
        statement endpoint: what is not asked for by its own id cannot be found.
        """
        key = new_key()
        hold = bank.authorize(key=key).json()["authorization_id"]
        void = bank.void(hold).json()["void_id"]
        answer = bank.patiently("GET", path.format(hold=hold, void=void, key=key))
        assert answer.status_code in {404, 405}, answer.text


class TestHealth:
    def test_a_healthy_bank_says_so(self, bank: Bank) -> None:
        """`GET /health`: `{"status": "healthy"}`."""
        answer = bank.send("GET", "/health")
        assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


class TestNotFound:
    """`{"error": CODE, "message": TEXT}` with status 404 `not_found` on a GET."""

    UNKNOWN = "00000000-0000-4000-8000-000000000000"

    @pytest.mark.parametrize("what", ["authorizations/auth_", "captures/cap_", "refunds/ref_"])
    def test_an_id_that_was_never_given_out_is_not_found(self, bank: Bank, what: str) -> None:
        answer = bank.read(what + self.UNKNOWN)
        assert (answer.status_code, code(answer)) == (404, "not_found")


def _reads_back(bank: Bank, path: str, made: dict[str, object]) -> None:
    answer = bank.read(path)
    read = answer.json()
    assert answer.status_code == 200
    assert set(read) == set(made)
    for name, value in made.items():
        if name.endswith("_at"):
            distance = instant(read[name]) - instant(str(value))
            assert abs(distance) <= timedelta(microseconds=1)  # rounded or cut off, that is not promised
        else:
            assert read[name] == value
