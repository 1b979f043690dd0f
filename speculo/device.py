"""What the model runs on, and which precision is fast there."""

import platform
from dataclasses import dataclass

from speculo import checks, cpu, sharing
from speculo.backend import keras

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class Device:
    """The device that Keras's backend will use.

    Attributes
    ----------
    kind : str
        ``"gpu"`` or ``"cpu"``.
    name : str
        What its maker calls it, as far as the backend tells.
    count : int
        GPUs that the backend sees, or cores of the CPU.
    fast_bfloat16 : bool
        Whether bfloat16 is quicker than float32 on it with this backend.
    """

    kind: str
    name: str
    count: int
    fast_bfloat16: bool


def find() -> Device:
    """Find the device that Keras's backend will use."""
    backend = keras.backend.backend()
    gpus = {"tensorflow": _tensorflow_gpus, "jax": _jax_gpus, "torch": _torch_gpus}[backend]()
    if gpus:
        name, capability = gpus[0]
        return Device("gpu", name, len(gpus), capability >= (8, 0))
    # Among the CPU backends only TensorFlow's kernels gain by bfloat16.
    fast = backend == "tensorflow" and bool({"avx512_bf16", "amx_bf16"} & cpu.flags())
    return Device("cpu", cpu.name(), cpu.cores(), fast)


def precision(asked: str | None = None) -> str:
    """Choose a Keras dtype policy: the fast one of this device, unless one is asked for.

    Parameters
    ----------
    asked : str, optional
        One of `PRECISIONS`, to have it whatever the device.

    Raises
    ------
    ValueError
        If `asked` is another word.
    """
    if asked is None:
        return "mixed_bfloat16" if find().fast_bfloat16 else "float32"
    return checks.choice("precision", asked, PRECISIONS, otherwise="None")


def report() -> str:
    """Say in one line what trains here, and in others which devices share it and how to get a GPU."""
    device = find()
    backend = f"{keras.backend.backend()} {_backend_version()}, Keras {keras.__version__}"
    unit = "core" if device.kind == "cpu" else "GPU"
    count = f"{device.count} {unit}{'' if device.count == 1 else 's'}"
    line = f"{device.kind.upper()}: {device.name} ({count}), {precision()}, {backend}"
    if sharing.devices() > 1:
        line += f"\nOne training is shared by {sharing.devices()} devices."
    elif device.kind == "gpu" and device.count > 1:
        line += (
            f"\n{keras.backend.backend()} trains on one of the {device.count} GPUs. "
            "With KERAS_BACKEND=jax a training is shared by all."
        )
    if device.kind == "gpu":
        return line
    return f"{line}\nNo GPU found. {how_to_get_a_gpu()}"


def how_to_get_a_gpu() -> str:
    """Say what to install so that an NVIDIA GPU is used, on this system and backend."""
    if keras.backend.backend() != "tensorflow":
        return f"Install {keras.backend.backend()} with CUDA, as its own site says."
    system = platform.system()
    if system == "Linux":
        return 'If this machine has an NVIDIA one: .venv/bin/pip install -c constraints.txt -e ".[gpu]"'
    if system == "Windows":
        return "TensorFlow uses NVIDIA GPUs on Windows through WSL2 only: see the README."
    return "TensorFlow needs Linux, or Windows with WSL2, and an NVIDIA GPU."


def _tensorflow_gpus() -> list[tuple[str, tuple[int, int]]]:
    import tensorflow as tf

    found = []
    for gpu in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpu)
        found.append(
            (details.get("device_name", gpu.name), details.get("compute_capability", (0, 0)))
        )
    return found


def _jax_gpus() -> list[tuple[str, tuple[int, int]]]:
    import jax

    found = []
    for gpu in jax.devices():
        if gpu.platform == "gpu":
            major, _, minor = str(getattr(gpu, "compute_capability", "0.0")).partition(".")
            found.append((gpu.device_kind, (int(major), int(minor or 0))))
    return found


def _torch_gpus() -> list[tuple[str, tuple[int, int]]]:
    import torch

    return [
        (torch.cuda.get_device_name(i), torch.cuda.get_device_capability(i))
        for i in range(torch.cuda.device_count())
    ]


def _backend_version() -> str:
    import importlib

    return importlib.import_module(keras.backend.backend()).__version__
