"""A person is a seed: shape, skin, hair, beard, brows and glasses follow from it."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from speculo.sources.heads import asset

DEVIATIONS = {
    # standard deviation of the sliders, by the beginning of their name
    "nose": 0.24, "mouth": 0.26, "eye": 0.26, "eyebrows": 0.30, "head": 0.25, "forehead": 0.27,
    "cheek": 0.27, "chin": 0.25, "ear": 0.25, "neck": 0.20, "measure": 0.25, "asym": 0.13,
}  # fmt: skip

SKIN = {"african": (0.30, 0.06), "asian": (0.56, 0.05), "caucasian": (0.63, 0.06)}
"""Mean and deviation of the reflectance of skin: a choice that keeps contrast in every tone."""

HAIRSTYLES = {
    # name: (women, men), their share before age and ethnicity have their say
    "bald": (0.00, 0.10),
    "buzz": (0.01, 0.20),
    "short": (0.08, 0.34),
    "side part": (0.06, 0.24),
    "curly": (0.12, 0.08),
    "bob": (0.20, 0.00),
    "long": (0.25, 0.03),
    "wavy": (0.16, 0.01),
    "tied back": (0.12, 0.00),
}

BEARDS = {"none": 0.55, "stubble": 0.18, "moustache": 0.05, "goatee": 0.07, "full": 0.15}


@dataclass(frozen=True, eq=False)
class Person:
    """What makes one person, before any picture is drawn.

    Attributes
    ----------
    male, age, weight : float
        Each from 0 to 1: 0 is a woman, young, thin.
    ethnicity : numpy.ndarray
        (3,), shares of African, Asian and Caucasian features, with a sum of 1.
    sliders : numpy.ndarray
        float32 (s,): -1..1, in the order of ``asset.read().slider_names``.
    skin, hair_tone : float
        Reflectance.
    hair, beard : str
        Of `HAIRSTYLES` and `BEARDS`.
    hairline : float
        How far the hair recedes, 0..1.
    volume, curl, parting : float
        Of the hair. Parting is -1..1, from the left to the right.
    fringe : bool
        Whether hair falls over the forehead.
    brows, lips, freckles : float
        How dark they are.
    glasses : tuple or None
        Width, height, roundness, tone and thickness of the frame.
    iris : float
        Reflectance of the iris.
    asymmetry : float
        1, or 0 for a face whose halves are mirror images.
    seed : tuple of int
        Of the skin's grain and of each single hair.
    """

    male: float
    age: float
    weight: float
    ethnicity: np.ndarray
    sliders: np.ndarray
    skin: float
    hair_tone: float
    hair: str
    beard: str
    hairline: float
    volume: float
    curl: float
    parting: float
    fringe: bool
    brows: float
    lips: float
    freckles: float
    glasses: tuple[float, ...] | None
    iris: float
    asymmetry: float
    seed: tuple[int, ...]

    def symmetric(self) -> "Person":
        """The same person with two halves that are mirror images."""
        names = asset.read().slider_names
        lopsided = np.array([name.startswith("asym") for name in names])
        return replace(
            self, sliders=np.where(lopsided, 0, self.sliders), parting=0.0, asymmetry=0.0
        )


def sample(number: int, seed: int = 0) -> Person:
    """Make the person of a number. Nobody else's number changes them.

    Parameters
    ----------
    number : int
        From 0 up.
    seed : int
        Of the whole population.
    """
    rng = np.random.default_rng([seed, number])
    male = float(rng.random() < 0.5)
    age = float(rng.beta(1.1, 1.6))
    weight = float(rng.beta(2.2, 2.6))
    ethnicity = rng.dirichlet((0.35, 0.35, 0.35))
    sliders = _sliders(rng)
    means, deviations = np.array(list(SKIN.values())).T
    skin = float(np.clip(ethnicity @ means + rng.normal() * (ethnicity @ deviations), 0.2, 0.74))

    tone = _hair_tone(rng, ethnicity, age)
    shares = np.array([pair[int(male)] for pair in HAIRSTYLES.values()])
    old = np.array([name in ("bald", "buzz") for name in HAIRSTYLES])
    young = np.array([name in ("long", "wavy") for name in HAIRSTYLES])
    tight = np.array([name in ("curly", "buzz") for name in HAIRSTYLES])
    straight = np.array([name in ("side part", "bob", "long") for name in HAIRSTYLES])
    shares = shares * np.where(old, 0.5 + age, 1) * np.where(young, 1.3 - age, 1)
    shares = shares * np.where(tight, 0.6 + 3 * ethnicity[0], 1)
    shares = shares * np.where(straight, 1.1 - ethnicity[0], 1)
    hair = str(rng.choice(list(HAIRSTYLES), p=shares / shares.sum()))
    hairline = float(male * np.clip(rng.normal(0.75 * age - 0.05, 0.22), 0, 1))
    beard = str(rng.choice(list(BEARDS), p=list(BEARDS.values()))) if male else "none"
    curl = float(np.clip(rng.normal(0.25 + 0.7 * ethnicity[0], 0.2), 0, 1))
    glasses: tuple[float, ...] | None = None
    if rng.random() < 0.14 + 0.16 * age:
        glasses = (
            rng.uniform(0.25, 0.30), rng.uniform(0.14, 0.23), rng.uniform(2.0, 5.0),
            rng.choice([0.04, 0.08, 0.35], p=[0.55, 0.25, 0.20]), rng.uniform(0.6, 1.4),
        )  # fmt: skip
        glasses = tuple(float(value) for value in glasses)
    return Person(
        male=male,
        age=age,
        weight=weight,
        ethnicity=ethnicity,
        sliders=sliders,
        skin=skin,
        hair_tone=tone,
        hair=hair,
        beard=beard,
        hairline=hairline,
        volume=float(rng.uniform(0.0, 1.0)),
        curl=curl,
        parting=float(rng.uniform(-1, 1)),
        fringe=bool(rng.random() < 0.4 and hair in ("bob", "long", "wavy") and hairline < 0.3),
        brows=float(np.clip(rng.normal(0.45 + 0.2 * male, 0.15), 0.15, 0.9)),
        lips=float(np.clip(rng.normal(0.30 - 0.12 * male, 0.08), 0.06, 0.5)),
        freckles=float(max(0.0, rng.normal(-0.4, 0.6)) * ethnicity[2]),
        glasses=glasses,
        iris=float(np.clip(rng.normal(0.09 + 0.22 * ethnicity[2], 0.08), 0.05, 0.4)),
        asymmetry=1.0,
        seed=(seed, number),
    )


@cache
def _deviations() -> np.ndarray:
    names = asset.read().slider_names
    return np.array(
        [DEVIATIONS[max((k for k in DEVIATIONS if n.startswith(k)), key=len)] for n in names]
    )


def _sliders(rng: np.random.Generator) -> np.ndarray:
    deviations = _deviations()
    # the tails are cut: what lies beyond is a caricature
    return (deviations * np.clip(rng.normal(size=len(deviations)), -2, 2)).astype(np.float32)


def _hair_tone(rng: np.random.Generator, ethnicity: np.ndarray, age: float) -> float:
    fair = ethnicity[2] * rng.random() ** 1.5
    tone = 0.045 + 0.035 * rng.random() + 0.40 * fair
    grey = np.clip(rng.normal(1.5 * age - 0.6, 0.25), 0, 1)
    return float(tone + grey * (0.62 - tone))


@cache
def _macros() -> list[list[str]]:
    """Kind, sex and age of each macro target."""
    return [name.split("-") for name in asset.read().macro_names]


def vertices(person: Person) -> np.ndarray:
    """Shape the head of a person: float32 (n, 3), in decimetres."""
    parts = asset.read()
    sexes = {"female": 1 - person.male, "male": person.male}
    ages = {"young": 1 - person.age, "old": person.age}
    thin, fat = max(0.0, 1 - 2 * person.weight), max(0.0, 2 * person.weight - 1)
    kinds = dict(zip(("african", "asian", "caucasian"), person.ethnicity, strict=True)) | {
        "minweight": thin, "maxweight": fat, "averageweight": 1 - thin - fat,
    }  # fmt: skip
    macros = np.array(
        [float(kinds[kind]) * sexes[sex] * ages[age] for kind, sex, age in _macros()],
        dtype=np.float32,
    )
    ends = np.stack([np.maximum(-person.sliders, 0), np.maximum(person.sliders, 0)], axis=1)
    # added up one by one, not by a matrix product: that would depend on the number of threads
    moved = np.zeros(parts.base.size, dtype=np.float32)
    for weights, targets in ((macros, parts.macros), (ends.ravel(), parts.sliders)):
        for number in np.flatnonzero(weights):
            moved += np.float32(weights[number]) * targets[number]
    return parts.base + moved.reshape(-1, 3)
