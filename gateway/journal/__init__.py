"""The append-only record of every charge, and what follows from it."""
