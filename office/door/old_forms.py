"""Handles a form that is older than the login, for example after a new login in another tab."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.csrf import csrf_failure

from office.door.site import keeps_typed


def too_old(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Show the page again with its input, if it keeps drafts. Nothing has been done.

    Browsers send the session's cookie only with forms of this site (SameSite), so no other site can fill a
    form.
    """
    from office.decisions import drafts  # noqa: PLC0415 - its package registers pages at the site

    match = request.resolver_match
    if match is not None and keeps_typed(match.func) and request.user.is_authenticated:
        kept = drafts.storable(request.POST)
        if kept:
            draft = drafts.Draft(kept, drafts.WAS_TOO_OLD)
            return HttpResponseRedirect(drafts.store(request, request.path, draft))
    return csrf_failure(request, reason=reason)
