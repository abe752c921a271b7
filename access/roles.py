"""The groups of staff, made by a migration of `payments`. The README's "Who may do what" describes them."""

from enum import StrEnum


class Role(StrEnum):
    """A group's name."""

    SUPPORT = "Support"  # looks, resolves, refunds on behalf of the merchant
    SUPPORT_LEAD = "Support lead"  # support, and approves what another has proposed
    FINANCE = "Finance"  # reads and exports
    AUDITOR = "Auditor"  # reads everything, changes nothing
    OPERATIONS = "Operations"  # merchants and API keys; no payments
