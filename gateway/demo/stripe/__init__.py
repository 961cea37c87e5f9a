"""A small Stripe that is not real: for the demo, and for tests that need no account and no network.

It is not to be trusted by itself: tests hold every body that it returns to Stripe's own OpenAPI document.
"""
