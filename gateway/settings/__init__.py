"""The configuration: YAML files and environment in, one frozen ``Settings`` out, or every problem at once."""
