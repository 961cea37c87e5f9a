"""Several processes of one gateway on one machine: what each of them knows of the others."""
