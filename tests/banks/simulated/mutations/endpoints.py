"""Breaking the contract's section on "Endpoints"."""

from tests.banks.simulated.mutations.mutation import breaking

ENDPOINTS = (
    breaking(
        "an authorization is approved",
        ("ficmart/answers.py", '"status": "approved"', '"status": "authorized"'),
        caught_by="endpoints::TestPost::test_an_authorization_is_approved_with_its_amount_and_its_times",
    ),
    breaking(
        "currency is always USD",
        ("ficmart/entries.py", 'CURRENCY = "USD"', 'CURRENCY = "EUR"'),
        caught_by=[
            "endpoints::TestPost::test_an_authorization_is_approved_with_its_amount_and_its_times",
            "endpoints::TestPost::test_a_capture_names_its_authorization_and_amount",
        ],
    ),
    breaking(
        "a capture answers status captured",
        ("ficmart/answers.py", '"status": "captured"', '"status": "settled"'),
        caught_by="endpoints::TestPost::test_a_capture_names_its_authorization_and_amount",
    ),
    breaking(
        "a void answers voided_at",
        ("ficmart/answers.py", '"voided_at": at', '"released_at": at'),
        caught_by="endpoints::TestPost::test_a_void_names_its_authorization",
    ),
    breaking(
        "a refund names its capture",
        ("ficmart/answers.py", '"capture_id": f"cap_{reference}"', '"capture_id": f"auth_{reference}"'),
        caught_by="endpoints::TestPost::test_a_refund_names_its_capture_and_amount",
    ),
    breaking(
        "amounts are integers in cents",
        ("ficmart/answers.py", '"amount": entry.amount_cents', '"amount": entry.amount_cents / 1'),
        caught_by="endpoints::TestPost::test_amounts_are_integers_and_answers_are_json",
    ),
    breaking(
        "JSON out",
        ("answers.py", 'JSON = "application/json"', 'JSON = "text/json"'),
        caught_by="endpoints::TestPost::test_amounts_are_integers_and_answers_are_json",
    ),
    breaking(
        "X-Idempotent-Replayed is for stored answers",
        (
            "ficmart/answers.py",
            "return json_answer(200, said)",
            'return Answer(200, json_answer(200, said).body, headers={"X-Idempotent-Replayed": "true"})',
        ),
        caught_by="endpoints::TestPost::test_a_first_answer_does_not_claim_to_be_a_replay",
    ),
    breaking(
        "ids end in a lower-case UUID",
        (
            "ficmart/ledger.py",
            "entry = Entry(kind, str(uuid4()),",
            "entry = Entry(kind, str(uuid4()).upper(),",
        ),
        caught_by="endpoints::TestPost::test_ids_are_a_prefix_and_a_lower_case_uuid",
    ),
    breaking(
        "GET authorizations/{id} is the authorization",
        (
            "ficmart/answers.py",
            "return _describe(entry, rfc3339_from_database)",
            'return _describe(entry, rfc3339_from_database).with_fields({"expires_at": None})',
        ),
        caught_by="endpoints::TestGet::test_an_authorization_reads_back_as_it_was_made",
    ),
    breaking(
        "GET captures/{id} is the capture",
        ("ficmart/server.py", '("cap_", Kind.CAPTURE)', '("cap_", Kind.VOID)'),
        caught_by="endpoints::TestGet::test_a_capture_reads_back_as_it_was_made",
    ),
    breaking(
        "GET refunds/{id} is the refund",
        ("ficmart/server.py", '("ref_", Kind.REFUND)', '("ref_", Kind.VOID)'),
        caught_by="endpoints::TestGet::test_a_refund_reads_back_as_it_was_made",
    ),
    breaking(
        "GET says always approved",
        (
            "ficmart/teller.py",
            "        return read_back(entry)",
            "        entries = await self.ask(lambda ledger: ledger.entries())\n"
            "        used = any(one.reference_id == entry.id for one in entries)\n"
            '        return read_back(entry).with_fields({"status": "used"} if used else {})',
        ),
        caught_by="endpoints::TestGet::test_an_authorization_is_always_approved",
    ),
    breaking(
        "times are RFC 3339",
        ("clock.py", 'f".{digits}Z" if digits else "Z"', 'f".{digits}" if digits else ""'),
        caught_by="endpoints::TestPost::test_an_authorization_is_approved_with_its_amount_and_its_times",
    ),
    breaking(
        "times have nine fractional digits at most",
        ("clock.py", '{fraction:09d}".rstrip("0")', '{fraction:09d}000"'),
        caught_by="endpoints::TestPost::test_an_authorization_is_approved_with_its_amount_and_its_times",
    ),
    breaking(
        "times read back have six fractional digits",
        ("clock.py", "{fraction // 1000:06d}Z", "{fraction:09d}Z"),
        caught_by="endpoints::TestGet::test_times_read_back_have_six_fractional_digits_at_most",
    ),
    breaking(
        "no GET for voids",
        ("ficmart/server.py", "READS = {", 'READS = {\n    "voids": ("void_", Kind.VOID),'),
        caught_by="endpoints::TestGet::test_what_is_not_asked_for_by_its_own_id_cannot_be_found",
    ),
    breaking(
        "no listing",
        (
            "ficmart/server.py",
            '        app.router.add_get("/health"',
            '        app.router.add_get("/api/v1/captures", self._health)\n'
            '        app.router.add_get("/health"',
        ),
        caught_by="endpoints::TestGet::test_what_is_not_asked_for_by_its_own_id_cannot_be_found",
    ),
    breaking(
        "a healthy bank says healthy",
        ("ficmart/answers.py", '{"status":"healthy"}', '{"status":"ok"}'),
        caught_by="endpoints::TestHealth::test_a_healthy_bank_says_so",
    ),
    breaking(
        "404 not_found on a GET",
        ("ficmart/answers.py", '"not_found": 404', '"not_found": 410'),
        caught_by="endpoints::TestNotFound::test_an_id_that_was_never_given_out_is_not_found",
    ),
)
