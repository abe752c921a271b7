"""Staff decisions: a page with a form, a preview of the changes, and one service call on confirmation."""
