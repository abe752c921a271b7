"""The calls about the merchant itself: what it may do, and its API keys."""
