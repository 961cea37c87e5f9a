"""What can be wrong with the store as a whole."""


class StoreError(Exception):
    """Why the store cannot be used, in a sentence for whoever runs the gateway. Never holds a password."""
