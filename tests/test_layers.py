"""The faster layers compute what those of Keras do."""

import numpy as np
import pytest

from speculo import device, layers, model
from speculo.backend import keras
from speculo.model import V8

tensorflow = pytest.importorskip("tensorflow")

CONVOLUTION = {"kernel_size": 3, "padding": "same", "activation": "relu"}
CASES = {
    "convolution": ("Conv2D", {"filters": 32} | CONVOLUTION, (3, 8, 8, 16)),
    "transposed": ("Conv2DTranspose", {"filters": 16, "strides": 2} | CONVOLUTION, (3, 4, 4, 32)),
    "of one pixel": ("Conv2DTranspose", {"filters": 16, "strides": 2} | CONVOLUTION, (3, 1, 1, 32)),
    "stride 1": ("Conv2DTranspose", {"filters": 16, "strides": 1} | CONVOLUTION, (3, 4, 4, 32)),
    "few channels": ("Conv2D", {"filters": 8} | CONVOLUTION, (3, 8, 8, 1)),
    "normalisation": ("BatchNormalization", {}, (3, 4, 4, 32)),
}


def answers(layer: keras.Layer, x: np.ndarray, training: bool) -> list[np.ndarray]:
    """Outputs, the gradients of everything that is trained, and what is not trained."""
    inputs = tensorflow.constant(x)
    with tensorflow.GradientTape() as tape:
        tape.watch(inputs)
        y = layer(inputs, training=True) if training else layer(inputs)
        loss = keras.ops.sum(y * keras.ops.sin(y))
    gradients = tape.gradient(loss, [inputs, *layer.trainable_variables])
    return [np.asarray(each) for each in [y, *gradients, *layer.non_trainable_weights]]


@pytest.mark.parametrize("case", CASES)
def test_outputs_and_gradients_are_those_of_keras(case):
    kind, options, shape = CASES[case]
    rng = np.random.default_rng(0)
    ours, theirs = (getattr(where, kind)(**options) for where in (layers, keras.layers))
    for layer in (ours, theirs):
        layer.build(shape)
    for one, other in zip(ours.trainable_variables, theirs.trainable_variables, strict=True):
        one.assign(rng.standard_normal(one.shape))
        other.assign(one)
    x = rng.standard_normal(shape).astype(np.float32)
    found = [answers(layer, x, kind == "BatchNormalization") for layer in (ours, theirs)]
    for one, other in zip(*found, strict=True):
        assert np.allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.5])
def test_dropout_drops_as_often_as_that_of_keras(rate):
    x = keras.ops.ones((64, 64, 64, 4), "bfloat16")
    shares = []
    for where in (layers, keras.layers):
        layer = where.Dropout(rate, seed=1, dtype="mixed_bfloat16")
        y = keras.ops.convert_to_numpy(keras.ops.cast(layer(x, training=True), "float32"))
        assert set(np.unique(y)) == {0, y.max()} and y.max() == pytest.approx(1 / (1 - rate), 0.01)
        shares.append((y == 0).mean())
        assert np.array_equal(layer(x), x)  # outside of training nothing is dropped
    assert shares[0] == pytest.approx(shares[1], abs=2e-3)  # over a million values


def test_the_faster_layers_are_taken_where_they_gain_alone(monkeypatch):
    here = {"cpu": device.Device("cpu", "", 2, True), "gpu": device.Device("gpu", "", 1, True)}
    for kind, precision, faster in (
        ("cpu", "mixed_bfloat16", True),
        ("cpu", "float32", False),
        ("gpu", "mixed_bfloat16", False),
    ):
        monkeypatch.setattr(device, "find", lambda kind=kind: here[kind])
        assert (layers.kinds(precision).Dropout is layers.Dropout) == faster
        network = model.build(model.narrowed(V8, 16), precision=precision)
        assert any(type(each).__module__ == layers.__name__ for each in network.layers) == faster
