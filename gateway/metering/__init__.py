"""Debit, forward, settle: what a request needs between the door and the upstream."""
