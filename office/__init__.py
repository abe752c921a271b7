"""The back office: login, search, a payment's page, decisions, the dashboard, the staff log, schedules.

It reads models directly. Each change is one call of a use case.
"""
