"""Every dataset from a tree in its own layout, the cache between them, and wrong paths."""

import os
import shutil
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
import trees
from PIL import Image

import speculo
from speculo import files, pairs, prepared
from speculo.faces import FaceSet, angle_from_front
from speculo.sources import folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECULO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def mine(tmp_path):
    return trees.folder(tmp_path / "my_faces")


def caches(home):
    return [entry.name for entry in (home / "build" / "cache").glob("*")]


# ---------------------------------------------------------------- folder


def test_a_folder_of_ones_own(mine):
    faces = speculo.load(f"folder:{mine}")
    assert faces.name == "folder:my_faces"
    assert faces.images.shape == (12, 32, 32) and faces.images.dtype == np.uint8
    assert faces.names == ("person 0", "person 1", "person 2")
    assert faces.person.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert faces.origin[0] == "person 0/1.jpg"
    assert not faces.has_pose and not faces.skipped


def test_photos_of_orl_look_as_orl_does(tmp_path):
    from speculo.sources.orl import _find_photos

    for photo in range(1, 4):
        (tmp_path / "them" / "s1").mkdir(parents=True, exist_ok=True)
        shutil.copy(_find_photos()[1, photo].locate(), tmp_path / "them" / "s1" / f"{photo}.pgm")
    faces = speculo.load(f"folder:{tmp_path / 'them'}", size=48)
    assert (faces.images == speculo.load("orl", size=48).images[:3]).all()


def test_photos_come_in_natural_order(tmp_path):
    for number in (1, 2, 10, 9):
        trees.save(trees.face(0, 0), tmp_path / "it" / "p10" / f"{number}.png")
    trees.save(trees.face(1, 0), tmp_path / "it" / "p9" / "1.png")
    faces = speculo.load(f"folder:{tmp_path / 'it'}")
    assert faces.names == ("p9", "p10")
    assert faces.origin.tolist() == ["p9/1.png", *(f"p10/{n}.png" for n in (1, 2, 9, 10))]


def test_a_photo_named_front_is_the_front(mine):
    trees.save(trees.face(1, 9), mine / "person 1" / "Front.PNG")
    faces = speculo.load(f"folder:{mine}")
    chosen = faces.origin.tolist().index("person 1/Front.PNG")
    assert (pairs.fronts(faces)[faces.person == 1] == chosen).all()
    assert (faces.front[faces.person != 1] == -1).all()


def test_the_first_people_are_taken_and_no_more_than_there_are(mine):
    assert speculo.load(f"folder:{mine}", people=2).names == ("person 0", "person 1")
    with pytest.raises(ValueError, match="people is 4, but there are 3"):
        speculo.load(f"folder:{mine}", people=4)


def test_one_person_loads_and_the_split_says_what_is_missing(tmp_path):
    faces = speculo.load(f"folder:{trees.folder(tmp_path / 'alone', people=1)}")
    assert len(faces.names) == 1
    with pytest.raises(
        ValueError, match="needs two people with two photos or more.*Load more people"
    ):
        pairs.split(faces)


def test_bad_photos_are_skipped_and_named(tmp_path):
    mine = trees.folder(tmp_path / "it", photos=10)
    (mine / "person 0" / "3.jpg").write_bytes(b"")
    (mine / "person 2" / "notes.txt").write_text("mine")
    (mine / "person 2" / "Thumbs.db").write_text("")
    (mine / "person 2" / ".hidden.jpg").write_text("")
    (mine / "person 2" / "older").mkdir()
    with pytest.warns(UserWarning, match="person 0/3.jpg: the file is empty"):
        faces = speculo.load(f"folder:{mine}")
    assert len(faces) == 29
    assert dict(faces.skipped) == {
        "person 0/3.jpg": "the file is empty",
        "person 2/notes.txt": folder._ENDING,
        "person 2/older/": "a folder within a person's folder",
    }
    assert np.array_equal(faces.images[2], speculo.load(f"folder:{trees.folder(tmp_path / 'all', photos=10)}").images[3])  # fmt: skip


def test_too_many_bad_photos_are_an_error_that_names_them(mine, home):
    for photo in (1, 2):
        (mine / "person 0" / f"{photo}.jpg").write_bytes(b"oh")
    with pytest.raises(ValueError, match=r"2 of 12 photos .* more than a tenth:\n  person 0/1.jpg"):
        speculo.load(f"folder:{mine}")
    assert not caches(home)


