"""The search's own tables: what people find payments by, kept beside the payments' own.

`models` are the tables, `fill` writes payments into them, and `follow` keeps them up to date. They only find
ids: what a page shows is read from the payments themselves.
"""
