"""The back office: its door, finding a payment, its history, decisions, the dashboard, the log, schedules.

It reads models and changes things through one use case call each.
"""
