"""Measures the gateway beside others of its trade, in one run: ``python -m bench``."""
