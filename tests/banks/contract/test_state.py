"""Contract, "State" and "Test cards": holds, their expiry, the ledger's own rule, the cardholder's funds."""

from datetime import timedelta

import pytest

from tests.banks.contract.client import EMPTY, EXPIRED, MODEST, RICH, Bank, Card, code, instant
from tests.banks.contract.control import Control

DAY = 24 * 3600


class TestExpiry:
    def test_a_hold_expires_after_seven_days(self, bank: Bank) -> None:
        """A hold expires after 7 days."""
        said = bank.authorize().json()
        life = instant(said["expires_at"]) - instant(said["created_at"])
        assert abs(life - timedelta(days=7)) < timedelta(seconds=1)

    @pytest.mark.control_plane
    def test_a_hold_can_be_captured_until_it_expires(self, bank: Bank, control: Control) -> None:
        """A hold expires after 7 days, and not before."""
        hold = bank.a_hold()
        control.move_clock(seconds=7 * DAY - 60)
        assert bank.capture(hold).status_code == 200

    @pytest.mark.control_plane
    def test_an_expired_hold_cannot_be_captured(self, bank: Bank, control: Control) -> None:
        """Expiry is enforced on capture (`authorization_expired`)."""
        hold = bank.a_hold()
        control.move_clock(seconds=7 * DAY + 1)
        answer = bank.capture(hold)
        assert (answer.status_code, code(answer)) == (400, "authorization_expired")

    @pytest.mark.control_plane
    def test_an_expired_hold_can_be_voided(self, bank: Bank, control: Control) -> None:
        """Expiry is enforced on capture only; a void of an expired hold succeeds."""
        hold = bank.a_hold()
        control.move_clock(seconds=8 * DAY)
        assert bank.void(hold).status_code == 200

    @pytest.mark.control_plane
    def test_an_expired_hold_reads_back_as_approved(self, bank: Bank, control: Control) -> None:
        """Expiry is enforced on capture only: a GET still says `status: "approved"`."""
        hold = bank.a_hold()
        control.move_clock(seconds=8 * DAY)
        assert bank.read(f"authorizations/{hold}").json()["status"] == "approved"

    @pytest.mark.control_plane
    def test_an_expired_hold_blocks_funds_until_it_is_voided(
        self, drained: dict[int, str], bank: Bank, control: Control
    ) -> None:
        """An expired hold goes on blocking the cardholder's funds until it is voided."""
        amount, hold = next(iter(drained.items()))
        control.move_clock(seconds=30 * DAY)
        assert code(bank.authorize(1, card=MODEST)) == "insufficient_funds"
        bank.void(hold)
        assert bank.authorize(amount, card=MODEST).status_code == 200


class TestFullAmounts:
    """Full amounts only: a capture or refund of another amount gives `amount_mismatch`."""

    @pytest.mark.parametrize("amount", [1, 3])
    def test_a_capture_takes_exactly_what_was_authorized(self, bank: Bank, amount: int) -> None:
        hold = bank.a_hold(2)
        answer = bank.capture(hold, amount)
        assert (answer.status_code, code(answer)) == (400, "amount_mismatch")
        assert bank.capture(hold, 2).status_code == 200

    @pytest.mark.parametrize("amount", [1, 3])
    def test_a_refund_gives_exactly_what_was_captured(self, bank: Bank, amount: int) -> None:
        capture = bank.a_capture(2)
        answer = bank.refund(capture, amount)
        assert (answer.status_code, code(answer)) == (400, "amount_mismatch")
        assert bank.refund(capture, 2).status_code == 200


