"""The search box.

It searches the tables of `office.search`. The text is compared as a whole with every kind of id, each by its
own index, so that part of one customer's id never finds another customer. One OR over several tables would
scan them, so each comparison is a query of its own that reads only its newest matches, and a UNION joins
them. If no id matches, the words of the text are searched in descriptions and metadata. The page says how it
read the text.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from office.payments.typed import Amount, Typed
from office.search.models import FoundName, FoundPayment
from office.search.words import Words, having_all
from payments.domain.ids import OPERATION_PREFIX, PAYMENT_PREFIX
from payments.domain.money import Currency
from payments.domain.states import Mode
from payments.engine.abilities import reference_prefixes
from payments.models import ApiRequest, Attempt, IdempotencyKey, Merchant, Operation

PLACEHOLDER = "Payment, order, customer, email, bank reference, last four, amount, description …"

# Operations that one text may lead to. Only a request id that a merchant sends with everything has more.
OPERATIONS_AT_MOST = 1000
# Ids with the same beginning. Four hex digits are shared by one id in 65,536.
BEGIN_ALIKE_AT_MOST = 200
# From this many matches on, words are common; the matches of rarer words are read one by one.
COMMON_FROM = 5000


@dataclass(frozen=True)
class Other:
    """Another meaning of the text: its description, and the text to search for instead."""

    text: str
    term: str


class Search:
    """One text from the search box. It decides once whether to search ids, cards and amounts, or words."""

    def __init__(self, term: str, *, in_words: bool = False) -> None:
        self.typed = Typed(term)
        self.in_words = in_words
        self.is_asked_for_words = in_words
        self._is_decided = in_words

    def newest(self, payments: QuerySet[FoundPayment], at_most: int) -> list[UUID]:
        """The ids of the newest payments of the queryset that match the text."""
        if payments.query.is_empty():  # no filter matches, and Django cannot order a union of empty querysets
            return []
        if self.in_words:
            return self._by_words(payments, at_most)
        found = self._by_ids(payments, at_most)
        if not (found or self._is_decided) and self.typed.words:
            self.in_words = True
            found = self._by_words(payments, at_most)
        self._is_decided = True
        return found

    @cached_property
    def readings(self) -> list[str]:
        """How the text was read, if that may surprise."""
        money = self.typed.money
        said = []
        if money.last_four:
            said.append(f"the last four digits {money.last_four}")
        if money.amount:
            written = " (digits alone)" if money.amount.other else ""
            said.append(f"the amount {money.amount.read}{written}")
        return said

    @property
    def joined_by(self) -> str:
        return " together with " if self.typed.money.together else " or as "

    @cached_property
    def others(self) -> list[Other]:
        """The other ways to read the text."""
        money, found = self.typed.money, []
        if money.amount and money.amount.other:
            found.append(_only(money.amount.other, money.last_four if money.together else ""))
        if money.last_four and money.amount and not money.together:
            found += [
                Other(f"only the card •••• {money.last_four}", f"•••• {money.last_four}"),
                _only(money.amount),
            ]
        return found

    @property
    def hint(self) -> str:
        """Why this text cannot find anything, if so."""
        if self.typed.may_begin_a_card:
            return "FicPay does not store a card's first six digits. Search for its last four."
        if self.typed.is_in_another_currency and not self.typed.money.amount:
            return f"There are no payments in this currency. Currencies: {', '.join(Currency)}."
        return ""

    def _by_ids(self, payments: QuerySet[FoundPayment], at_most: int) -> list[UUID]:
        email = Q(email=self.typed.email) & ~Q(email="")  # as its index has it
        conditions = [*self._comparisons(), *([email] if self.typed.email else [])]
        return _newest_of(payments, conditions, at_most)

    def _by_words(self, payments: QuerySet[FoundPayment], at_most: int) -> list[UUID]:
        if not self.typed.words:
            return []
        words, found = self._with_words
        if len(found) < COMMON_FROM:
            return _newest_of(payments, [Q(pk__in=found)], at_most)
        # So common that reading the list in its own order finds the newest ones quickly.
        return _newest_of(payments, [Q(words=words)], at_most)

    @cached_property
    def _with_words(self) -> tuple[Words, list[UUID]]:
        """The word query, and up to COMMON_FROM payments that match it, unordered.

        Prefixes match only if no whole word does: `inv10` should not find `inv1000`. The words' index is read
        first, by itself: for words that are common but never together, the planner would read the whole list.
        """
        whole = having_all(self.typed.words, whole=True)
        if found := _having(whole):
            return whole, found
        beginnings = having_all(self.typed.words)
        return beginnings, _having(beginnings)

    def _comparisons(self) -> list[Q]:
        """One comparison for each thing that the text may be. Each has its index."""
        typed = self.typed
        each = [Q(**{field: one}) for one in typed.spellings for field in ("order_id", "customer_id")]
        if ids := self._ids():
            each.append(Q(pk__in=sorted(ids, key=str)))
        if typed.begins:
            each += [Q(order_id__startswith=typed.begins), Q(customer_id__startswith=typed.begins)]
        return each + _by_money(typed)

    def _ids(self) -> set[UUID]:
        """Payment ids: in the text, beginning with it, or of payments with a part that it names."""
        begin_alike = self.typed.ids_of_ours(PAYMENT_PREFIX)
        alike = _begin_alike(FoundPayment.objects.all(), begin_alike) if begin_alike else []
        return {*self.typed.uuids, *alike, *_payments_named(self.typed)}


def operations_without_payment(term: str) -> QuerySet[Operation]:
    """Operations that the text names and that have no payment: releases of stray holds."""
    typed = Typed(term)
    references = _references(typed)
    named = [
        Operation.objects.filter(each, payment=None).order_by().values("pk")
        for each in (
            Q(pk__in=typed.uuids),
            Q(bank_reference__in=references),
            Q(target_reference__in=references),
        )
    ]
    return Operation.objects.filter(pk__in=named[0].union(*named[1:]))


def _newest_of(payments: QuerySet[FoundPayment], conditions: list[Q], at_most: int) -> list[UUID]:
    if not conditions:
        return []
    newest_first = payments.order_by("-created_at", "-id").values_list("created_at", "id")
    first, *others = [newest_first.filter(each)[:at_most] for each in conditions]
    found = first.union(*others).order_by("-created_at", "-id")[:at_most] if others else first
    return [payment_id for _, payment_id in found]


def _having(words: Words) -> list[UUID]:
    found = FoundPayment.objects.filter(words=words.as_if_rare())
    return list(found.order_by().values_list("pk", flat=True)[:COMMON_FROM])


def _by_money(typed: Typed) -> list[Q]:
    money = typed.money
    last_four = Q(card_last4=money.last_four) if money.last_four else None
    amounts = _in_minor_units(money.amount) if money.amount else []
    if money.together and last_four:
        return [last_four & amount for amount in amounts]
    return [*([last_four] if last_four else []), *amounts]


def _in_minor_units(amount: Amount) -> list[Q]:
    """One comparison per number, so that each reads its index in order."""
    currencies: dict[int, list[str]] = {}
    for currency, minor in amount.minor.items():
        currencies.setdefault(minor, []).append(currency)
    if len(currencies) == 1 and len(amount.minor) == len(Currency):
        return [Q(amount_minor=minor) for minor in currencies]
    return [Q(amount_minor=minor, currency__in=those) for minor, those in currencies.items()]


def _payments_named(typed: Typed) -> list[UUID]:
    """The payments with a part that the text names: an operation, attempt, idempotency key or request."""
    references, spellings = _references(typed), typed.spellings
    requests = sorted({*spellings, *(one.lower() for one in spellings)})
    named: list[tuple[QuerySet[Any], str]] = []
    if spellings:
        named = [
            (FoundName.objects.filter(name__in=sorted({*references, *requests})), "payment_id"),
            (Operation.objects.filter(target_reference__in=references), "payment_id"),
            (ApiRequest.objects.filter(request_id__in=requests), "payment_id"),
            # A late reply is no change of a payment, so the search's tables may not have its reference.
            (
                Attempt.objects.filter(is_late=True, bank_reference__in=references),
                "operation__payment_id",
            ),
            # Uses the constraint's index, which begins with merchant and mode.
            (
                IdempotencyKey.objects.filter(
                    merchant__in=Merchant.objects.values("pk"), mode__in=list(Mode), key__in=spellings
                ),
                "operation__payment_id",
            ),
        ]
    if typed.uuids:
        named.append((Operation.objects.filter(pk__in=typed.uuids), "payment_id"))
    if begin_alike := typed.ids_of_ours(OPERATION_PREFIX):
        operations = _begin_alike(Operation.objects.all(), begin_alike)
        named.append((Operation.objects.filter(pk__in=operations), "payment_id"))
    if not named:
        return []
    first, *others = [
        rows.filter(**{f"{payment}__isnull": False}).order_by().values_list(payment)[:OPERATIONS_AT_MOST]
        for rows, payment in named
    ]
    return [payment_id for (payment_id,) in first.union(*others)]


def _begin_alike(rows: QuerySet[Any], ids: tuple[UUID, UUID]) -> list[UUID]:
    """Ordered by primary key, so that only its index is read."""
    found = rows.filter(pk__range=ids).order_by("pk").values_list("pk", flat=True)
    return list(found[:BEGIN_ALIKE_AT_MOST])


def _references(typed: Typed) -> list[str]:
    """The spellings of a bank reference: as typed, and in lower case with each prefix that banks use."""
    found, known = set(typed.spellings), reference_prefixes()
    for one in typed.spellings:
        small = one.lower()
        prefixes = [""] if small.startswith(known) else ["", *known]
        found |= {prefix + small for prefix in prefixes}
    return sorted(found)


def _only(amount: Amount, last_four: str = "") -> Other:
    shown = " ".join(filter(None, (amount.shown, last_four)))
    return Other(f"only {shown}", shown)
