"""A bank's statements, read into lines. Pure: no framework, no database, no network."""