class TestLedgerRule:
    """One capture and one void per authorization and one refund per capture, whatever the keys.

    Every call here takes a key of its own.
    """

    def test_a_second_capture_is_refused(self, bank: Bank) -> None:
        hold = bank.a_hold()
        assert bank.capture(hold).status_code == 200
        answer = bank.capture(hold)
        assert answer.status_code == 400
        assert code(answer) in {"authorization_already_used", "already_captured"}

    def test_a_second_void_is_refused(self, bank: Bank) -> None:
        hold = bank.a_hold()
        assert bank.void(hold).status_code == 200
        answer = bank.void(hold)
        assert answer.status_code == 400
        assert code(answer) in {"authorization_already_used", "already_voided"}

    def test_a_second_refund_is_already_refunded(self, bank: Bank) -> None:
        """A second refund says `already_refunded`."""
        capture = bank.a_capture()
        assert bank.refund(capture).status_code == 200
        answer = bank.refund(capture)
        assert (answer.status_code, code(answer)) == (400, "already_refunded")

    def test_already_used_does_not_say_whether_captured_or_voided(self, bank: Bank) -> None:
        """`authorization_already_used` says that an authorization was captured or voided, not which."""
        captured, voided = bank.a_hold(), bank.a_hold()
        bank.capture(captured)
        bank.void(voided)
        void_of_captured, capture_of_voided = bank.void(captured), bank.capture(voided)
        assert (void_of_captured.status_code, code(void_of_captured)) == (400, "authorization_already_used")
        assert (capture_of_voided.status_code, code(capture_of_voided)) == (400, "authorization_already_used")
        assert void_of_captured.content == capture_of_voided.content


class TestFunds:
    """What a hold, a capture, a void and a refund do to the cardholder's money."""

    def test_a_hold_blocks_funds(self, drained: dict[int, str], bank: Bank) -> None:
        """Held money cannot be held again: the card is held down to its last cent."""
        answer = bank.authorize(1, card=MODEST)
        assert (answer.status_code, code(answer)) == (402, "insufficient_funds")
        assert sum(drained) <= MODEST.balance_cents

    def test_a_void_gives_the_funds_back(self, drained: dict[int, str], bank: Bank) -> None:
        amount, hold = next(iter(drained.items()))
        bank.void(hold)
        assert bank.authorize(amount + 1, card=MODEST).status_code == 402
        assert bank.authorize(amount, card=MODEST).status_code == 200

    def test_a_capture_keeps_the_money_and_a_refund_gives_it_back(
        self, drained: dict[int, str], bank: Bank
    ) -> None:
        amount, hold = next(iter(drained.items()))
        capture = bank.capture(hold, amount).json()["capture_id"]
        assert code(bank.authorize(1, card=MODEST)) == "insufficient_funds"
        bank.refund(capture, amount)
        assert bank.authorize(amount, card=MODEST).status_code == 200

    @pytest.mark.control_plane
    @pytest.mark.parametrize("card", [RICH, MODEST, EMPTY, EXPIRED], ids=lambda card: card.number[-4:])
    def test_a_card_begins_with_the_balance_of_the_table(self, control: Control, card: Card) -> None:
        """The table of test cards: $10,000, $500, $0 and $5,000."""
        last4 = card.number[-4:]
        entries = [entry for entry in control.ledger() if entry["card_last4"] == last4]
        captured = sum(entry["amount"] for entry in entries if entry["type"] == "CAPTURE")
        refunded = sum(entry["amount"] for entry in entries if entry["type"] == "REFUND")
        assert control.balances()[last4]["total"] + captured - refunded == card.balance_cents

    @pytest.mark.parametrize("card", [RICH, MODEST], ids=lambda card: card.number[-4:])
    def test_a_card_with_money_can_be_authorized(self, bank: Bank, card: Card) -> None:
        """The table of test cards: number and CVV of the cards that work."""
        assert bank.authorize(1, card=card).status_code == 200


@pytest.fixture
def drained(bank: Bank) -> dict[int, str]:
    """The modest card held down to its last cent: amount -> hold, the greatest first.

    Found by halving, so that it does not matter what earlier runs have left on the card. The bank fixture
    gives everything back.
    """
    holds: dict[int, str] = {}
    amount = 2**15
    while amount:
        answer = bank.authorize(amount, card=MODEST)
        if answer.status_code == 200:
            holds[amount] = answer.json()["authorization_id"]
        else:
            assert code(answer) == "insufficient_funds"
        amount //= 2
    assert holds, f"nothing is left on the card {MODEST.number[-4:]}: it needs a cent for these tests"
    return holds
