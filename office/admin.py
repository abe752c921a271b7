"""Registers the back office's pages with Django's admin."""

from office.differences import differences, runs
from office.door import admin
from office.log import staff_log
from office.merchants import merchants
from office.payments import payments
from office.settlements import settlements
from office.statements import files

__all__ = ["admin", "differences", "files", "merchants", "payments", "runs", "settlements", "staff_log"]
