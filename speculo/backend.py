"""Keras with its backend, loaded without the backend's notes about itself.

TensorFlow writes some ten lines on oneDNN and CUDA to standard error when it is
loaded, whatever the log level. `speculo.device.report` says the same in one.
The rooms import Keras from here; KERAS_BACKEND chooses the backend as usual.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what C++ code writes to standard error, unless an exception ends the block."""
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


with _quiet():
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        # It warns of compiling often where several models are asked one after the other.
        tensorflow.get_logger().setLevel("ERROR")
        if not tensorflow.config.list_physical_devices("GPU"):  # it looks for CUDA, and says so
            # Two operations at once would add up gradients in either order: the same training
            # would end with other weights each time. One at a time still uses every core.
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)

__all__ = ["keras"]
