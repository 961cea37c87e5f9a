"""The one error of the journal."""


class JournalError(Exception):
    """The journal cannot be used: the sentence says why and how to go on. Never holds a secret."""
