"""The gateway's own routes: what lies under its prefixes is answered here or is 404, and never forwarded."""
