"""What the banks can do: by a bank's name, or across all banks."""

from datetime import timedelta

from payments.banks import registry
from payments.banks.registry import bank_named
from payments.domain.abilities import Abilities
from payments.domain.money import Currency
from payments.domain.statements import StatementWords
from payments.domain.states import Mode, OperationKind


def abilities_of(bank: str) -> Abilities:
    """What the bank of that name can do. Raises KeyError for an unknown name."""
    return bank_named(bank).abilities


def banks_for(mode: Mode, currency: Currency) -> list[str]:
    """The names of the banks that take this currency in this mode."""
    banks = [bank_named(name) for name in registry.NAMES]
    return sorted(bank.name for bank in banks if bank.mode is mode and currency in bank.abilities.currencies)


def banks_that_can(kind: OperationKind) -> list[str]:
    """The names of the banks that carry out this instruction."""
    return [name for name in registry.NAMES if abilities_of(name).can(kind)]


def banks_that_void_expired_holds() -> list[str]:
    """The names of the banks where an expired hold is voided, which frees the cardholder's money."""
    return [name for name in registry.NAMES if abilities_of(name).voids_expired_holds]


def banks_with_stray_holds() -> list[str]:
    """The names of the banks where a hold without a payment can be looked up and voided."""
    return [
        name
        for name in banks_that_can(OperationKind.RELEASE)
        if OperationKind.AUTHORIZE in abilities_of(name).looks_up
    ]


def banks_that_report_health() -> list[str]:
    """The names of the banks that report their own health."""
    return [name for name in registry.NAMES if abilities_of(name).reports_health]


def banks_without_keys() -> list[str]:
    """The names of the banks without idempotency keys, where nothing is sent again after a doubt."""
    return [name for name in registry.NAMES if not abilities_of(name).knows_keys]


def replies_kept_for() -> dict[str, timedelta]:
    """How long each bank keeps a stored reply; banks that keep them forever are left out."""
    lasting = {name: abilities_of(name).replies_kept_for for name in registry.NAMES}
    return {name: lasts for name, lasts in lasting.items() if lasts is not None}


def reference_prefixes() -> tuple[str, ...]:
    """The prefixes of all banks' references."""
    return tuple(
        sorted({prefix for name in registry.NAMES for prefix in bank_named(name).reference_prefixes})
    )


def statement_words(bank: str) -> StatementWords | None:
    """How the bank's statements are written; None where it gives none."""
    return bank_named(bank).statement_words


def banks_with_statements() -> list[str]:
    """The names of the banks that give statements."""
    return [name for name in registry.NAMES if statement_words(name)]


def banks_whose_statements_we_write() -> list[str]:
    """The names of the banks of test mode that give statements: no bank keeps books about test payments."""
    return [name for name in banks_with_statements() if bank_named(name).mode is Mode.TEST]


def banks_that_deliver_statements() -> list[str]:
    """The names of the banks that keep books, and deliver statements of them."""
    return [name for name in banks_with_statements() if bank_named(name).mode is Mode.LIVE]


def banks_that_look_up() -> list[str]:
    """The names of the banks where something can be looked up by the bank's id."""
    return [name for name in registry.NAMES if abilities_of(name).looks_up]
