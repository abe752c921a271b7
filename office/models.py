"""The back office's own tables. They belong to the search: see `office.search`."""

from office.search.models import FollowedEvents, FoundName, FoundPayment

__all__ = ["FollowedEvents", "FoundName", "FoundPayment"]
