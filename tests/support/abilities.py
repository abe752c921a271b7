"""Banks that can do less than they do, for tests of who asks what a bank can do."""

from dataclasses import replace
from typing import Any

import pytest

from payments.banks.registry import bank_named
from payments.domain.abilities import Abilities
from payments.domain.states import OperationKind


def has_abilities(patch: pytest.MonkeyPatch, bank: str, **changes: Any) -> Abilities:
    """The bank's abilities, changed for this test."""
    changed = replace(bank_named(bank).abilities, **changes)
    patch.setattr(bank_named(bank), "abilities", changed)
    return changed


def can_only(patch: pytest.MonkeyPatch, bank: str, *kinds: OperationKind) -> Abilities:
    """The bank carries out these instructions only; it knows no keys and cannot be asked for anything."""
    return has_abilities(
        patch,
        bank,
        operations=frozenset(kinds),
        captures_parts=False,
        refunds_parts=False,
        knows_keys_for=None,
        probes_without_card=False,
        looks_up=frozenset(),
        reports_health=False,
        voids_expired_holds=False,
        statements=frozenset(),
    )
