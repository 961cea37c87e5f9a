"""Where buckets live; one port, one module for each store."""
