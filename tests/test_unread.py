"""What is not read is said, with the reason; and names that look alike are one person or an error."""

import os
import shutil
import unicodedata
import warnings

import joblib
import numpy as np
import pytest
import trees
from faults import quiet, same
from faults_files import ODD
from scipy.io import savemat

import speculo
from speculo import pairs, prepared
from speculo.sources import orl


def skipped(name: str, **options) -> dict[str, str]:
    return dict(quiet(lambda: speculo.load(name, **options))[0].skipped)


@pytest.fixture
def mine(tmp_path):
    return trees.folder(tmp_path / "them", people=2, photos=3)


# ---------------------------------------------------------------- a folder of one's own


REASONS = {
    "a named pipe": "a named pipe, not a file",
    "a socket": "a socket, not a file",
    "a device": "a device, not a file",
    "a link in a circle": "a link that leads in a circle",
    "a link to nothing": "a link that leads to nothing",
    "a link back": "a link back to a folder that it lies in",
    "a folder": "a folder within a person's folder",
    "an empty file": "the file is empty",
}


@pytest.mark.parametrize("where", ["beside", "within"])
def test_whatever_is_no_file_is_skipped_and_named(where, tmp_path):
    mine = trees.folder(
        tmp_path / "them", people=2, photos=6
    )  # one bad photo of them is not a tenth
    inside = mine if where == "beside" else mine / "person 1"
    for what, make in ODD.items():
        make(inside / f"{what}.jpg")
    prefix = "" if where == "beside" else "person 1/"
    slash = {"a folder": "/"}
    expected = {f"{prefix}{what}.jpg{slash.get(what, '')}": why for what, why in REASONS.items()}
    if where == "beside":
        expected["a folder.jpg/"] = "an empty folder"
        expected["an empty file.jpg"] = "it lies beside the people's folders: put it into one"
    faces, said = quiet(lambda: speculo.load(f"folder:{mine}"))
    assert dict(faces.skipped) == expected and len(faces) == 12
    assert "8 skipped" in said[0] and "a named pipe, not a file" in said[0]
    assert quiet(lambda: speculo.load(f"folder:{mine}"))[0].skipped == faces.skipped  # kept too


def test_photos_beside_the_folders_and_empty_folders_are_said(mine):
    trees.save(trees.face(0, 0), mine / "1.jpg")
    (mine / "notes.txt").touch()
    (mine / "Thumbs.db").touch()
    (mine / ".hidden").mkdir()
    (mine / "nobody").mkdir()
    beside = "it lies beside the people's folders: put it into one"
    expected = {"1.jpg": beside, "notes.txt": beside, "nobody/": "an empty folder"}
    assert skipped(f"folder:{mine}") == expected


def test_a_folder_of_other_formats_only_names_them_and_the_remedy(tmp_path):
    for number in range(12):
        path = tmp_path / "them" / "anna" / f"{number}.CR2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"II*\0")
    with pytest.raises(FileNotFoundError) as error:
        speculo.load(f"folder:{tmp_path / 'them'}")
    for words in (
        "holds no faces that can be read.\nNot read:\n  anna/0.CR2: its ending is not",
        "save it as JPEG or PNG",
        "... and 3 more",  # 12 photos, and the person
        "Expected:",
    ):
        assert words in str(error.value)
    trees.save(trees.face(0, 0), tmp_path / "them" / "ben" / "1.jpg")
    assert skipped(f"folder:{tmp_path / 'them'}")["anna/"].startswith("no photo in it can be read")


def test_photos_without_folders_are_named_where_nothing_is_left(tmp_path):
    trees.save(trees.face(0, 0), tmp_path / "them" / "1.jpg")
    with pytest.raises(FileNotFoundError, match="Not read:\n  1.jpg: it lies beside"):
        speculo.load(f"folder:{tmp_path / 'them'}")


def test_another_format_under_the_name_of_a_jpeg_says_the_remedy(tmp_path):
    mine = trees.folder(tmp_path / "them", people=2, photos=6)
    (mine / "person 0" / "1.jpg").write_bytes(b"\0\0\0\x18ftypqt  " + bytes(500))
    assert skipped(f"folder:{mine}") == {
        "person 0/1.jpg": "not a picture of a format that can be read: save it as JPEG or PNG"
    }


def test_videos_beside_photos_are_named_and_notes_of_programs_are_not(mine):
    for name in ("IMG_1.MOV", "2.mp4", "IMG_1.AAE"):
        (mine / "person 0" / name).touch()
    found = skipped(f"folder:{mine}")
    assert set(found) == {"person 0/IMG_1.MOV", "person 0/2.mp4"}
    assert all(why.startswith("a video") for why in found.values())