def test_a_person_without_a_good_photo_is_left_out_and_named(tmp_path):
    mine = trees.folder(tmp_path / "it", photos=10)
    (mine / "nobody").mkdir()
    (mine / "nobody" / "1.jpg").write_bytes(b"")
    with pytest.warns(UserWarning):
        faces = speculo.load(f"folder:{mine}")
    assert "nobody" not in faces.names
    assert "left out" in dict(faces.skipped)["nobody"]


def test_faces_are_cut_out_of_snapshots(tmp_path):
    for person in range(3):
        ground = np.random.default_rng(0).integers(90, 130, (300, 400)).astype(np.uint8)
        ground[60:220, 120:280] = trees.face(person, 0, size=160)
        trees.save(ground, tmp_path / "it" / f"p{person}" / "1.png")
    trees.save(np.full((200, 200), 90, dtype=np.uint8), tmp_path / "it" / "p0" / "wall.png")
    with pytest.warns(UserWarning, match="p0/wall.png: no face found"):
        faces = speculo.load(f"folder:{tmp_path / 'it'}", crop="auto")
    assert len(faces) == 3
    assert not np.array_equal(faces.images, speculo.load(f"folder:{tmp_path / 'it'}").images[[0, 2, 3]])  # fmt: skip
    with pytest.raises(ValueError, match='expected None .* or "auto"'):
        speculo.load(f"folder:{tmp_path / 'it'}", crop="middle")


# ---------------------------------------------------------------- head-pose


def test_head_pose(tmp_path):
    faces = speculo.load(f"head-pose:{trees.head_pose(tmp_path / 'it')}")
    assert len(faces) == 3 * 2 * 9 and faces.has_pose
    assert faces.names == ("person01", "person02", "person03")
    row = faces.origin.tolist().index("Person01/person01108+30+45.jpg")
    assert faces.pose[row].tolist() == [45, 30, 0]
    # the face is what the box says, not the frame
    assert abs(faces.images[row].astype(int) - trees.face(0, 9, 32)).mean() < 6
    clipped = faces.origin.tolist().index("Person01/person01100-30-45.jpg")
    part = Image.fromarray(trees.face(0, 1)[:, 16:]).resize((32, 32), Image.Resampling.LANCZOS)
    assert abs(faces.images[clipped].astype(int) - np.asarray(part)).mean() < 6


@pytest.mark.parametrize("front", [True, False])
def test_head_pose_fronts_look_ahead_within_their_series(front, tmp_path):
    faces = speculo.load(f"head-pose:{trees.head_pose(tmp_path / 'it', front=front)}")
    target = pairs.fronts(faces)
    assert (faces.pose[target] == 0).all()
    assert (faces.series[target] == faces.series).all()
    assert len(np.unique(faces.series)) == 6
    assert (faces.front >= 0).all() == front


def test_a_front_that_stands_in_the_folder_front_alone_is_read(tmp_path):
    it = trees.head_pose(tmp_path / "it")
    lost = it / "Person02" / "person02104+0+0.jpg"
    shutil.move(lost.with_suffix(".txt"), it / "Front" / "personne02104+0+0.txt")
    lost.unlink()
    faces = speculo.load(f"head-pose:{it}")
    assert "Front/personne02104+0+0.jpg" in faces.origin
    assert (faces.pose[pairs.fronts(faces)] == 0).all()


def test_a_photo_without_its_text_is_skipped_and_named(tmp_path):
    it = trees.head_pose(tmp_path / "it")
    (it / "Person01" / "person01100-30-45.txt").unlink()
    (it / "Person01" / "person01101-30+0.txt").write_text("no box")
    with pytest.warns(UserWarning, match="person01100-30-45.txt.* is missing"):
        faces = speculo.load(f"head-pose:{it}")
    assert len(faces) == 52 and len(faces.skipped) == 2


# ---------------------------------------------------------------- youtube-faces


