"""A stand-in backend to try the gateway with; it ships in the wheel."""