def test_what_cannot_be_looked_into_is_said(mine, monkeypatch):
    scandir, opened = os.scandir, os.open

    def closed(function):
        def call(path, *arguments):
            if str(path).endswith(("person 1", "3.jpg")):
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *arguments)

        return call

    monkeypatch.setattr(os, "scandir", closed(scandir))
    faces, _ = quiet(lambda: speculo.load(f"folder:{mine}"))
    assert ("person 1/", "Permission denied") in faces.skipped and faces.names == ("person 0",)
    monkeypatch.setattr(prepared, "BAD", 1)
    monkeypatch.setattr(os, "open", closed(opened))
    assert skipped(f"folder:{mine}", size=33)["person 0/3.jpg"] == "Permission denied"
    monkeypatch.setattr(os, "scandir", lambda path: closed(scandir)("person 1"))
    with pytest.raises(FileNotFoundError, match="Not read:\n  ./: Permission denied"):
        speculo.load(f"folder:{mine}")


def test_a_link_to_a_folder_is_read_once(mine):
    (mine / "again").symlink_to("person 0")
    (mine / "all").symlink_to(".")
    (mine / "root").symlink_to("/")
    other = trees.folder(mine.parent / "elsewhere", people=1) / "person 0"
    (mine / "one").symlink_to(other)
    (mine / "two").symlink_to(other)
    faces, _ = quiet(lambda: speculo.load(f"folder:{mine}"))
    assert faces.names == ("one", "person 0", "person 1")
    back = "a link back to a folder that it lies in"
    assert dict(faces.skipped) == {
        "again": "a link to what is read as person 0",
        "two": "a link to what is read as one",
        "all": back,
        "root": back,
    }


@pytest.mark.parametrize("what", ["a named pipe", "a link in a circle", "a link to nothing"])
def test_a_dataset_that_is_no_folder_is_named(what, tmp_path):
    ODD[what](tmp_path / "them")
    for kind in ("folder", "head-pose", "youtube-faces"):
        with pytest.raises(FileNotFoundError, match=f"{REASONS[what][:17]}.*, expected a folder"):
            speculo.load(f"{kind}:{tmp_path / 'them'}")


# ---------------------------------------------------------------- names


def test_one_name_written_in_two_ways_is_one_person(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))
    for person, name in enumerate((composed, decomposed, "Zof", "Anna")):
        for number in range(3):
            trees.save(
                trees.face(min(person, 1), number + person),
                tmp_path / "it" / name / f"{number}.jpg",
            )
    trees.save(trees.face(0, 9), tmp_path / "it" / decomposed / "Front .jpg")
    faces = speculo.load(f"folder:{tmp_path / 'it'}")
    assert faces.names == ("Anna", composed, "Zof") or faces.names == ("Anna", "Zof", composed)
    assert sorted(np.bincount(faces.person)) == [3, 3, 7] and not faces.skipped
    assert (np.diff(faces.person) >= 0).all()  # photos of a person come one after the other
    zoe = faces.person == faces.names.index(composed)
    assert (faces.front[zoe] == faces.origin.tolist().index(f"{composed}/Front .jpg")).all()
    split = pairs.split(faces)
    assert not set(split.train.people) & set(split.test.people)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna", "anna "),
        ("anna", " anna"),
        ("anna b", "anna  b"),
        ("anna b", "anna\u00a0b"),
        ("anna", "an\u200bna"),
        ("anna", "\ufeffanna"),
        ("anna", "ann\u0430"),
        ("ANNA", "\u0391NNA"),
        ("anna", "an\ufe0fna"),
        ("fi", "\ufb01"),
        ("a\nb", "a\tb"),
    ],
)
def test_names_that_look_alike_are_an_error_that_names_both(one, other, tmp_path):
    for name in (one, other):
        trees.save(trees.face(0, 0), tmp_path / "it" / name / "1.jpg")
        video = tmp_path / "videos" / "aligned_images_DB" / name / "0"
        trees.save(trees.face(0, 0), video / "aligned_detect_0.1.jpg")
    for dataset in (f"folder:{tmp_path / 'it'}", f"youtube-faces:{tmp_path / 'videos'}"):
        with pytest.raises(ValueError, match="look alike") as error:
            speculo.load(dataset)
        assert ascii(one) in str(error.value) and ascii(other) in str(error.value)


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="other systems refuse such names")
def test_names_that_are_no_text_are_told_apart_or_refused(tmp_path):
    trees.save(trees.face(0, 0), tmp_path / "1.png")
    for name in (b"\xff", b"\xfe"):
        folder = os.fsencode(tmp_path) + b"/it/" + name
        os.makedirs(folder)
        shutil.copy(tmp_path / "1.png", folder + b"/1.png")
    with pytest.raises(ValueError, match="look alike: '.udcfe' and '.udcff'"):
        speculo.load(f"folder:{tmp_path / 'it'}")


