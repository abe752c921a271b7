"""The words by which a payment may be found: those of its description and of its metadata's values."""

from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db.models import Func


class Words(Func):
    """Of `description` and `metadata`; in small letters, parted by whatever is no letter or digit.

    An index has it: the text that goes to PostgreSQL must stay as it is.
    """

    template = "to_tsvector('simple'::regconfig, regexp_replace(%(expressions)s, '[^[:alnum:]]+', ' ', 'g'))"
    arg_joiner = " || ' ' || "
    output_field = SearchVectorField()

    def __init__(self, *columns: Any, **extra: Any) -> None:
        super().__init__(*(columns or ("description", _Values("metadata"))), **extra)


class _Values(Func):
    template = "jsonb_path_query_array(%(expressions)s, '$.*')::text"


def having_all(words: list[str], *, whole: bool = False) -> SearchQuery:
    """Rows that have each of the words or, unless `whole`, one that begins so. Of letters and digits only."""
    end = "" if whole else ":*"
    return SearchQuery(" & ".join(f"'{word}'{end}" for word in words), config="simple", search_type="raw")
