"""Who is asking: credentials in, a principal out."""
