"""Photos changed at random, as the fingerprint model sees them while it learns."""

import numpy as np
import pytest

from speculo.photographed import Changes, photograph


@pytest.fixture
def faces(orl):
    return orl.images[:40]


def test_the_same_lots_give_the_same_photos_and_others_give_others(faces):
    one, same, other = (
        photograph(faces, 24, Changes(), np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert one.shape == (40, 24, 24) and one.dtype == np.float32
    assert one.min() >= 0 and one.max() <= 1
    assert np.array_equal(one, same) and not np.allclose(one, other, atol=0.1)


def test_without_strength_photos_are_as_they_were_or_mirrored(faces):
    weak = photograph(faces, 32, Changes().softened(0), np.random.default_rng(0))
    plain = faces / np.float32(255)
    kept = np.isclose(weak, plain, atol=0.02).all(axis=(1, 2))
    mirrored = np.isclose(weak, plain[:, :, ::-1], atol=0.02).all(axis=(1, 2))
    assert (kept | mirrored).all() and kept.any() and mirrored.any()


@pytest.mark.parametrize("name", sorted(set(vars(Changes())) - {"gamma", "noise", "width"}))
def test_each_change_changes_something_alone(faces, name):
    alone = Changes(**{k: tuple(0.0 for _ in v) if isinstance(v, tuple) else 0.0 for k, v in vars(Changes()).items()} | {name: vars(Changes())[name]})  # fmt: skip
    changed = photograph(faces, 32, alone, np.random.default_rng(0))
    nothing = photograph(faces, 32, Changes().softened(0), np.random.default_rng(0))
    assert np.abs(changed - nothing).mean() > 5e-4


def test_enlarging_cuts_to_the_middle():
    image = np.zeros((1, 64, 64), dtype=np.uint8)
    image[:, 16:48, 16:48] = 255
    twice = Changes().softened(0)
    twice = Changes(**vars(twice) | {"zoom": (np.log(2), np.log(2))})
    assert photograph(image, 32, twice, np.random.default_rng(0))[0, 1:-1, 1:-1].min() == 1
