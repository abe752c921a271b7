"""Access to the back office: logins, second factor, sessions, and roles."""
