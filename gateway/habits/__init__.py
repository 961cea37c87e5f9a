"""How an upstream's router reads paths, found out by asking it."""
