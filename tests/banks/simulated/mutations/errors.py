"""Breaking the contract's section on "Errors", but for the database."""

from tests.banks.simulated.mutations.mutation import breaking

ERRORS = (
    breaking(
        "a malformed number is an invalid_card",
        (
            "ficmart/instructions.py",
            'if not is_card_number(number):\n        raise Refused("invalid_card")',
            'if not is_card_number(number):\n        raise Refused("invalid_cvv")',
        ),
        caught_by="errors::TestCardJudgement::test_a_number_that_is_no_card_number_is_an_invalid_card",
    ),
    breaking(
        "a card that was not issued is an invalid_card",
        (
            "ficmart/instructions.py",
            'if card is None:\n            raise Refused("invalid_card")',
            'if card is None:\n            raise Refused("card_expired")',
        ),
        caught_by="errors::TestCardJudgement::test_a_card_the_bank_has_not_issued_is_an_invalid_card",
    ),
    breaking(
        "a malformed CVV is an invalid_cvv",
        (
            "ficmart/instructions.py",
            'is_digits(cvv)):\n        raise Refused("invalid_cvv")',
            'is_digits(cvv)):\n        raise Refused("invalid_card")',
        ),
        caught_by="errors::TestCardJudgement::test_a_cvv_is_three_or_four_digits",
    ),
    breaking(
        "the CVV is compared",
        ("ficmart/instructions.py", "if cvv != card.cvv:", "if cvv[:2] != card.cvv[:2]:"),
        caught_by="errors::TestCardJudgement::test_the_cvv_is_compared",
    ),
    breaking(
        "the expiry date of the request is not compared",
        (
            "ficmart/instructions.py",
            "        if cvv != card.cvv:",
            '        if fields.number("expiry_year") != card.expiry_year:\n'
            '            raise Refused("card_expired")\n'
            "        if cvv != card.cvv:",
        ),
        caught_by="errors::TestCardJudgement::test_the_expiry_of_the_request_is_not_compared",
    ),
    breaking(
        "the bank judges expiry by its own record",
        ("ficmart/instructions.py", "if card.has_expired(now):", 'if fields.number("expiry_year") < 2026:'),
        caught_by="errors::TestCardJudgement::test_a_card_expires_by_the_record_of_the_bank",
    ),
    breaking(
        "402 for insufficient_funds",
        ("ficmart/answers.py", '"insufficient_funds": 402', '"insufficient_funds": 400'),
        caught_by="errors::TestCardJudgement::test_a_card_without_money_has_insufficient_funds",
    ),
    breaking(
        "a card gives no more than its balance",
        ("ficmart/ledger.py", ".available < amount_cents:", ".available + 1 < amount_cents:"),
        caught_by=[
            "errors::TestCardJudgement::test_a_card_without_money_has_insufficient_funds",
            "errors::TestCardJudgement::test_a_card_does_not_give_more_than_its_balance",
        ],
    ),
    breaking(
        "amount >= 1",
        ("ficmart/instructions.py", 'raise Refused("invalid_amount")', 'raise Refused("amount_mismatch")'),
        caught_by="errors::TestCardJudgement::test_an_amount_is_at_least_one_cent",
    ),
    breaking(
        "no authorization: 400 authorization_not_found",
        ("ficmart/ledger.py", 'raise Refused("authorization_not_found")', 'raise Refused("not_found")'),
        caught_by=[
            "errors::TestReferences::test_a_capture_of_no_authorization_is_refused",
            "errors::TestReferences::test_a_void_of_no_authorization_is_refused",
        ],
    ),
    breaking(
        "no capture: 400 capture_not_found",
        (
            "ficmart/ledger.py",
            'raise Refused("capture_not_found")',
            'raise Refused("authorization_not_found")',
        ),
        caught_by=[
            "errors::TestReferences::test_a_refund_of_no_capture_is_refused",
            "errors::TestReferences::test_a_refund_of_an_authorization_is_refused",
        ],
    ),
    breaking(
        "an unreadable body gives plain text",
        (
            "ficmart/answers.py",
            "UNREADABLE_BODY = plain_text(400, ",
            'UNREADABLE_BODY = failure(400, "invalid_json", ',
        ),
        caught_by="errors::TestPlainText::test_an_unreadable_body_is_a_400_in_plain_text",
    ),
    breaking(
        "a missing Idempotency-Key gives plain text",
        (
            "ficmart/answers.py",
            "MISSING_KEY = plain_text(400, ",
            'MISSING_KEY = failure(400, "missing_idempotency_key", ',
        ),
        caught_by="errors::TestPlainText::test_a_missing_idempotency_key_is_a_400_in_plain_text",
    ),
    breaking(
        "an unknown path gives plain text",
        (
            "ficmart/answers.py",
            "UNKNOWN_PATH = plain_text(404, ",
            'UNKNOWN_PATH = failure(404, "not_found", ',
        ),
        caught_by="errors::TestPlainText::test_an_unknown_path_is_a_404_in_plain_text",
    ),
)
