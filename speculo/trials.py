"""Small trainings in memory, one after the other: nothing is written, and nothing compiled twice."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from speculo import augmentation, model, training
from speculo.backend import keras
from speculo.pairs import Split


def train(
    config: model.Config,
    split: Split,
    plan: training.Plan,
    first: dict[str, np.ndarray] | None = None,
) -> tuple[keras.Model, float]:
    """Train once, in float32. It ends as ``training.train`` does, with its last epoch.

    Parameters
    ----------
    config : Config
    split : Split
    plan : training.Plan
        Without a run to start from.
    first : dict of str to numpy.ndarray, optional
        The weights to begin with, from ``runs.get_weights``.

    Returns
    -------
    tuple
        The network, which the next training with the same config takes over, and the mean loss
        of the last epoch.

    Raises
    ------
    ValueError
        If the plan has a run to start from.
    """
    if plan.start:
        raise ValueError(
            "A trial begins with the weights `first`, not with a run: plan.start is set"
        )
    network = _network(config, plan.recipe.average)
    network.set_weights(model.build(config, seed=plan.seed).get_weights())
    for variable in network.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    training.begin(network, config, split.train, first)
    for epoch in range(plan.epochs):
        loss = training.train_epoch(network, config, split.train, plan, epoch)
    return network, loss


@lru_cache(maxsize=32)
def _network(config: model.Config, average: float) -> keras.Model:
    """Build a network once: of a trial, compiling its first step takes as long as all others."""
    network = model.build(config)
    training.prepare(network, replace(augmentation.PUBLISHED, average=average))
    return network
