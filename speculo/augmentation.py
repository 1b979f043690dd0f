"""More photographs out of those that there are: mirrored, moved, turned, zoomed, lit otherwise.

Input and target change together, so the pair stays true: the front of a face that
stands two pixels to the left stands two pixels to the left.
"""

import numpy as np

from speculo.model import Config, with_changes


def augment(
    inputs: np.ndarray, targets: np.ndarray, config: Config, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Change each pair of a batch at random, as a config says.

    Parameters
    ----------
    inputs, targets : numpy.ndarray
        float32, shape (n, height, width, 1), in 0..1.
    config : Config or Mended
        Its ``mirror``, ``shift``, ``turn``, ``zoom`` and ``light``. A plain
        `Config` changes nothing.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of numpy.ndarray
        Both in the same form. What is drawn from beyond the edge repeats the edge.
    """
    config = with_changes(config)
    n = len(inputs)
    both = np.concatenate([inputs, targets], axis=-1)
    if config.mirror:
        flipped = rng.random(n) < 0.5
        both = np.where(flipped[:, None, None, None], both[:, :, ::-1], both)
    if config.shift or config.turn or config.zoom:
        both = _moved(
            both,
            shift=rng.normal(0, 1, (n, 2)) * config.shift,
            turn=np.radians(rng.normal(0, 1, n) * config.turn),
            scale=np.exp(rng.normal(0, 1, n) * config.zoom),
        )
    if config.light:
        gain = np.exp(rng.normal(0, 1, n) * config.light).astype(np.float32)
        both = np.clip(both * gain[:, None, None, None], 0, 1)
    return both[..., :1], both[..., 1:]


def _moved(
    images: np.ndarray, *, shift: np.ndarray, turn: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Sample each image (n, height, width, channels) at moved places, between its pixels."""
    n, height, width, _ = images.shape
    down, right = np.mgrid[:height, :width].astype(np.float32)
    down, right = down - (height - 1) / 2, right - (width - 1) / 2
    cosine, sine = ((f(turn) / scale).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    y = cosine * down + sine * right + (height - 1) / 2 - shift[:, :1, None]
    x = cosine * right - sine * down + (width - 1) / 2 - shift[:, 1:, None]
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    top, left = (np.minimum(y, height - 2)).astype(int), (np.minimum(x, width - 2)).astype(int)
    lower, righter = (
        (part - whole).astype(np.float32)[..., None] for part, whole in ((y, top), (x, left))
    )
    which = np.arange(n)[:, None, None]
    above = images[which, top, left] * (1 - righter) + images[which, top, left + 1] * righter
    below = (
        images[which, top + 1, left] * (1 - righter) + images[which, top + 1, left + 1] * righter
    )
    return above * (1 - lower) + below * lower
