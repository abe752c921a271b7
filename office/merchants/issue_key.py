"""The pages that issue and rotate API keys. A new key is shown once, in the response to the confirmation."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from office.decisions import drafts
from office.decisions.forms import ReasonForm
from office.decisions.kinds.base import Facts
from office.decisions.page import Decision, Preview, decision_page
from office.log.actors import staff_of
from office.pages.rendering import render_page
from office.pages.words import utc
from payments.domain.scopes import Scope, Scopes
from payments.domain.states import Mode
from payments.models import ApiKey, Merchant
from payments.models.clock import read_clock
from payments.usecases.merchants import IssuedKey, NewKey, issue_api_key, rotate_api_key

ISSUE = "payments.issue_apikey"
_KEYS = "admin:payments_apikey_changelist"
_LONGEST_DAYS = 3650
_SCOPE_FIELDS = {f"scope_{scope.name.lower()}": scope for scope in Scope}


class _ExpiryForm(ReasonForm):
    """When the new key ends."""

    expires_in_days = forms.IntegerField(
        label="Expires in days",
        required=False,
        min_value=1,
        max_value=_LONGEST_DAYS,
        help_text="Leave empty for a key that does not expire.",
    )


class IssueForm(_ExpiryForm):
    """What the new key is for. Each scope has a checkbox of its own, so that a draft keeps them."""

    mode = forms.ChoiceField(choices=[(mode.value, mode.value) for mode in Mode])
    name = forms.CharField(max_length=100, help_text="Says what uses the key: order service.")

    def __init__(self, sent: Any = None) -> None:
        super().__init__(sent)
        for name, scope in _SCOPE_FIELDS.items():
            self.fields[name] = forms.BooleanField(label=f"Scope {scope}", required=False, initial=True)
        self.order_fields(["mode", "name", *_SCOPE_FIELDS, "expires_in_days", "reason"])

    def clean(self) -> dict[str, Any]:
        """Adds `scopes`."""
        cleaned = super().clean()
        scopes = frozenset(scope for name, scope in _SCOPE_FIELDS.items() if cleaned.get(name))
        if not scopes:
            self.add_error(None, "Choose at least one scope.")
        return cleaned | {"scopes": scopes}


class RotateForm(_ExpiryForm):
    """How long the old key still works."""

    overlap_hours = forms.IntegerField(
        label="The old key works for another (hours)",
        min_value=0,
        max_value=30 * 24,
        initial=24,
        help_text="At most 720. It never works longer than it would have.",
    )
    field_order = ("overlap_hours", "expires_in_days", "reason")


def issue(request: HttpRequest, merchant_id: int, **_: Any) -> HttpResponse:
    """The page that issues a key, as a decision with a preview."""
    _may_issue(request)
    if shown := _shown_before(request):
        return shown
    merchant = get_object_or_404(Merchant, pk=merchant_id)

    def decide(given: dict[str, Any]) -> HttpResponse:
        wanted = NewKey(given["name"], given["scopes"], _expiry(given))
        issued = issue_api_key(
            slug=merchant.slug,
            mode=Mode(given["mode"]),
            wanted=wanted,
            reason=given["reason"],
            by=staff_of(request),
        )
        return _shown_once(request, issued)

    return decision_page(
        request,
        Decision(
            title=f"Issue an API key for {merchant.name}",
            about=[("Merchant", merchant.name)],
            form=IssueForm,
            preview=lambda given: Preview(
                [
                    ("New key", f"For {given['mode']} mode, shown once, on the next page."),
                    ("It may", _in_words(given["scopes"])),
                    ("It works", _until(_expiry(given))),
                ]
            ),
            decide=decide,
            back=reverse(_KEYS),
        ),
    )


def rotate(request: HttpRequest, key_id: int, **_: Any) -> HttpResponse:
    """The page that replaces a key by a new one, as a decision with a preview."""
    _may_issue(request)
    if shown := _shown_before(request):
        return shown
    key = get_object_or_404(ApiKey.objects.select_related("merchant"), pk=key_id)

    def decide(given: dict[str, Any]) -> HttpResponse:
        issued = rotate_api_key(
            key,
            overlap=timedelta(hours=given["overlap_hours"]),
            expires_at=_expiry(given),
            reason=given["reason"],
            by=staff_of(request),
        )
        return _shown_once(request, issued)

    return decision_page(
        request,
        Decision(
            title=f"Rotate the API key {key}",
            about=about(key),
            form=RotateForm,
            preview=lambda given: Preview(
                [
                    ("New key", "With the same name and scopes, shown once, on the next page."),
                    ("It works", _until(_expiry(given))),
                    ("Old key", f"Works for another {given['overlap_hours']} hours, then gets 401."),
                ]
            ),
            decide=decide,
            back=reverse(_KEYS),
        ),
    )


def about(key: ApiKey) -> Facts:
    """What a page says of a key."""
    return [
        ("Merchant", key.merchant.name),
        ("Mode", key.mode),
        ("Name", key.name or "none"),
        ("Scopes", ", ".join(key.scopes)),
        ("Last used", utc(key.last_used_at)),
    ]


def _may_issue(request: HttpRequest) -> None:
    if not request.user.has_perm(ISSUE):
        raise PermissionDenied


def _expiry(given: dict[str, Any]) -> datetime | None:
    days = given["expires_in_days"]
    return read_clock() + timedelta(days=days) if days else None


def _until(expiry: datetime | None) -> str:
    return f"until {utc(expiry)}" if expiry else "until it is disabled"


def _in_words(scopes: Scopes) -> str:
    return ", ".join(scope for scope in Scope if scope in scopes)


def _shown_once(request: HttpRequest, issued: IssuedKey) -> HttpResponse:
    context = {
        "title": "The new API key",
        "secret": issued.plain,
        "about": about(issued.key),
        "back": reverse(_KEYS),
    }
    return render_page(request, "office/key_issued.html", context)


def _shown_before(request: HttpRequest) -> HttpResponse | None:
    """A redirect if a confirmation is sent again, as by reloading the page with the key."""
    is_again = "confirmed" in request.POST and drafts.is_asked_for(request) and drafts.find(request) is None
    if not is_again:
        return None
    messages.warning(request, "This key was already issued and shown. If you do not have it, issue another.")
    return HttpResponseRedirect(reverse(_KEYS))
