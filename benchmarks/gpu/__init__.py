"""What a GPU gives, and whether it says the same as the processor: `python -m benchmarks.gpu`.

Here is what has to be before Keras is imported, where its backend is JAX.
"""

import os

if os.environ.get("KERAS_BACKEND") == "jax":
    # Deterministic as the study is; memory is taken as it is needed, as processes share the GPU.
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true"
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = "0.9"
    import scipy  # noqa: F401  JAX needs it, and stages/runtime/keras_start.py hides it from Keras
