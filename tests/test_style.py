"""The colours of the figures are told apart by all eyes, and stand out from the paper."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from speculo.plots import recognition, scale, style

SEEN = {  # Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}  # fmt: skip
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip
WHITE = TO_XYZ.sum(1)

GROUPS = {
    "parts": tuple(style.PARTS.values()),
    "series": style.SERIES,
    "experiments": (*style.CONTRASTS, style.MUTED),
    "predictors": style.PREDICTORS,
    "fingerprints": recognition.CURVES,
    "stages": tuple(scale.COLORS.values()),
}


def linear(color: str) -> np.ndarray:
    """Red, green and blue as amounts of light."""
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b*, where a distance of 2 is just noticeable."""
    x, y, z = TO_XYZ @ np.clip(light, 0, 1) / WHITE
    x, y, z = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(color: str) -> float:
    """Contrast with white paper, by WCAG 2."""
    return 1.05 / (TO_XYZ[1] @ linear(color) + 0.05)


def test_lab_and_contrast_have_their_known_values():
    assert np.allclose(lab(linear("white")), [100, 0, 0], atol=0.01)
    assert np.allclose(lab(linear("red")), [53.24, 80.09, 67.20], atol=0.02)
    assert np.isclose(contrast("black"), 21) and np.isclose(contrast("#767676"), 4.54, atol=0.01)


@pytest.mark.parametrize("eyes", SEEN)
@pytest.mark.parametrize("group", GROUPS)
def test_colours_of_one_figure_are_told_apart(group, eyes):
    places = {color: lab(SEEN[eyes] @ linear(color)) for color in GROUPS[group]}
    assert len(places) == len(GROUPS[group])
    for one, other in combinations(places, 2):
        assert np.linalg.norm(places[one] - places[other]) > 20, (one, other)


def test_lines_and_text_stand_out_from_the_paper():
    assert all(contrast(color) >= 3 for color in style.SERIES)
    assert contrast(style.MUTED) >= 4.5, "small text is written in it"
