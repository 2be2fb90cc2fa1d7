"""Which stages run next, and where: the pipeline as DVC knows it, on cores or on a cluster."""
