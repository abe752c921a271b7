"""Breaking the contract's section on "State" and "Test cards"."""

from tests.banks.simulated.mutations.mutation import breaking

USE_OF_HOLD = "kind IN ('CAPTURE', 'VOID') AND reference_id = ?"
INDEX_ON_USE = "ON entries (reference_id) WHERE kind IN ('CAPTURE', 'VOID');"

STATE = (
    breaking(
        "a hold expires after 7 days",
        ("settings.py", "default=168", "default=24"),
        caught_by=[
            "state::TestExpiry::test_a_hold_expires_after_seven_days",
            "state::TestExpiry::test_a_hold_can_be_captured_until_it_expires",
        ],
    ),
    breaking(
        "expiry is enforced on capture",
        (
            "ficmart/ledger.py",
            "if hold.expires_at_ns is not None and now >=",
            "if hold.expires_at_ns is None and now >=",
        ),
        caught_by="state::TestExpiry::test_an_expired_hold_cannot_be_captured",
    ),
    breaking(
        "a void of an expired hold succeeds",
        (
            "ficmart/ledger.py",
            "        return self._append_to(self._unused_hold(hold_id), Kind.VOID, key=key, now=now)",
            "        hold = self._unused_hold(hold_id)\n"
            "        if now >= (hold.expires_at_ns or 0):\n"
            '            raise Refused("authorization_expired")\n'
            "        return self._append_to(hold, Kind.VOID, key=key, now=now)",
        ),
        caught_by=[
            "state::TestExpiry::test_an_expired_hold_can_be_voided",
            "state::TestExpiry::test_an_expired_hold_blocks_funds_until_it_is_voided",
        ],
    ),
    breaking(
        "expiry is enforced on capture only",
        (
            "ficmart/teller.py",
            "        return read_back(entry)",
            "        expired = self.clock.now() > (entry.expires_at_ns or 2**63)\n"
            '        return read_back(entry).with_fields({"status": "expired"} if expired else {})',
        ),
        caught_by="state::TestExpiry::test_an_expired_hold_reads_back_as_approved",
    ),
    breaking(
        "an expired hold goes on blocking funds until it is voided",
        (
            "ficmart/ledger.py",
            "if self.balance(card).available < amount_cents:",
            "expired = sum(e.amount_cents for e in self.entries() if now > (e.expires_at_ns or 2**63))\n"
            "        if self.balance(card).available + expired < amount_cents:",
        ),
        caught_by="state::TestExpiry::test_an_expired_hold_blocks_funds_until_it_is_voided",
    ),
    *(
        breaking(
            f"{what} takes no other amount ({less_or_more})",
            (
                "ficmart/ledger.py",
                f"if amount_cents != {of}.amount_cents",
                f"if amount_cents {sign} {of}.amount_cents",
            ),
            caught_by=f"state::TestFullAmounts::test_{test}",
        )
        for what, of, test in (
            ("a capture", "hold", "a_capture_takes_exactly_what_was_authorized"),
            ("a refund", "capture", "a_refund_gives_exactly_what_was_captured"),
        )
        for less_or_more, sign in (("less", ">"), ("more", "<"))
    ),
    breaking(
        "one capture per authorization, whatever the keys",
        ("ficmart/ledger.py", USE_OF_HOLD, "kind = 'VOID' AND reference_id = ?"),
        ("ficmart/ledger.py", INDEX_ON_USE, "ON entries (reference_id) WHERE kind = 'VOID';"),
        caught_by=[
            "state::TestLedgerRule::test_a_second_capture_is_refused",
            "overlap::TestTheRest::test_captures_at_once_with_one_key_capture_once",
            "overlap::TestTheRest::test_of_three_captures_that_overlap_two_get_an_error",
        ],
    ),
    breaking(
        "one void per authorization, whatever the keys",
        ("ficmart/ledger.py", USE_OF_HOLD, "kind = 'CAPTURE' AND reference_id = ?"),
        ("ficmart/ledger.py", INDEX_ON_USE, "ON entries (reference_id) WHERE kind = 'CAPTURE';"),
        caught_by=[
            "state::TestLedgerRule::test_a_second_void_is_refused",
            "overlap::TestTheRest::test_voids_at_once_with_one_key_void_once",
            "overlap::TestTheRest::test_of_three_voids_that_overlap_two_get_an_error",
        ],
    ),
    breaking(
        "one refund per capture, whatever the keys",
        ("ficmart/ledger.py", "if self._exists(REFUND_OF_CAPTURE, capture.id):", "if not capture.id:"),
        ("ficmart/ledger.py", "UNIQUE INDEX IF NOT EXISTS one_refund", "INDEX IF NOT EXISTS one_refund"),
        caught_by=[
            "state::TestLedgerRule::test_a_second_refund_is_already_refunded",
            "overlap::TestTheRest::test_refunds_at_once_with_one_key_refund_once",
            "overlap::TestTheRest::test_of_three_refunds_that_overlap_two_get_an_error",
        ],
    ),
    breaking(
        "a second refund says already_refunded",
        ("ficmart/ledger.py", 'raise Refused("already_refunded")', 'raise Refused("capture_not_found")'),
        caught_by="state::TestLedgerRule::test_a_second_refund_is_already_refunded",
    ),
    breaking(
        "authorization_already_used says captured or voided, not which",
        ("ficmart/answers.py", "MESSAGES[code]", "MESSAGES.get(code, code)"),
        (
            "ficmart/ledger.py",
            'raise Refused("authorization_already_used")',
            "used = next(self._entries(USE_OF_HOLD, hold.id)).kind\n"
            '            raise Refused("already_captured" if used is Kind.CAPTURE else "already_voided")',
        ),
        caught_by="state::TestLedgerRule::test_already_used_does_not_say_whether_captured_or_voided",
    ),
    breaking(
        "a hold blocks funds",
        (
            "ficmart/ledger.py",
            "held=by_kind[Kind.HOLD] - by_kind[Kind.CAPTURE] - by_kind[Kind.VOID]",
            "held=0",
        ),
        caught_by="state::TestFunds::test_a_hold_blocks_funds",
    ),
    breaking(
        "a void gives the funds back",
        ("ficmart/ledger.py", " - by_kind[Kind.CAPTURE] - by_kind[Kind.VOID]", " - by_kind[Kind.CAPTURE]"),
        caught_by="state::TestFunds::test_a_void_gives_the_funds_back",
    ),
    breaking(
        "a capture keeps the money",
        (
            "ficmart/ledger.py",
            "total=card.balance_cents - by_kind[Kind.CAPTURE] +",
            "total=card.balance_cents +",
        ),
        caught_by="state::TestFunds::test_a_capture_keeps_the_money_and_a_refund_gives_it_back",
    ),
    breaking(
        "a refund gives the money back",
        ("ficmart/ledger.py", "by_kind[Kind.CAPTURE] + by_kind[Kind.REFUND]", "by_kind[Kind.CAPTURE]"),
        caught_by="state::TestFunds::test_a_capture_keeps_the_money_and_a_refund_gives_it_back",
    ),
    *(
        breaking(
            f"the balance of {last4}",
            ("ficmart/cards.py", text, other),
            caught_by="state::TestFunds::test_a_card_begins_with_the_balance_of_the_table",
        )
        for last4, text, other in (
            ("4111...", "1_000_000", "999_999"),
            ("4242...", " 50_000", " 40_000"),
            ("5555...", "2030, 0)", "2030, 1)"),
            ("5105...", "500_000", "500_001"),
        )
    ),
    *(
        breaking(
            f"the CVV of {number[:4]}...",
            ("ficmart/cards.py", f'"{number}", "{cvv}"', f'"{number}", "999"'),
            caught_by="state::TestFunds::test_a_card_with_money_can_be_authorized",
        )
        for number, cvv in (("4111111111111111", "123"), ("4242424242424242", "456"))
    ),
)
