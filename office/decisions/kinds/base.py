"""What every kind of decision says of itself: to its pages, its checks, its effect and its words."""

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
    """Who may propose it, on what evidence, and what it changes. Whoever approves has another permission."""

    kind: Resolution.Kind
    permission: ClassVar[str] = RESOLVE  # of whoever proposes it

    @abstractmethod
    def verify(self, proposal: Proposal) -> Basis:
        """That it holds now, by our books and the bank's; and what money it is about.

        Raises CannotResolve, or Outdated where things have changed since they were seen.
        """

    def needs_second(self, proposal: Proposal, basis: Basis) -> bool:
        """Whether somebody else has to approve it: for its amount, or for how little proves it."""
        limit = settings.FOUR_EYES_ABOVE.get(basis.currency, 0)
        return basis.amount_minor > limit or self.is_weak(proposal)

    def is_weak(self, proposal: Proposal) -> bool:
        """Whether so little proves it that somebody else has to approve it, whatever the amount."""
        return False

    @abstractmethod
    def changes(self, proposal: Proposal, basis: Basis) -> Facts:
        """What it will change, told before it is confirmed: state, money, and what the merchant hears."""

    @abstractmethod
    def why_outdated(self, proposed: Resolution) -> str:
        """What has become of what an outdated proposal is about, in a sentence."""


class Settling(DecisionKind):
    """Its effect is in our own books, in the transaction that decides it."""

    @abstractmethod
    def apply(self, decided: Decided) -> str:
        """Do it; what came of it, to end a sentence with.

        Raises Outdated, or CannotResolve, where things have changed since they were verified.
        """


class AboutOperation(Settling):
    """What is recorded about an operation that the machine has not settled. Each has a page and a button."""

    route: ClassVar[str]  # the end of its page's address, whose name is the kind's
    button: ClassVar[str]
    title: ClassVar[str]  # the page's; `{}` is the kind of the operation
    asks_for: ClassVar[type[ReasonForm]]  # the fields have the names of a proposal's

    def form(self, operation: Operation) -> Callable[..., ReasonForm]:
        """What its page asks for."""
        return self.asks_for

    @abstractmethod
    def is_about(self, operation: Operation) -> bool:
        """Whether there is a page of it."""

    def is_offered(self, operation: Operation) -> bool:
        """Whether an unfinished operation of which there is a page has a button to it."""
        return self.is_about(operation)

    def is_due(self, operation: Operation) -> bool:
        """Whether there is something to record although the operation has ended. Then nothing else is."""
        return False

    def why_outdated(self, proposed: Resolution) -> str:
        operation = proposed.operation
        return f"The {operation.kind} has ended: it is {operation.state}." if operation else ""
