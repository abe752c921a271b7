"""The staff log: who did what, when, from where and why. It is read-only for everybody."""

from copy import copy
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.html import format_html
from django.utils.safestring import SafeString

from office.log import staff_actions
from office.log.staff import Operator, Staff
from office.pages.fields import ZONE, FieldsFilter, ZoneFilter, on_days
from office.pages.filters import ChoiceFilter
from office.pages.read_only import ReadOnlyAdmin
from office.pages.search_forms import filled_in, form_lost, list_url
from office.pages.words import as_written, utc_in_column
from payments.domain.cards import contains_typed_card_number
from payments.models import Event

VIEW = "payments.view_staff_log"
LIST = "admin:payments_event_changelist"


class ActorFilter(FieldsFilter):
    """One user by the full username, or `operator` for commands."""

    title = "who"
    inputs = (("text", "actor", "Who (full username)"),)

    def narrow(self, request: HttpRequest, rows: QuerySet[Event]) -> QuerySet[Event]:
        name = self.given.get("actor", "")
        if not name:
            return rows
        by = Q(actor=Staff(user_id=0, username=name, address="", request_id="").actor)
        if name == Operator.actor:
            by |= Q(actor=Operator.actor)
        return rows.filter(by)


class ActionFilter(ChoiceFilter):
    title, parameter_name, field = "what", "type", "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(one.value, staff_actions.WORDS[one]) for one in Event.OF_STAFF]


class DayFilter(FieldsFilter):
    title = "day"
    inputs = (("date", "day", "Day"),)

    def narrow(self, request: HttpRequest, rows: QuerySet[Event]) -> QuerySet[Event]:
        day = self.given.get("day", "")
        return on_days(request, rows, "at", day, day)


@admin.register(Event)
class StaffLogAdmin(ReadOnlyAdmin[Event]):
    list_display: Any = ("when", "who", "what", "about", "where", "why")
    list_filter = (ActorFilter, ActionFilter, DayFilter, ZoneFilter)
    ordering = ("-at", "-id")
    show_facets = admin.ShowFacets.NEVER
    change_list_template = "office/staff_log.html"
    _asked_for = ("actor", "type", "day", ZONE)

    def has_view_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:
        """Not the permission to view events: everybody who may read a payment's timeline has that."""
        return request.user.has_perm(VIEW)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return Event.objects.filter(type__in=Event.OF_STAFF).select_related("payment")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The filters' own names only: any other lookup would be a scan of the table."""
        return lookup in self._asked_for

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("search/", "payments_event_search", self.search_view),)

    def get_list_display(self, request: HttpRequest) -> Any:
        """Superusers get links to users and groups."""
        if not request.user.is_superuser:
            return self.list_display
        return [self.about_with_links if name == "about" else name for name in self.list_display]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        named = copy(self.opts)
        named.verbose_name_plural = "log"  # unfold shows it in the page's header
        return super().changelist_view(request, {"title": "Log", "opts": named} | (extra_context or {}))

    def search_view(self, request: HttpRequest, **_: Any) -> HttpResponseRedirect:
        """Receives the search form, by POST, so that a card number typed by mistake is in no URL."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return form_lost(request, list_url(LIST, self._asked(request.GET)))
        asked = self._asked(request.POST)
        if any(map(contains_typed_card_number, asked.values())):
            messages.error(
                request, "Your search contained a card number, so nothing was searched, stored or logged."
            )
            asked = {}
        return HttpResponseRedirect(list_url(LIST, asked))

    def _asked(self, given: QueryDict) -> dict[str, str]:
        return filled_in(given, self._asked_for, DayFilter.days())

    @admin.display(description="When (UTC)")
    def when(self, event: Event) -> str:
        return utc_in_column(event.at)

    @admin.display(description="Who")
    def who(self, event: Event) -> SafeString:
        """The username at that time, and the user's id, which is never reused."""
        name, user = event.actor.removeprefix("staff:"), event.evidence.get("user")
        below = format_html("<span>user {}</span>", user) if user else ""
        return format_html(
            '<div class="ficpay-told"><strong class="ficpay-short" title="{}">{}</strong>{}</div>',
            *(name, name, below),
        )

    @admin.display(description="What")
    def what(self, event: Event) -> SafeString:
        return staff_actions.what(event)

    @admin.display(description="About")
    def about(self, event: Event) -> SafeString | str:
        return staff_actions.about(event, links=False)

    @admin.display(description="About")
    def about_with_links(self, event: Event) -> SafeString | str:
        return staff_actions.about(event, links=True)

    @admin.display(description="From where")
    def where(self, event: Event) -> str:
        return event.evidence.get("from") or "unknown"

    @admin.display(description="Why")
    def why(self, event: Event) -> SafeString:
        return as_written(staff_actions.why(event))
