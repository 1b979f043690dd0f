"""Wrong values: whatever a function is given, it works or says which parameter is wrong, at once.

`CALLS` has the public functions that take a reader's value. A line is a function, arguments that
are right, and what its errors call each of them that a test may replace. Add yours.
"""

import re
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import speculo
from speculo import (
    benchmark,
    device,
    diagnosis,
    evaluation,
    faces,
    fingerprints,
    model,
    pairs,
    runs,
    training,
)
from speculo.faces import FaceSet
from speculo.pairs import Pairs
from speculo.sources import folder, head_pose, heads, orl, sklearn_faces, youtube_faces

LIBRARY = Path(speculo.__file__).parent
VECTORS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def people(seed: int = 0, tag: str = "p") -> FaceSet:
    """Three people with two photos each."""
    rng = np.random.default_rng(seed)
    return FaceSet(
        "few",
        rng.integers(0, 256, (6, 32, 32)).astype(np.uint8),
        np.repeat(np.arange(3, dtype=np.int32), 2),
        tuple(f"{tag}{number}" for number in range(3)),
        rng.uniform(-90, 90, (6, 3)).astype(np.float32),
        np.array([f"{number}.png" for number in range(6)]),
    )


FEW = people()
SPLIT = pairs.split(FEW)
DRAWN = SPLIT.train.batch()[1]
TINY = model.Config("Speculo-tiny", "adam", 0.001, "mse", (32, 32, 1), (4, 4, 4, 4, 4), 8)
NETWORK = model.build(TINY, seed=0)
ENCODER = model.encoder(NETWORK)

