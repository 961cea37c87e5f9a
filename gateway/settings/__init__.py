"""YAML and environment in, validated settings or every problem at once out."""