def test_capital_letters_and_accents_tell_people_apart(tmp_path):
    names = ("anna", "Zoe", "Zoé", "Зоя", "O'Hara", "O\u2019Hara")
    for name in (*names, "Anna" if os.uname().sysname == "Linux" else "Bea"):
        trees.save(trees.face(0, 0), tmp_path / "it" / name / "1.jpg")
    assert len(speculo.load(f"folder:{tmp_path / 'it'}").names) == 7


def test_signs_that_a_terminal_obeys_are_not_printed(tmp_path):
    trees.save(trees.face(0, 0), tmp_path / "it" / "an\x1b[31mna" / "1\n2.jpg")
    (tmp_path / "it" / "an\x1b[31mna" / "\u202e.txt").touch()
    faces, said = quiet(lambda: speculo.load(f"folder:{tmp_path / 'it'}"))
    assert faces.names == ("an\ufffd[31mna",) and faces.origin[0].endswith("1\ufffd2.jpg")
    assert "\x1b" not in said[0] and "\u202e" not in said[0]


# ---------------------------------------------------------------- databases


def test_side_files_that_are_no_files_are_named(tmp_path):
    it = trees.head_pose(tmp_path / "it", people=1)
    text = it / "Person01" / "person01100-30-45.txt"
    text.unlink()
    os.mkfifo(text)
    os.mkfifo(it / "Front" / "personne01104+0+45.jpg")
    (it / "Person02").symlink_to("Person01")
    (it / "person_03").mkdir()
    trees.save(trees.face(0, 0), it / "stray.jpg")
    (it / "Person01" / "person01100-30+0.TXT").symlink_to("nowhere")
    assert skipped(f"head-pose:{it}") == {
        "Person01/person01100-30-45.txt": "a named pipe, not a file",
        "Person01/person01100-30-45.jpg": "person01100-30-45.txt, which says where the face is, "
        "cannot be read: a named pipe, not a file",
        "Front/personne01104+0+45.jpg": "a named pipe, not a file",
        "Person01/person01100-30+0.TXT": "a link that leads to nothing",
        "Person02": "a link to what is read as Person01",
        "person_03/": "it is not in a folder like Person01",
        "stray.jpg": "it is not in a folder like Person01",
    }


def test_two_folders_of_one_number_are_one_person_and_copies_are_said(tmp_path):
    it = trees.head_pose(tmp_path / "it", people=2, front=False)
    shutil.copytree(it / "Person01", it / "personne01")
    faces, _ = quiet(lambda: speculo.load(f"head-pose:{it}", people=1))
    assert faces.names == ("person01",) and len(faces) == 18 and len(faces.skipped) == 18
    assert "says the same as that of Person01/person01100-30-45.jpg" in str(faces.skipped)


@pytest.mark.parametrize(
    "box", ["nan\n1\n1\n1", "1\n1\n0\n5", "1e9\n1\n5\n5", "1\n1\n-5\n5", "inf\n1\n5\n5"]
)
def test_a_box_that_cannot_be_is_named(box, tmp_path):
    it = trees.head_pose(tmp_path / "it", people=1)
    (it / "Person01" / "person01100-30-45.txt").write_text(f"it\n\nFace\n{box}\n")
    why = "person01100-30-45.txt does not say where the face is in lines 4 to 7"
    assert skipped(f"head-pose:{it}") == {"Person01/person01100-30-45.jpg": why}


