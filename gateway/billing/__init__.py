"""What admins and customers do: use cases on the store, without HTTP."""
