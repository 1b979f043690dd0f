"""Errors of a model beside those of simple baselines, on people that none of them has seen."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from speculo import augmentation, checks, model
from speculo.augmentation import Recipe
from speculo.backend import keras
from speculo.layers import logit
from speculo.pairs import Pairs, Split, as_input

RIDGE_ALPHA = 100.0
"""Penalty of the ridge regression, on pixels in 0..1."""

MOVED = "ridge, moved too"
"""Name of the ridge regression on moved pairs, by `fit_moved`."""

PENALTY = 80.0
"""Of that one, on logits, whose variance is some ten times that of pixels in 0..1. It is for all
pairs together: the more there are, the less it says."""

ENOUGH = 10_000
"""Pairs that it is fitted on at least, drawn again and again from those that there are."""

SHRINK = 0.2
"""By this share what it draws is nearer to the mean front: it trusts an unseen face too much."""

MOST = 50_000
"""Train pairs that the baselines are fitted on, drawn at random where there are more."""


def predict(
    network: keras.Model, pairs: Pairs, *, batch_size: int = 64, mirrored: bool = False
) -> np.ndarray:
    """Draw the front of every input.

    Parameters
    ----------
    network : keras.Model
    pairs : Pairs
    batch_size : int
    mirrored : bool
        Draw each mirror image too, turn that drawing back, and take the mean of both: what
        the two do not agree on is an error of one of them at least.

    Returns
    -------
    numpy.ndarray
        float32, shape (n, height, width, 1), in 0..1.

    Raises
    ------
    ValueError
        If there are no pairs, if network and images differ in size, or if
        `batch_size` is below 1.
    """
    _check_pairs("pairs", pairs)
    checks.instance("network", network, keras.Model)
    checks.whole_number("batch_size", batch_size)
    images = checks.sized("pairs", pairs.faces.images, network.input_shape[1:3])[pairs.input]
    drawn = model.forward(network, images, batch_size=batch_size)
    if not mirrored:
        return drawn
    return (
        drawn + model.forward(network, images[:, :, ::-1], batch_size=batch_size)[:, :, ::-1]
    ) / 2


def baselines(split: Split) -> dict[str, np.ndarray]:
    """Predict the test targets without a network.

    All are fitted on the train pairs:

    - *constant grey*: one grey for every pixel, the mean of the train targets;
    - *mean frontal face*: the mean of the fronts of the train people;
    - *input itself*: the photo as it came;
    - *ridge regression*: every output pixel as a linear function of all input
      pixels;
    - *ridge, mirrored too*: the same, fitted on the train pairs and their mirror
      images;
    - *ridge, moved too*: on logits, fitted on pairs that are mirrored, moved and lit
      otherwise; see `fit_moved`.

    Returns
    -------
    dict
        Name to float32 predictions of shape (n, height, width, 1), in 0..1.
    """
    checks.instance("split", split, Split)
    _check_pairs("split.test", split.test)
    return fit_baselines(split.train)(split.test.batch()[0])


def mean_front(train: Pairs) -> np.ndarray:
    """Average the fronts of the people, each front once: float32 (height, width, 1), in 0..1."""
    fronts = np.unique(train.target, return_index=True)[1]
    return train.batch(fronts)[1].mean(axis=0)


def fit_baselines(train: Pairs) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Fit the predictors of `baselines` on train pairs, to ask them for any inputs.

    Returns
    -------
    callable
        From inputs, float32 (n, height, width, 1) in 0..1, to name and
        predictions of the same shape.
    """
    _check_pairs("train", train)
    drawn = np.sort(np.random.default_rng(0).permutation(len(train))[:MOST])
    inputs, targets = train.batch(drawn)
    mirrored = [np.concatenate([each, each[:, :, ::-1]]) for each in (inputs, targets)]
    grey, mean = targets.mean(), mean_front(train)[np.newaxis]
    ridge, ridge_mirrored = _ridge(inputs, targets), _ridge(*mirrored)
    kernel, bias = fit_moved(train.take(drawn), augmentation.FEW)

    def ridge_moved(asked: np.ndarray) -> np.ndarray:
        logits = logit(asked).reshape(len(asked), -1) @ kernel + bias
        return (1 / (1 + np.exp(-logits))).reshape(asked.shape)

    def predict(asked: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "constant grey": np.full_like(asked, grey),
            "mean frontal face": np.repeat(mean, len(asked), axis=0),
            "input itself": asked,
            "ridge regression": ridge(asked),
            "ridge, mirrored too": ridge_mirrored(asked),
            MOVED: ridge_moved(asked),
        }

    return predict