def test_poses_of_a_video_are_found_however_its_name_is_written_and_odd_ones_are_named(tmp_path):
    name = unicodedata.normalize("NFD", "Zoë")
    frames = tmp_path / "it" / "aligned_images_DB"
    for video in range(4):
        for frame in range(3):
            trees.save(
                trees.face(0, frame), frames / name / f"{video}" / f"aligned_detect_0.{frame}.jpg"
            )
    poses = tmp_path / "it" / "headpose_DB"
    poses.mkdir()
    mat = str(poses / f"headorient_apirun_{unicodedata.normalize('NFC', name)}_{{}}.mat")
    savemat(mat.format(0), {"headpose": np.zeros((3, 3))})
    savemat(mat.format(1), {"headpose": np.full((3, 3), 1e6)})
    os.mkfifo(mat.format(2))
    (frames / "stray.jpg").touch()
    (tmp_path / "it" / "stray.jpg").touch()
    faces, _ = quiet(lambda: speculo.load(f"youtube-faces:{tmp_path / 'it'}"))
    assert np.isfinite(faces.pose).all(axis=1).tolist() == [True] * 3 + [False] * 9
    why = dict(faces.skipped)
    unknown = ": this video's poses are taken as unknown"
    at = "headpose_DB/headorient_apirun_Zoë_{}.mat"
    assert why[at.format(1)] == f"headpose holds angles of more than 360 degrees{unknown}"
    assert why[at.format(2)] == f"a named pipe, not a file{unknown}"
    assert why[at.format(3)] == f"the file is missing{unknown}"
    assert (
        why["stray.jpg"]
        == why["aligned_images_DB/stray.jpg"]
        == "it lies beside the people's folders"
    )
    assert len(why) == 5


# ---------------------------------------------------------------- what others downloaded


@pytest.fixture
def data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit"))
    (tmp_path / "scikit").mkdir()
    return tmp_path / "scikit"


@pytest.mark.parametrize("how", ["cut", "empty", "flipped", "a named pipe"])
def test_an_interrupted_download_is_named_and_what_to_delete(how, data_home):
    trees.olivetti(data_home)
    path = data_home / "olivetti_py3.pkz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    if how == "a named pipe":
        os.mkfifo(path)
    else:
        path.write_bytes({"cut": content[:5000], "empty": b"", "flipped": content}[how])
    with pytest.raises(
        ValueError, match="olivetti_py3.pkz is damaged .*Delete it to download it again"
    ):
        speculo.load("olivetti")


def test_a_pickle_that_is_whole_and_wrong_is_named_too(data_home):
    joblib.dump({"no": "faces"}, data_home / "olivetti_py3.pkz", compress=6)
    with pytest.raises(ValueError, match="olivetti_py3.pkz is damaged"):
        speculo.load("olivetti")


def test_an_unpacking_that_was_interrupted_is_said(data_home):
    trees.lfw(data_home)
    why = skipped("lfw")["lfw_funneled"]
    assert why.startswith("it holds 10 photos, expected 13,233") and "Delete" in why
    with pytest.raises(ValueError, match="min_photos is 9, but nobody has more than 3"):
        speculo.load("lfw", min_photos=9)
    broken = next(data_home.rglob("*_0003.jpg"))
    broken.write_bytes(broken.read_bytes()[:500])
    with pytest.raises(ValueError, match="lfw_funneled is damaged"):
        speculo.load("lfw", size=40)
    broken.unlink()
    os.mkfifo(broken)
    with pytest.raises(ValueError, match="_0003.jpg is a named pipe, not a file. Take it away"):
        speculo.load("lfw")


def test_what_scikit_learn_keeps_of_lfw_is_read_anew_if_it_is_damaged(data_home):
    trees.lfw(data_home)
    before, _ = quiet(lambda: speculo.load("lfw"))
    result = next(data_home.rglob("output.pkl"))
    content = bytearray(result.read_bytes())
    for place in range(100, len(content), 97):
        broken = content.copy()
        broken[place] ^= 16
        result.parent.mkdir(exist_ok=True)
        result.write_bytes(broken)
        again, said = quiet(lambda: speculo.load("lfw"))
        assert same(before, again) and len(said) == 1
        if place > 1000:
            break


@pytest.mark.parametrize("how", ["flipped", "emptied", "a named pipe"])
def test_a_damaged_photo_of_orl_is_named(how, tmp_path, monkeypatch):
    photos = orl._find_photos()
    whole = photos[3, 7].locate()

    class Broken(type(photos[3, 7])):
        def locate(self):
            return tmp_path / "7.pgm"

    broken = Broken(photos[3, 7])
    broken.hash = photos[3, 7].hash
    if how == "a named pipe":
        os.mkfifo(tmp_path / "7.pgm")
    else:
        content = bytearray(whole.read_bytes())
        content[5000] ^= 1
        (tmp_path / "7.pgm").write_bytes(content if how == "flipped" else b"")
    monkeypatch.setattr(orl, "_find_photos", lambda: photos | {(3, 7): broken})
    with pytest.raises(
        ValueError, match="7.pgm .*Install it anew with: pip install --force-reinstall"
    ):
        speculo.load("orl", people=3)
    with warnings.catch_warnings(action="error"):
        assert len(speculo.load("orl", people=2)) == 20
