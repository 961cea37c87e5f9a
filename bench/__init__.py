"""Measures the gateway beside a bare proxy and nginx, in one run: ``python -m bench``."""
