"""``weighbridge apply``: plans, prices and weights from a file into the billing database, and what that changes."""
