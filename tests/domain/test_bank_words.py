"""Nothing outside an adapter knows a bank's name, statuses, codes or reference prefixes.

Settings and routes name banks, `bank/` plays them, `dev/` starts those, and tests know them all.
"""

import re

import pytest

from payments.banks import ficmart, registry
from payments.domain.meanings import DECLINES
from payments.domain.problems import PROBLEMS
from payments.domain.replies import Said
from tests.support.project import PROJECT

TREES = ("payments", "office", "reconciliation", "templates")
ADAPTERS = "payments/banks/"
# The slug of the merchant that is a bank's namesake, how routes are set, and an example of who pays.
NAMING = (
    "payments/management/commands/seed.py",
    "office/management/commands/create_merchant.py",
    "office/management/commands/issue_api_key.py",
    "payments/api/merchants/examples.py",
    "office/management/commands/route.py",
    "office/management/commands/fees.py",
    "payments/api/settlements/examples.py",
)
# What a merchant's receipt looks like, shown with one bank's references.
EXAMPLES = ("payments/api/examples.py",)

OUR_WORDS = {*Said, *DECLINES, *PROBLEMS}
CODES = {
    *(set(ficmart._WORDS) - OUR_WORDS),
    *("authorization_not_found", "capture_not_found", "refund_not_found", "missing_idempotency_key"),
    *("invalid_amount", "X-Idempotent-Replayed"),
}
PREFIXES = [*{prefix for name in registry.NAMES for prefix in registry.bank_named(name).reference_prefixes}]
FORBIDDEN = {
    "a bank's name": re.compile(rf"\b({'|'.join(registry.NAMES)}|acquirer)\b"),
    "a bank's code": re.compile(rf"\b({'|'.join(map(re.escape, sorted(CODES)))})\b"),
    # `auth_` and what follows it in an id, or nothing: not a column as `void_id`, nor an address of Django's.
    "a reference's prefix": re.compile(rf"(?<!admin:)\b({'|'.join(PREFIXES)})(?![a-z]*[g-z_])"),
    "a bank's status, compared": re.compile(r"http_status\W*(=|<|>|\bIN\b|\bNOT\b|__[a-z]+)[=\s]*[1-9(]"),
    "a reply that is read": re.compile(r"\breply(\.|__|\W+)(startswith|endswith|removeprefix|LIKE|~)"),
}


def sources() -> list[tuple[str, str]]:
    """Path and text of what may not know a bank."""
    return [
        (path, file.read_text())
        for tree in TREES
        for ending in ("py", "sql", "html")
        for file in sorted((PROJECT / tree).rglob(f"*.{ending}"))
        if not (path := str(file.relative_to(PROJECT))).startswith(ADAPTERS)
    ]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_outside_the_adapters_knows(what: str) -> None:
    allowed = NAMING if what == "a bank's name" else EXAMPLES if what == "a reference's prefix" else ()
    found = [
        f"{path}:{number}: {line.strip()}"
        for path, text in sources()
        if path not in allowed
        for number, line in enumerate(text.splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a bank's name", 'if payment.bank == "ficmart":'),
        ("a bank's code", 'code == "authorization_already_used"'),
        ("a reference's prefix", '_BANK_PREFIXES = ("auth_", "cap_")'),
        ("a reference's prefix", "As cap_\u2026 or ref_\u2026, or the bare id"),
        ("a bank's status, compared", "if attempt.http_status == 200:"),
        ("a bank's status, compared", "attempts.filter(http_status__gte=500)"),
        ("a bank's status, compared", "AND a.http_status IN (400, 402)"),
        ("a reply that is read", 'one.reply.endswith("already_voided")'),
        ("a reply that is read", "AND a.reply LIKE '%' || NEW.outcome_code"),
    ],
)
def test_would_be_found(what: str, line: str) -> None:
    assert FORBIDDEN[what].search(line)
