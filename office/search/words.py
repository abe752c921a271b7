"""The words by which a payment may be found: those of its description and of its metadata's values."""

from typing import Any

from django.contrib.postgres.search import SearchQuery

# Of a payment `p`; in small letters, parted by whatever is no letter or digit.
WORDS_OF_PAYMENT = """
    to_tsvector('simple', regexp_replace(
        p.description || ' ' || jsonb_path_query_array(p.metadata, '$.*')::text, '[^[:alnum:]]+', ' ', 'g'
    ))
"""


class Words(SearchQuery):
    """What is asked for of a payment's words."""

    is_rare = False

    def as_if_rare(self) -> "Words":
        """The same, of which PostgreSQL expects that few have it, so that it asks the index.

        It takes words for independent: for common ones that are never together it would read the whole table.
        """
        rare = self.copy()
        rare.is_rare = True
        return rare

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **options: Any) -> tuple[str, Any]:
        sql, parameters = super().as_sql(compiler, connection, *args, **options)
        # What comes from a subquery is not known while the statement is planned.
        return (f"(SELECT {sql})" if self.is_rare else sql), parameters


def having_all(words: list[str], *, whole: bool = False) -> Words:
    """Rows that have each of the words or, unless `whole`, one that begins so. Of letters and digits only."""
    end = "" if whole else ":*"
    return Words(" & ".join(f"'{word}'{end}" for word in words), config="simple", search_type="raw")
