"""What an exported network says of a picture, without TensorFlow.

Here: the exported file as a model, a picture as the square that it takes. Not here: how files come
to be (stages/export.py), and where pictures come from and answers go (predict, serve, demo).
"""

import stages  # noqa: F401, before onnxruntime: it turns its telemetry off