def fit_moved(
    train: Pairs, recipe: Recipe, *, shrink: float = SHRINK, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Fit each target logit as a linear function of all input logits, on augmented pairs.

    It is ridge regression with `PENALTY`. Few people are enough for it: chapter 07 has
    the comparison.

    Parameters
    ----------
    train : Pairs
    recipe : Recipe
        How the pairs are augmented, and how many fronts a target is the mean of.
    shrink : float
        0 draws what the regression says, nearly 1 the mean front.
    seed : int
        Of the augmentation.

    Returns
    -------
    kernel : numpy.ndarray
        float32, shape (pixels, pixels): a column for each output pixel.
    bias : numpy.ndarray
        float32, shape (pixels,).
    """
    _check_pairs("train", train)
    size = train.batch(slice(1))[0].size
    rng = np.random.default_rng([seed, 2])
    moments = np.zeros((size + 1, 2 * size + 1))  # of [input, 1] with [input, target, 1]
    order = np.tile(np.arange(len(train)), -(-ENOUGH // len(train)))
    for batch in augmentation.batches(train, recipe, order, 512, rng):
        inputs, targets = (logit(each).reshape(len(each), -1) for each in batch)
        ones = np.ones((len(inputs), 1), dtype=np.float32)
        moments += np.hstack([inputs, ones]).T @ np.hstack([inputs, targets, ones])
    moments /= moments[-1, -1]
    means = moments[-1, :-1]
    covariance = moments[:-1, :-1] - np.outer(means[:size], means)
    of_inputs = covariance[:, :size] + PENALTY / len(train) * np.eye(size)
    kernel = (1 - shrink) * np.linalg.solve(of_inputs, covariance[:, size:])
    bias = means[size:] - means[:size] @ kernel
    return kernel.astype(np.float32), bias.astype(np.float32)


def other_photo(pairs: Pairs) -> np.ndarray:
    """Answer each input with the person's next photo, the front excepted.

    No predictor may do so, as it needs the person's other photos: it is a
    yardstick of how much the photos of one person differ.

    Returns
    -------
    numpy.ndarray
        float32 (n, height, width, 1), in 0..1. A person whose one photo besides
        the front is the input is answered with the input.
    """
    _check_pairs("pairs", pairs)
    step = len(pairs.faces)
    person = pairs.person.astype(np.int64)
    key = person * step + pairs.input  # sorts by person, then by photo
    turned = np.sort(key[pairs.input != pairs.target])
    begin, end = (
        np.searchsorted(turned, person * step),
        np.searchsorted(turned, (person + 1) * step),
    )
    following = np.searchsorted(turned, key, side="right")
    following = np.where(following < end, following, begin)  # after the last comes the first
    chosen = np.where(begin < end, np.append(turned, 0)[following], key) % step
    return as_input(pairs.faces.images[chosen])


def mse(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Mean squared error over all pixels, in 0..1: any shapes that go together."""
    drawn, wanted = checks.numbers("predictions", predictions), checks.numbers("targets", targets)
    try:
        apart = np.subtract(drawn, wanted, dtype=np.result_type(drawn, wanted, np.float32))
    except ValueError:
        raise checks.wrong("predictions", drawn, f"a shape like {wanted.shape}") from None
    if not apart.size:
        raise ValueError("predictions and targets have no pixel, expected one or more")
    return float(np.square(apart, dtype=np.float64).mean())


def squared_error(predictions: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Mean squared error of each prediction, on pixels in 0..1.

    Parameters
    ----------
    predictions : numpy.ndarray
        Shape (..., n, height, width, 1): for all of `pairs`, once or several times.
    pairs : Pairs

    Returns
    -------
    numpy.ndarray
        float64, shape (..., n).
    """
    _check_pairs("pairs", pairs)
    _, targets = pairs.batch()
    if not isinstance(predictions, np.ndarray) or predictions.shape[-4:] != targets.shape:
        raise checks.wrong("predictions", predictions, f"drawings of the shape {targets.shape}")
    return np.square(predictions - targets, dtype=np.float64).mean(axis=(-3, -2, -1))


def psnr(mse: float | np.ndarray) -> float | np.ndarray:
    """Peak signal-to-noise ratio in decibels, for pixels in 0..1: 10 log10(1 / MSE)."""
    if not (checks.numbers("mse", mse) >= 0).all():
        raise checks.wrong("mse", mse, "0 or more")
    with np.errstate(divide="ignore"):  # without an error it is infinite
        return -10 * np.log10(mse)


def table(predictions: dict[str, np.ndarray], pairs: Pairs) -> pd.DataFrame:
    """Put the errors of several predictors side by side, best first.

    Parameters
    ----------
    predictions : dict
        Name to predictions of the inputs of `pairs`.
    pairs : Pairs

    Returns
    -------
    pandas.DataFrame
        One row a predictor: MSE over all pairs, its PSNR in decibels, and the
        standard error of the MSE over people, as the photos of one person are
        no independent trials.

    Raises
    ------
    ValueError
        If there is no predictor, or if predictions have another shape than the targets.
    """
    if not isinstance(predictions, dict) or not predictions:
        raise checks.wrong("predictions", predictions, "a name with its predictions, or several")
    rows = []
    for name, values in predictions.items():
        errors = squared_error(values, pairs)
        each = by_person(errors, pairs)["MSE"]
        rows.append(
            {
                "predictor": name,
                "MSE": errors.mean(),
                "± over people": each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.nan,
                "PSNR (dB)": psnr(errors.mean()),
            }
        )
    return pd.DataFrame(rows).set_index("predictor").sort_values("MSE", kind="stable")


def by_person(errors: np.ndarray, pairs: Pairs) -> pd.DataFrame:
    """Average the errors of each person, best first: columns ``MSE`` and ``photos``."""
    _check_pairs("pairs", pairs)
    checks.array("errors", errors, np.floating, (len(pairs),))
    names = np.array(pairs.faces.names)[pairs.person]
    grouped = pd.Series(errors).groupby(names)
    return pd.DataFrame({"MSE": grouped.mean(), "photos": grouped.size()}).sort_values("MSE")


def output_floor(pairs: Pairs, floor: float = 0.5) -> tuple[float, float]:
    """What a predictor that cannot draw below `floor` must miss.

    Returns
    -------
    tuple of float
        The share of target pixels below `floor`, and the MSE of the targets
        themselves, clipped at `floor`: no such predictor can do better.
    """
    _check_pairs("pairs", pairs)
    checks.number("floor", floor, 0, 1)
    _, targets = pairs.batch()
    below = np.minimum(targets - floor, 0)
    return float((below < 0).mean()), float(np.square(below, dtype=np.float64).mean())


def _check_pairs(name: str, pairs: Pairs) -> None:
    if not len(checks.instance(name, pairs, Pairs)):
        raise ValueError(f"{name} holds no pair, expected one or more")


def _ridge(inputs: np.ndarray, targets: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    def flat(values: np.ndarray) -> np.ndarray:
        return values.reshape(len(values), -1)

    fitted = Ridge(alpha=RIDGE_ALPHA).fit(flat(inputs), flat(targets))
    return lambda asked: fitted.predict(flat(asked)).astype(np.float32).reshape(asked.shape)