def test_youtube_faces_pairs_frames_and_poses_by_number(tmp_path):
    faces = speculo.load(f"youtube-faces:{trees.youtube_faces(tmp_path / 'it')}")
    assert len(faces) == 4 * len(trees.FRAMES) and faces.has_pose
    assert faces.names == ("Some_Body0", "Some_Body1")
    number = np.tile(trees.FRAMES, 4)
    # each frame shows its number: the middle was taken, and frames are in numeric order
    assert abs(faces.images.mean(axis=(1, 2)) - 2 * number).max() < 3
    expected = np.concatenate([trees.video_poses(seed).T for seed in (0, 1, 10, 11)])
    assert np.allclose(faces.pose, expected, atol=1e-4)
    target = pairs.fronts(faces)
    assert (number[target] == trees.FRAMES[60]).all()  # not 7, whose opposite angles cancel
    assert (faces.series[target] == faces.series).all()


@pytest.mark.parametrize("frames", [1, 2, 10, 92, 93, 500])
def test_a_limit_on_frames_keeps_the_front(frames, tmp_path):
    it = trees.youtube_faces(tmp_path / "it", people=1)
    faces = speculo.load(f"youtube-faces:{it}", frames=frames)
    assert len(faces) == 2 * min(frames, 93)
    for video in (0, 1):
        of_it = np.char.startswith(faces.origin, f"aligned_images_DB/Some_Body0/{video}/")
        assert np.char.endswith(faces.origin[of_it], f".{trees.FRAMES[60]}.jpg").sum() == 1
    numbers = [int(name.split(".")[-2]) for name in faces.origin[: len(faces) // 2]]
    assert numbers == sorted(numbers)


def test_poses_that_do_not_fit_their_video_are_unknown_and_named(tmp_path):
    it = trees.youtube_faces(tmp_path / "it")
    (it / "aligned_images_DB/Some_Body0/0/aligned_detect_0.50.jpg").unlink()
    (it / "headpose_DB/headorient_apirun_Some_Body0_1.mat").write_bytes(b"oh")
    (it / "headpose_DB/headorient_apirun_Some_Body1_0.mat").unlink()
    with pytest.warns(UserWarning, match="poses are taken as unknown"):
        faces = speculo.load(f"youtube-faces:{it}")
    assert len(faces.skipped) == 3
    known = np.isfinite(faces.pose).all(axis=1)
    assert known.sum() == 93 and not faces.has_pose
    assert "known for 93" in repr(faces)
    target = pairs.fronts(faces)
    assert (faces.series[target] == faces.series).all()
    front = target[known][0]
    assert angle_from_front(faces.pose)[front] == np.nanmin(angle_from_front(faces.pose))


# ---------------------------------------------------------------- scikit-learn's


@pytest.fixture
def data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit"))
    (tmp_path / "scikit").mkdir()
    return tmp_path / "scikit"


def test_olivetti(data_home):
    trees.olivetti(data_home)
    orl = speculo.load("orl", size=64).images
    faces = speculo.load("olivetti", size=64)
    stretched = (orl.astype(float) - orl.min()) / (orl.max() - orl.min()) * 255
    assert abs(faces.images - stretched).max() <= 1
    assert len(faces.names) == 40 and not faces.has_pose
    few = speculo.load("olivetti", people=3)
    assert few.images.shape == (30, 32, 32)
    assert (few.person == np.repeat(range(3), 10)).all()
    with pytest.raises(ValueError, match="people is 41"):
        speculo.load("olivetti", people=41)


@pytest.mark.parametrize("size", [32, 64])
def test_lfw(size, data_home):
    trees.lfw(data_home)
    faces = speculo.load("lfw", size=size)
    assert faces.names == tuple(f"Some Body{person}" for person in range(4))
    assert faces.images.shape == (10, size, size)
    assert (np.diff(faces.person) >= 0).all()
    assert pairs.gallery_only(faces) == ("Some Body1",)
    assert len(speculo.load("lfw", size=size, min_photos=2).names) == 3
    assert speculo.load("lfw", size=size, people=1).names == ("Some Body0",)


@pytest.mark.parametrize("name", ["olivetti", "lfw"])
def test_without_a_network_it_says_where_the_faces_should_be(name, data_home, monkeypatch):
    import sklearn.datasets

    def fails(**options):
        raise OSError("no route")

    monkeypatch.setattr(sklearn.datasets, f"fetch_{name}{'_people' if name == 'lfw' else '_faces'}", fails)  # fmt: skip
    with pytest.raises(ConnectionError, match="scikit-learn's data folder .*scikit"):
        speculo.load(name)


# ---------------------------------------------------------------- names and paths


def test_wrong_names_and_options_say_what_there_is(mine):
    for name in ("nobody", "folder", "folder:", "orl:there", "FOLDER:x", "olivetti:"):
        with pytest.raises(ValueError, match="(?s)Unknown dataset .*orl: .*folder:PATH"):
            speculo.load(name)
    with pytest.raises(TypeError, match="folder has no option colour. .*size, people, crop"):
        speculo.load(f"folder:{mine}", colour=True)
    with pytest.raises(TypeError, match="orl has no option frames"):
        speculo.load("orl", frames=3)
    with pytest.raises(ValueError, match="size is 16"):
        speculo.load(f"folder:{mine}", size=16)
    with pytest.raises(ValueError, match="frames is 0"):
        speculo.load(f"youtube-faces:{mine}", frames=0)


@pytest.mark.parametrize("kind", ["folder", "head-pose", "youtube-faces"])
def test_a_wrong_path_shows_the_layout_expected_and_what_was_found(kind, tmp_path):
    (tmp_path / "something").mkdir()
    with pytest.raises(FileNotFoundError) as error:
        speculo.load(f"{kind}:{tmp_path / 'nothing'}")
    assert "There is no folder" in str(error.value) and "something/" in str(error.value)
    (tmp_path / "a file").touch()
    with pytest.raises(FileNotFoundError, match="is a file, expected a folder"):
        speculo.load(f"{kind}:{tmp_path / 'a file'}")
    with pytest.raises(FileNotFoundError, match="(?s)Expected:.*Found instead in .*: nothing"):
        speculo.load(f"{kind}:{tmp_path / 'something'}")
    trees.save(trees.face(0, 0), tmp_path / "something" / "1.jpg")
    (tmp_path / "something" / "else").mkdir()
    found = r"(?s)Expected:.*1 folder \(else/\) and 1 file \(1.jpg\)"
    with pytest.raises(FileNotFoundError, match=found):
        speculo.load(f"{kind}:{tmp_path / 'something'}")


def test_a_relative_path_is_found_from_wherever_a_chapter_runs(tmp_path, monkeypatch):
    project = tmp_path / "book"
    trees.folder(project / "data" / "my_faces", people=2, photos=2)
    (project / "notebooks").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(files, "PROJECT", project)
    for where in (project, project / "notebooks", tmp_path / "elsewhere"):
        monkeypatch.chdir(where)
        for path in ("data/my_faces", "../data/my_faces"):
            assert len(speculo.load(f"folder:{path}")) == 4


# ---------------------------------------------------------------- the cache


def test_the_second_time_opens_what_was_kept_memory_mapped(mine, monkeypatch, home):
    first = speculo.load(f"folder:{mine}")
    monkeypatch.setattr(prepared, "_write", None)  # nothing is read again
    second = speculo.load(f"folder:{mine}")
    assert isinstance(second.images.base, np.memmap)
    assert not second.images.flags.writeable
    assert np.array_equal(first.images, second.images) and len(caches(home)) == 1
    for other in ({"size": 48}, {"people": 2}, {"crop": "auto"}):
        with pytest.raises(TypeError):  # another set of options is another set of faces
            speculo.load(f"folder:{mine}", **other)


@pytest.mark.parametrize("change", ["added", "changed", "removed", "renamed"])
def test_a_change_of_any_file_is_seen(change, mine, home):
    before = speculo.load(f"folder:{mine}")
    photo = mine / "person 1" / "2.jpg"
    if change == "added":
        trees.save(trees.face(1, 8), photo.with_name("9.jpg"))
    elif change == "changed":
        size = photo.stat().st_size
        trees.save(255 - trees.face(1, 1), photo)
        os.utime(photo, ns=(0, 1))
        photo.write_bytes(photo.read_bytes()[:size].ljust(size, b"\0"))
    elif change == "removed":
        photo.unlink()
    else:
        photo.rename(photo.with_name("12.jpg"))
    after = speculo.load(f"folder:{mine}")
    assert not np.array_equal(before.images, after.images)
    assert len(caches(home)) == 2


def test_what_was_skipped_is_said_again_from_the_cache(tmp_path):
    mine = trees.folder(tmp_path / "it", photos=4)
    (mine / "person 0" / "1.jpg").write_bytes(b"")
    for _ in range(2):
        with pytest.warns(UserWarning, match="1 skipped .*\n  person 0/1.jpg: the file is empty"):
            faces = speculo.load(f"folder:{mine}")
        assert faces.skipped == (("person 0/1.jpg", "the file is empty"),)


@pytest.mark.parametrize("damage", ["cut", "gone", "garbage"])
def test_a_damaged_cache_is_made_anew(damage, mine, home):
    before = np.array(speculo.load(f"folder:{mine}").images)
    kept = home / "build" / "cache" / caches(home)[0] / "images.npy"
    if damage == "gone":
        kept.unlink()
    else:
        kept.write_bytes(kept.read_bytes()[:1000] if damage == "cut" else b"garbage")
    with pytest.warns(UserWarning, match="images.npy is damaged .*: it is made anew"):
        assert np.array_equal(speculo.load(f"folder:{mine}").images, before)


def test_a_kill_while_preparing_leaves_no_half_cache(mine, home):
    """A process is killed for good in the middle of writing, then another one reads."""
    script = (
        "import time, speculo\n"
        "from speculo import cache\n"
        "def slow(part, arrays):\n"
        "    print('begun', flush=True)\n"
        "    time.sleep(60)\n"
        "cache.save = slow\n"
        f"speculo.load({f'folder:{mine}'!r})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    assert len(caches(home)) == 2  # the folder, and the lock that others wait for
    files.sweep(home / "build" / "cache")
    assert len(caches(home)) == 2  # somebody alive owns them
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert all(name.startswith(files.UNFINISHED) for name in caches(home))
    assert len(speculo.load(f"folder:{mine}")) == 12
    assert len(caches(home)) == 1 and not caches(home)[0].startswith(files.UNFINISHED)


def test_a_folder_that_another_process_made_first_stays(tmp_path):
    with files.new_folder(tmp_path / "it") as part:
        (part / "ours").touch()
        (tmp_path / "it").mkdir()
        (tmp_path / "it" / "theirs").touch()
    assert [entry.name for entry in tmp_path.iterdir()] == ["it"]
    assert [entry.name for entry in (tmp_path / "it").iterdir()] == ["theirs"]


def test_names_in_any_script_survive_the_cache(tmp_path):
    for name in ("Zoë", "Zoe\u0308 2", "日本", "a\\b" if os.sep == "/" else "ab"):
        trees.save(trees.face(0, 0), tmp_path / "gesichter ß" / name / "é.png")
    faces = [speculo.load(f"folder:{tmp_path / 'gesichter ß'}") for _ in range(2)]
    assert faces[0].names == faces[1].names
    assert {"Zoë", "Zoë 2", "日本"} < set(faces[0].names)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_text_can_be_printed(tmp_path):
    folder = os.fsencode(tmp_path) + b"/it/\xff\xfe"
    os.makedirs(folder)
    trees.save(trees.face(0, 0), tmp_path / "1.png")
    shutil.copy(tmp_path / "1.png", folder + b"/\xfc.png")
    faces = speculo.load(f"folder:{tmp_path / 'it'}")
    f"{faces.names} {faces.origin}".encode()


def test_a_faceset_is_saved_and_opened_with_all_it_has(tmp_path):
    mine = trees.folder(tmp_path / "it", photos=10)
    (mine / "person 0" / "1.jpg").write_bytes(b"")
    (mine / "person 1" / "4.jpg").rename(mine / "person 1" / "front.jpg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        faces = speculo.load(f"folder:{mine}")
    faces.save(tmp_path / "faces.npz")
    again = FaceSet.open(tmp_path / "faces.npz")
    for field in ("name", "names", "skipped", "remarks"):
        assert getattr(again, field) == getattr(faces, field)
    for field in ("images", "person", "origin", "series", "front"):
        assert np.array_equal(getattr(again, field), getattr(faces, field))


def test_importing_is_light():
    script = (
        "import sys, speculo; speculo.load('orl')\n"
        "print([name for name in ('cv2', 'scipy', 'sklearn', 'pandas', 'keras') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
