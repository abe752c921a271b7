"""Full-text search of payments: the words of the description and of the metadata's values."""

from typing import Any

from django.contrib.postgres.search import SearchQuery

# The words of a payment `p`: in lower case, split at everything that is no letter or digit.
WORDS_OF_PAYMENT = """
    to_tsvector('simple', regexp_replace(
        p.description || ' ' || jsonb_path_query_array(p.metadata, '$.*')::text, '[^[:alnum:]]+', ' ', 'g'
    ))
"""


class Words(SearchQuery):
    """A full-text query."""

    is_rare = False

    def as_if_rare(self) -> "Words":
        """The same query, planned as if few rows match, so that PostgreSQL uses the index.

        PostgreSQL takes words for independent. For common words that are never together it would read the
        whole table.
        """
        rare = self.copy()
        rare.is_rare = True
        return rare

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **options: Any) -> tuple[str, Any]:
        sql, parameters = super().as_sql(compiler, connection, *args, **options)
        # The planner does not know the value of a subquery.
        return (f"(SELECT {sql})" if self.is_rare else sql), parameters


def having_all(words: list[str], *, whole: bool = False) -> Words:
    """Rows with all of the words or, unless `whole`, words that begin with them. Letters and digits only."""
    end = "" if whole else ":*"
    return Words(" & ".join(f"'{word}'{end}" for word in words), config="simple", search_type="raw")
