"""A form that is older than the login: somebody has logged in anew in another tab, say."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.csrf import csrf_failure

from office.door.site import keeps_typed


def too_old(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page again with what was typed, where it can show that; nothing has been done.

    Browsers send a session's cookie with a form of this site only (SameSite), so that nobody else can write
    into somebody's form.
    """
    from office.decisions import drafts  # noqa: PLC0415 - its package registers pages at the site

    match = request.resolver_match
    if match is not None and keeps_typed(match.func) and request.user.is_authenticated:
        kept = drafts.keepable(request.POST)
        if kept:
            draft = drafts.Draft(kept, drafts.WAS_TOO_OLD)
            return HttpResponseRedirect(drafts.keep(request, request.path, draft))
    return csrf_failure(request, reason=reason)
