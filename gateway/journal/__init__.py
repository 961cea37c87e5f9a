"""The append-only record of every charge, and what follows from it: bucket snapshots, usage roll-ups, open holds.

What holds always:

- Records are written in the order in which they were appended, each batch once, under a number that only grows.
- A bucket snapshot is the ``after`` state of the last folded posting to that bucket; a roll-up is a sum of records.
- A batch is folded exactly once into each part of the folded state, whatever dies when (``fold.py``).
- Nothing here runs on the event loop but appending to a list; SQLite has one thread of its own.
"""

from gateway.journal.append import Journal
from gateway.journal.errors import JournalError
from gateway.journal.open import open_journal
from gateway.journal.options import Bounds, Options, Pace, Retention
from gateway.journal.record import Kind, Rare, Record

__all__ = [
    "Bounds",
    "Journal",
    "JournalError",
    "Kind",
    "Options",
    "Pace",
    "Rare",
    "Record",
    "Retention",
    "open_journal",
]
