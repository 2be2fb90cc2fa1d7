"""The same numbers at every run: seeds and the settings of TensorFlow that decide them."""


def make_reproducible(seed: int) -> None:
    """Make Keras and TensorFlow repeat themselves to the bit; call it before anything is built.

    Deterministic operations and seeds are not enough for a convolutional network on a CPU:
    operations that run side by side still add up in the order in which they end, so they run one
    after another (each on all cores): docs/decisions.md.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_inter_op_parallelism_threads(1)
