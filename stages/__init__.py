"""The study: one file a stage, named as in dvc.yaml; shared parts beside them."""

from stages.runtime import tensorflow_messages

tensorflow_messages.quieten()  # here, as every stage imports this first
