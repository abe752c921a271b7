"""The search's own tables, a projection of the payments.

`models` has the tables, `fill` writes payments into them, `follow` keeps them up to date. They are used only
to find ids: pages read what they show from the payments themselves.
"""
