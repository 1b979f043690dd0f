from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speculo import card, model, runs
from speculo.backend import keras

GOLDEN = Path(__file__).with_name("card_summary.txt")
"""The block under "Model Summary" of the published card."""


@pytest.fixture(scope="module")
def tiny():
    """With all layers of the card: nothing is trained here."""
    return replace(model.V8, name="Speculo-tiny", filters=(16, 16, 8, 8, 8), latent_size=32)


@pytest.fixture(scope="module")
def v8():
    return model.build(model.V8, seed=0)


def test_the_summary_is_the_card_s_byte_for_byte(v8):
    assert card.summary(v8) + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_the_configs_are_those_of_the_card():
    assert (
        model.Config(
            "Speculo-v8", "adam", 0.001, "mse", (32, 32, 1), (1024, 512, 256, 128, 64), 4096
        )
        == model.V8
    )
    assert model.V7.name == "Speculo-v7" and model.V7.loss == "binary_crossentropy"
    assert replace(model.V7, name=model.V8.name, loss="mse") == model.V8


def test_totals(v8):
    assert v8.count_params() == 13_129_409
    assert sum(np.prod(w.shape) for w in v8.trainable_weights) == 13_125_441


def test_what_the_summary_does_not_say(v8):
    """Dropout rates, activations and strides, as the published code had them."""
    drops = [layer.rate for layer in v8.layers if isinstance(layer, keras.layers.Dropout)]
    assert drops == [0.1] * 5 + [0.2] + [0.1] * 5
    last = v8.get_layer("conv2d_transpose_11")
    assert last.activation is keras.activations.relu and last.strides == (1, 1)
    assert v8.get_layer("output").activation is keras.activations.sigmoid
    assert v8.get_layer("latent_space").activation is keras.activations.linear
    assert v8.get_layer("batch_normalization_5").momentum == 0.99
    assert v8.optimizer.name.startswith("adam") and float(
        v8.optimizer.learning_rate
    ) == pytest.approx(1e-3)
    assert v8.loss == "mse"


def test_no_output_is_below_one_half(tiny):
    inputs = np.random.default_rng(0).random((8, 32, 32, 1), dtype=np.float32)
    assert model.build(tiny, seed=1).predict_on_batch(inputs).min() >= 0.5


def test_the_fingerprint_has_4096_numbers_of_rank_64_at_most(v8):
    encoder = model.encoder(v8)
    assert encoder.output.shape == (None, 4096)
    middle = keras.Model(v8.inputs, v8.get_layer("flatten_1").output)
    assert middle.output.shape == (None, 64)


def test_the_encoder_shares_the_weights(tiny):
    network = model.build(tiny, seed=0)
    assert model.encoder(network).get_layer("latent_space") is network.get_layer("latent_space")


def test_arithmetic_is_2_6_billion_multiply_adds(v8):
    counts = model.multiplications(v8)
    assert sum(counts.values()) == pytest.approx(2.60e9, rel=0.005)
    assert counts["conv2d_5"] == 32 * 32 * 9 * 1024
    assert counts["latent_space"] == 64 * 4096
    assert (counts["conv2d_6"] + counts["conv2d_transpose_10"]) / sum(counts.values()) > 0.92


def test_parts_follow_one_another(v8):
    parts = [model.part(layer, v8) for layer in v8.layers]
    assert parts == sorted(parts, key=["encoder", "latent", "decoder"].index)
    assert model.part(v8.get_layer("latent_space"), v8) == "latent"


def test_a_seed_decides_the_first_weights(tiny):
    first, again, other = (runs.get_weights(model.build(tiny, seed=s)) for s in (5, 5, 6))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["weights/dense_1/kernel"], other["weights/dense_1/kernel"])


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_weights_and_output_are_float32_in_every_precision(tiny, precision):
    network = model.build(tiny, precision=precision)
    assert {weight.dtype for weight in network.weights} == {"float32"}
    assert network.predict_on_batch(np.zeros((1, 32, 32, 1), np.float32)).dtype == np.float32


@pytest.mark.parametrize("shape", [(31, 32, 1), (32, 48 - 1, 1)])
def test_a_picture_that_cannot_be_halved_is_refused(tiny, shape):
    with pytest.raises(ValueError, match="multiples of 32"):
        replace(tiny, input_shape=shape)


def test_larger_pictures_keep_a_larger_bottleneck(tiny):
    network = model.build(replace(tiny, input_shape=(64, 96, 1)))
    assert network.output.shape == (None, 64, 96, 1)
    assert network.get_layer("reshape_1").output.shape == (None, 2, 3, 8)
