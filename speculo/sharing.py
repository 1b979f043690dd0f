"""One training on several devices: with JAX on all that it finds, with other backends on one.

Each device holds all weights, and takes its part of every batch. Several processes,
on one machine or on several, train together where Keras's own environment variables
say who belongs together: ``KERAS_DISTRIBUTION_JOB_ADDRESSES``, the address of process
0, ``KERAS_DISTRIBUTION_NUM_PROCESSES`` and ``KERAS_DISTRIBUTION_PROCESS_ID``. Each
process keeps the whole run in a home of its own.
"""

import hashlib
import warnings

import numpy as np

from speculo.backend import keras


def devices() -> int:
    """Number of devices that one training is shared by."""
    shared = keras.distribution.distribution()
    return shared.num_model_replicas if shared else 1


def processes() -> int:
    """Number of processes that train together."""
    if devices() == 1:
        return 1
    import jax

    return jax.process_count()


def train_on_batch(network: keras.Model, inputs: np.ndarray, targets: np.ndarray) -> float:
    """Train on one batch, divided among the devices, and give its mean loss.

    A batch that the devices cannot divide evenly, such as the last one of an epoch, is
    computed whole by each of them: its mean and its gradients are the same.

    Parameters
    ----------
    network : keras.Model
    inputs, targets : numpy.ndarray
        float32 (n, height, width, 1), the same in every process.
    """
    count = devices()
    if count == 1 or len(inputs) % count:
        return float(network.train_on_batch(inputs, targets))
    import jax

    each = len(inputs) // jax.process_count()
    mine = slice(jax.process_index() * each, (jax.process_index() + 1) * each)
    shared = keras.distribution.distribution()
    shared.dividing = True
    try:
        return float(network.train_on_batch(inputs[mine], targets[mine]))
    finally:
        shared.dividing = False


def warn_of_batches(batch_size: int) -> None:
    """Warn where no batch of this size can be divided, so that more devices win nothing."""
    if batch_size % devices():
        warnings.warn(
            f"Batches of {batch_size} cannot be divided among {devices()} devices, so each of them "
            f"computes all of it, and nothing is gained. Take a multiple of {devices()}",
            stacklevel=2,
        )


def agree(plan: str) -> None:
    """Make sure that all processes are about to do the same: else they would wait for each other for ever.

    Parameters
    ----------
    plan : str
        What this process is about to do.

    Raises
    ------
    RuntimeError
        If another process is about to do something else.
    """
    if processes() == 1:
        return
    import jax
    from jax.experimental import multihost_utils

    mine = np.frombuffer(hashlib.blake2b(plan.encode(), digest_size=8).digest(), dtype=np.uint32)
    others = multihost_utils.process_allgather(mine)
    if (others != mine).any():
        raise RuntimeError(
            f"The {jax.process_count()} processes of this training are not about to do the same. Process "
            f"{jax.process_index()}: {plan}. Give all of them the same parameters and the same state "
            "of the run, or delete the run everywhere"
        )
