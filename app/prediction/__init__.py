"""What an exported network says of a picture, without TensorFlow.

Here: the exported file as a model, a picture as the square that it takes. Not here: how files come
to be (stages/export.py), and where pictures come from and answers go (predict, serve, demo).
"""

import os

# Before anything imports it: by default it keeps a number of this machine in the user's cache, and
# tells its maker over the web of its use (onnxruntime 1.32 on Linux).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
