"""Keras with its backend, loaded without the backend's notes about itself, with the book's settings.

TensorFlow writes some ten lines on oneDNN and CUDA to standard error when it is
loaded, whatever the log level. `speculo.device.report` says the same in one.
The modules import Keras from here. KERAS_BACKEND chooses the backend as usual, or
else the machine's ``keras.json``; whatever else that file says is put right here.
"""

import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # It is imported below, quietly. It has no types, so what is named after it is Any.
    import keras

BACKENDS = ("tensorflow", "jax", "torch")
"""The backends that the book trains with, by the names of their packages."""

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


def _settings() -> Path:
    """Where Keras looks for this machine's settings."""
    return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "keras.json"


def _require_backend() -> None:
    """Refuse a backend that is not installed, or that the book does not train with."""
    name, where = os.environ.get("KERAS_BACKEND"), "the environment variable KERAS_BACKEND"
    if not name:
        name, where = "tensorflow", str(_settings())
        with suppress(OSError, ValueError, AttributeError):  # Keras itself judges the file below
            name = json.loads(_settings().read_text(encoding="utf-8")).get("backend", name)
    if name not in BACKENDS:
        raise ValueError(f"The backend {name!r} is chosen by {where}. Expected one of {BACKENDS}")
    if importlib.util.find_spec(name) is None:
        raise ModuleNotFoundError(
            f"The backend {name!r} is chosen by {where}, and is not installed: "
            f".venv/bin/pip install {name}, or choose another of {BACKENDS}"
        )


def _import_keras() -> ModuleType:
    """Import Keras. Where it cannot start with this machine's settings, name the file."""
    try:
        import keras
    except Exception as error:
        if "keras.src.backend.config" in sys.modules:  # it has read the settings: they are fine
            raise
        raise ValueError(
            f"Keras does not start with the settings of this machine ({error}). It reads "
            f"{_settings()}, which can be deleted, and environment variables that begin with KERAS_"
        ) from error
    return keras


def _set_what_the_book_relies_on() -> None:
    """Undo what ``keras.json`` and KERAS_MAX_EPOCHS and the like have set for other projects."""
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_dtype_policy("float32")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


def _share_devices() -> None:
    """Let JAX train on all devices that it finds, of all processes that Keras is told of."""
    if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ:
        keras.distribution.initialize()
    if len(keras.distribution.list_devices()) == 1:
        return

    class Shared(keras.distribution.DataParallel):
        """Weights on every device; a batch is divided among them while `dividing` is true."""

        dividing = False

        def get_data_layout(self, data_shape: tuple[int, ...]) -> keras.distribution.TensorLayout:
            if self.dividing:
                return super().get_data_layout(data_shape)
            return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)

    keras.distribution.set_distribution(Shared(auto_shard_dataset=False))


def _require_jax_for_several() -> None:
    """Refuse to train alone where several processes were meant to train together."""
    if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ and keras.config.backend() != "jax":
        raise ValueError(
            "KERAS_DISTRIBUTION_NUM_PROCESSES is set, but only JAX trains in several processes, and "
            f"the backend is {keras.config.backend()}. Set KERAS_BACKEND=jax, or unset it"
        )


with _quiet():
    _require_backend()
    keras = _import_keras()
    _set_what_the_book_relies_on()

    _require_jax_for_several()
    if keras.config.backend() == "jax":
        _share_devices()
    elif keras.config.backend() == "tensorflow":
        import tensorflow

        # It warns of compiling often where several models are asked one after the other.
        tensorflow.get_logger().setLevel("ERROR")
        if not tensorflow.config.list_physical_devices("GPU"):  # it looks for CUDA, and says so
            # Two operations at once would add up gradients in either order: the same training
            # would end with other weights each time. One at a time still uses every core.
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)

__all__ = ["keras"]
