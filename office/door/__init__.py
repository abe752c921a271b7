"""The back office's door: who may come in (logins, second factor, sessions) and what they may do (roles)."""
