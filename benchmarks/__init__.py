"""What was measured, to be measured again: README.md."""

import stages  # noqa: F401, before any of them imports TensorFlow, which it quietens
