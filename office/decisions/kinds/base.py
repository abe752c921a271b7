"""The base of every kind of decision. One class has its page, its checks, its effect and its texts."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from django.conf import settings

from office.decisions.effects import Decided
from office.decisions.evidence import Basis, Proposal
from office.decisions.forms import ReasonForm
from office.decisions.permissions import RESOLVE
from payments.models import Operation, Resolution

Facts = list[tuple[str, str]]


class DecisionKind(ABC):
    """Who may propose it, on what evidence, and what it changes. Approving needs a permission of its own."""

    kind: Resolution.Kind
    permission: ClassVar[str] = RESOLVE  # to propose it

    @abstractmethod
    def verify(self, proposal: Proposal) -> Basis:
        """Check the proposal against our books and the bank's. Returns the money that it is about.

        Raises CannotResolve, or Outdated if something has changed since the page was shown.
        """

    def needs_second(self, proposal: Proposal, basis: Basis) -> bool:
        """Whether another person must approve it, because of its amount or its weak evidence."""
        limit = settings.FOUR_EYES_ABOVE.get(basis.currency, 0)
        return basis.amount_minor > limit or self.is_weak(proposal)

    def is_weak(self, proposal: Proposal) -> bool:
        """Whether its evidence is so weak that another person must approve any amount."""
        return False

    @abstractmethod
    def changes(self, proposal: Proposal, basis: Basis) -> Facts:
        """The preview: what happens to the state and the money, and what the merchant sees."""

    @abstractmethod
    def why_outdated(self, proposed: Resolution) -> str:
        """What has happened to the proposal's subject meanwhile, as a sentence."""


class Settling(DecisionKind):
    """A decision that changes only our own books, in the transaction that decides it."""

    @abstractmethod
    def apply(self, decided: Decided) -> str:
        """Apply it. Returns the result, to end a sentence with.

        Raises Outdated or CannotResolve if something has changed since `verify`.
        """


class AboutOperation(Settling):
    """A decision about an operation that FicPay has not settled. Each has a page and a button."""

    route: ClassVar[str]  # the last part of its page's URL
    button: ClassVar[str]
    title: ClassVar[str]  # of the page; `{}` is the kind of the operation
    asks_for: ClassVar[type[ReasonForm]]  # its fields are named like those of Proposal

    def form(self, operation: Operation) -> Callable[..., ReasonForm]:
        """The form on its page."""
        return self.asks_for

    @abstractmethod
    def is_about(self, operation: Operation) -> bool:
        """Whether this operation has the page."""

    def is_offered(self, operation: Operation) -> bool:
        """Whether an unfinished operation that has the page also shows the button."""
        return self.is_about(operation)

    def is_due(self, operation: Operation) -> bool:
        """Whether the operation still needs this decision although it has ended. No other is offered then."""
        return False

    def why_outdated(self, proposed: Resolution) -> str:
        operation = proposed.operation
        return f"The {operation.kind} is already {operation.state}." if operation else ""