ODD = [
    None,
    True,
    False,
    0,
    -1,
    3,
    10**9,
    10**30,
    1.5,
    float("nan"),
    float("inf"),
    -0.2,
    "",
    "0.2",
    "yes",
    "~nobody",
    "folder:~nobody",
    "folder:" + "a" * 300,
    "folder:a\0b",
    "folder:\ud800",
    "x" * 400,
    "../up",
    "v8-orl\n",
    "Zoë",
    b"bytes",
    [],
    [None],
    [[1, 2], [3]],
    ["p0", "p0"],
    {"a": 1},
    (0, 1),
    object(),
    Path("nowhere"),
    np.bool_(True),
    np.int64(-3),
    np.int64(2),
    np.float32("nan"),
    np.timedelta64(3),
    np.zeros(0),
    np.zeros((0, 4), np.float32),
    np.zeros((3, 5), np.float32),
    np.full((2, 4), np.nan, np.float32),
    np.full((2, 4), 1e38, np.float32),
    np.zeros((2, 4), complex),
    np.array([None, "a"], dtype=object),
    np.array(["a", "b"]),
    np.zeros((2, 32, 32), np.uint8),
    np.zeros((2, 48, 48), np.uint8),
    np.zeros((0, 32, 32), np.uint8),
    np.zeros((2, 0, 32), np.uint8),
    np.zeros((2, 32, 32, 1), np.float32),
    np.array([-1]),
    np.array([99]),
    np.array(3),
    FEW,
    SPLIT,
    SPLIT.train,
    SPLIT.train.take(np.array([], dtype=int)),
]
ANY = st.one_of(
    st.integers(-3, 3),
    st.integers(min_value=2**33),
    st.integers(max_value=-(2**33)),
    st.floats(width=32),
    st.text(max_size=20),
    st.binary(max_size=4),
    st.lists(
        st.one_of(st.integers(-3, 3), st.floats(), st.text(max_size=3), st.none()), max_size=4
    ),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
"""More of them, without whole numbers that are right and take long."""


class Call(NamedTuple):
    function: Callable
    right: dict  # arguments that are right
    named: dict[str, str] = {}  # what an error calls an argument, where it is not its own name
    fixed: dict = {}  # arguments that are not replaced

    def __str__(self) -> str:
        return f"{self.function.__module__.removeprefix('speculo.')}.{self.function.__qualname__}"


def join(one, other) -> FaceSet:
    return faces.join(one, other)


FIELDS = {
    name: getattr(FEW, name)
    for name in ("name", "images", "person", "names", "pose", "origin", "series", "front")
}
CALLS = [
    Call(
        speculo.load,
        {"name": "orl", "size": 32, "people": 2, "crop": None},
        {"name": "dataset|path"},
    ),
    Call(orl.load, {"people": 1}),
    Call(folder.load, {"path": "nowhere", "people": 1, "crop": None}),
    Call(head_pose.load, {"path": "nowhere"}),
    Call(youtube_faces.load, {"path": "nowhere", "frames": 3}),
    Call(heads.load, {"photos": 2, "level": "yaw", "seed": 0}, fixed={"people": 1}),
    Call(
        heads.render,
        {"person": 1, "yaw": 5.0, "pitch": 0, "roll": 0, "light": 0.0, "size": 32, "seed": 0}
        | {"expression": "smile"},
    ),
    Call(
        heads.vary,
        {"number": 1, "trait": "age", "values": [0.5], "yaw": 3.0, "size": 32, "seed": 0},
    ),
    Call(FaceSet, FIELDS, dict.fromkeys(FIELDS, "FaceSet")),
    Call(FaceSet.open, {"path": "nowhere.npz"}, {"path": ""}),
    Call(FEW.save, {"path": "faces.npz"}),
    Call(faces.select, {"faces": FEW, "names": ["p1"]}, {"names": "names|nobody named"}),
    Call(join, {"one": FEW, "other": people(1, "q")}, {"one": "sets|join", "other": "sets|join"}),
    Call(faces.angle_from_front, {"pose": FEW.pose}),
    Call(Pairs, {"faces": FEW, "input": np.arange(6), "target": np.zeros(6, int)}),
    Call(SPLIT.train.take, {"index": slice(2)}, {"index": "index|input"}),
    Call(SPLIT.train.batch, {"index": np.array([0])}, {"index": "index|input"}),
    Call(pairs.as_input, {"images": FEW.images}),
    Call(pairs.as_image, {"outputs": DRAWN}),
    Call(pairs.asymmetry, {"images": FEW.images}),
    Call(pairs.fronts, {"faces": FEW}),
    Call(pairs.several_fronts, {"faces": FEW, "count": 2}),
    Call(pairs.gallery_only, {"faces": FEW}),
    Call(pairs.split, {"faces": FEW, "test": 0.3, "seed": 1}),
    Call(pairs.split_by_names, {"faces": FEW, "test": ["p1"]}),
    Call(pairs.folds, {"faces": FEW, "count": 2}),
    Call(pairs.examples, {"pairs": SPLIT.train, "count": 2}),
    Call(pairs.duplicates, {"faces": FEW, "near": 0.1, "most": 4}),
    Call(fingerprints.encode, {"encoder": ENCODER, "images": FEW.images, "batch_size": 4}),
    Call(
        fingerprints.distances,
        {"queries": VECTORS, "gallery": VECTORS, "metric": "l2"},
        {"gallery": "gallery|queries"},
    ),
    Call(
        fingerprints.nearest,
        {"queries": VECTORS, "gallery": VECTORS, "count": 2, "metric": "cosine"},
        {"gallery": "gallery|queries"},
    ),
    Call(fingerprints.principal, {"vectors": VECTORS, "count": 2}),
    Call(evaluation.predict, {"network": NETWORK, "pairs": SPLIT.test, "batch_size": 4}),
    Call(evaluation.baselines, {"split": SPLIT}),
    Call(evaluation.fit_baselines, {"train": SPLIT.train}),
    Call(evaluation.other_photo, {"pairs": SPLIT.train}),
    Call(evaluation.mse, {"predictions": DRAWN, "targets": DRAWN}, {"targets": "targets|shape"}),
    Call(
        evaluation.squared_error,
        {"predictions": DRAWN, "pairs": SPLIT.train},
        {"pairs": "pairs|predictions"},
    ),
    Call(evaluation.psnr, {"mse": 0.1}),
    Call(
        evaluation.table,
        {"predictions": {"itself": DRAWN}, "pairs": SPLIT.train},
        {"pairs": "pairs|predictions"},
    ),
    Call(
        evaluation.by_person,
        {"errors": np.ones(len(SPLIT.train)), "pairs": SPLIT.train},
        {"pairs": "pairs|errors"},
    ),
    Call(evaluation.output_floor, {"pairs": SPLIT.train, "floor": 0.5}),
    Call(device.precision, {"asked": "float32"}, {"asked": "precision"}),
    Call(benchmark.whole, {"level": "yaw"}, fixed={"people": 2}),
    Call(diagnosis.some, {"pairs": SPLIT.train, "most": 2}),
    Call(runs.at, {"name": "a"}, {"name": "run"}),
    Call(runs.open, {"name": "a"}, {"name": "run"}),
    Call(runs.recorded, {"name": "mending"}, {"name": "run"}),
]

PARAMETERS = [
    pytest.param(call, name, id=f"{call}-{name}") for call in CALLS for name in call.right
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """What is written to a strange path is written here."""
    (tmp_path / "within").mkdir()
    monkeypatch.chdir(tmp_path / "within")


def ask(call: Call, name: str, value: object) -> None:
    """Call a function with one value replaced: it works, or it says which one is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a warning of NumPy's is no answer
            call.function(**(call.fixed | call.right | {name: value}))
    except OSError:
        return  # there is no such file
    except ValueError as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        assert Path(last.filename).is_relative_to(LIBRARY), f"{last.filename}: {error!r}"
        assert re.search(call.named.get(name, name), str(error)), str(error)
        assert len(str(error)) < 5000


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_what_is_called_right_here_works(call):
    if call.right.get("path", call.right.get("name")) in ("nowhere", "nowhere.npz", "a"):
        return  # there is none of that name
    call.function(**call.fixed, **call.right)


@pytest.mark.parametrize(("call", "name"), PARAMETERS)
def test_an_odd_value_works_or_is_named(call, name):
    for value in ODD:
        ask(call, name, value)


@pytest.mark.parametrize(("call", "name"), PARAMETERS)
@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(value=ANY)
def test_any_value_works_or_is_named(call, name, value):
    ask(call, name, value)


@pytest.mark.parametrize("value", [0, -1, "2", True, 1.5, 10**9])
def test_a_number_of_heads_is_a_number(value):
    with pytest.raises(
        ValueError, match="people is .*, expected (a whole number from 1 up|at most)"
    ):
        speculo.load("heads-medium", people=value)


@pytest.mark.parametrize("value", [0, -1, "2", True, 1.5, None])
def test_lfw_is_asked_for_people_with_one_photo_at_least(value):
    with pytest.raises(ValueError, match="min_photos is .*, expected a whole number from 1 up"):
        sklearn_faces.lfw(min_photos=value)


@pytest.mark.parametrize("name", [202405, 7, 1.5, True, None, float("nan")])
def test_a_run_name_that_papermill_takes_for_a_number_is_refused_with_the_way_to_give_it(name):
    with pytest.raises(ValueError, match=r"run is .*, expected a name.* -r run 2024_05"):
        runs.at(name)


def test_a_run_name_is_no_longer_than_a_folder_can_be():
    assert runs.at("a" * runs.LONGEST).name
    with pytest.raises(ValueError, match="run is 'aaa.*aaa', expected a name .* 100 characters"):
        runs.at("a" * 300)
    one, other = (runs.default_name(model.V8, f"folder:{'a' * 250}{end}") for end in "bc")
    assert one != other and runs.at(one) and runs.at(other)


@pytest.mark.parametrize(
    "dataset", ["folder:~nobody", "folder:~nobody/faces", "folder:" + "a" * 300]
)
def test_a_folder_that_cannot_be_is_a_folder_that_is_not_there(dataset):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        speculo.load(dataset)


def test_numbers_of_numpy_are_numbers():
    assert len(speculo.load("orl", people=np.int64(1), size=np.uint8(40)).images) == 10
    assert runs.at("a") and pairs.split(FEW, test=np.float32(0.3), seed=np.int32(1))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"epochs": 0}, "epochs is 0, expected a whole number from 1 up"),
        ({"batch_size": 0}, "batch_size is 0, expected a whole number from 1 up"),
        ({"batch_size": "16"}, "batch_size is '16'"),
        ({"precision": "double"}, "precision is 'double', expected one of float32"),
    ],
)
def test_what_chapter_03_passes_on_is_named(chosen, message):
    with pytest.raises(ValueError, match=message):
        training.train(TINY, SPLIT, runs.at("a"), **chosen)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [({"seeds": range(0)}, "seeds is"), ({"epochs": 0}, "epochs is 0"), ({"batch_size": 0}, "batch_size is 0")],
)  # fmt: skip
def test_what_chapter_05_passes_on_is_named(chosen, message):
    with pytest.raises(ValueError, match=message):
        diagnosis.trained(TINY, SPLIT, **({"seeds": (0,), "epochs": 1} | chosen))
