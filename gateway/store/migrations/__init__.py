"""The steps that change a database from one version to the next."""
