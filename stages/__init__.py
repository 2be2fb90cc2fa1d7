"""The study: one file a stage, named as in dvc.yaml; shared parts beside them."""

from stages.runtime import keras_start, tensorflow_messages

keras_start.hasten()  # both here, as every stage imports this first
tensorflow_messages.quieten()
