"""The study: one file a stage, named as in dvc.yaml; shared parts beside them."""
