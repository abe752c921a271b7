"""Registers the back office's pages with Django's admin."""

from office.door import admin
from office.log import staff_log
from office.merchants import merchants
from office.payments import payments

__all__ = ["admin", "merchants", "payments", "staff_log"]
