"""The same numbers at every run: seeds and the settings of TensorFlow that decide them."""


def make_reproducible(seed: int, threads: int = 0) -> None:
    """Make Keras and TensorFlow repeat themselves to the bit; call it before anything is built.

    Deterministic operations and seeds are not enough for a convolutional network on a CPU:
    operations that run side by side still add up in the order in which they end, so they run one
    after another: docs/decisions.md. `threads` share out each of them, 0 for one a core; how many
    decides how a sum is rounded.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
