"""The study: one file a stage, named as in dvc.yaml; shared parts beside them."""

import os

from stages.networks import onednn
from stages.runtime import keras_start, tensorflow_messages

# All here, as every stage imports this first. TensorFlow would give memory back to the system after
# each step and get it anew, zeroed. By default onnxruntime (1.32, on Linux) keeps a number of this
# machine in the user's cache, and tells its maker over the web of its use.
keras_start.hasten()
tensorflow_messages.quieten()
onednn.choose()
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
