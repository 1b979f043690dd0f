"""A reader's own photos: what is said of them, and the page on which it stands."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from accessibility import faults
from conftest import CHROMIUM, ROOT, SCREENSHOTS
from PIL import Image

import speculo
from speculo import faces as face_sets
from speculo import files, fingerprints, own_faces, pairs, predictor, runs, sources
from speculo.own_faces import __main__ as command
from speculo.own_faces import page
from speculo.sources import heads


def snapshot(*people: int, yaw: float = 0.0, size: int = 240) -> Image.Image:
    """A photo of some drawn people, each smaller than the one before, side by side."""
    rows = []
    for place, person in enumerate(people):
        head = heads.render(person, yaw=yaw, size=size - 60 * place)
        below = size + 320 - 160 - len(head)
        rows.append(np.pad(head, ((160, below), (160, 160)), mode="edge"))
    return Image.fromarray(np.concatenate(rows, axis=1))


@pytest.fixture(scope="session")
def phone(tmp_path_factory) -> Path:
    """A folder as it comes from a phone."""
    root = tmp_path_factory.mktemp("phone") / "my <b>phone"
    people = {"Zoë <i>": 0, "ben": 3, "carl": 5}
    for name, person in people.items():
        (root / name).mkdir(parents=True)
        for yaw in (-20, 0, 20):
            snapshot(person, yaw=yaw).save(root / name / f"IMG_{yaw + 20}.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held upright
    snapshot(3, yaw=10).transpose(Image.Transpose.ROTATE_90).save(
        root / "ben" / "upright.jpg", exif=turned
    )
    pillow_heif.from_pillow(snapshot(5, yaw=10).convert("RGB")).save(root / "carl" / "IMG.HEIC")
    snapshot(0, 6).save(root / "Zoë <i>" / "two.jpg")
    (root / "dora").mkdir()
    snapshot(7).save(root / "dora" / "only.png")
    (root / "ben" / "clip.mov").write_bytes(b"\0\0\0\x14ftypqt  " + bytes(500))
    (root / "ben" / "notes.txt").write_text("taken in May")
    Image.effect_noise((640, 480), 30).save(root / "carl" / "wall.jpg")
    return root


def test_a_folder_of_a_phone_becomes_one_page_that_a_browser_shows(phone, home, capsys):
    path = page.write(phone)
    assert "4 files are skipped or need a look" in capsys.readouterr().out
    assert path.parent == home / "build" / "faces"
    text = path.read_text(encoding="utf-8")
    assert "<b>phone" not in text and "Zoë <i>" not in text  # names are text
    assert "two.jpg</code>: 2 faces found" in text
    for name in ("clip.mov", "notes.txt", "wall.jpg"):
        assert re.search(f"{name}</code>: ", text.split("Not used")[1])
    assert text.count("The face that is taken") == 1
    shown_well(path, ["ben", "carl", "dora", "Zoë <i>"])


def shown_well(path: Path, names: list[str]) -> None:
    """Open a page as a reader does, on a screen and on a phone, and keep what is seen."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width, scheme in ((1100, "light"), (380, "dark")):
            window = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            errors, requests = [], []
            window.on("console", lambda message, said=errors: said.append(message.text))
            window.on("request", lambda request, asked=requests: asked.append(request.url))
            window.goto(path.as_uri())
            pictures = window.locator("img")
            sizes = pictures.evaluate_all("all => all.map(each => each.naturalWidth)")
            assert len(sizes) > 20 and set(sizes) == {32, page.SIDE}
            assert all(pictures.evaluate_all("all => all.map(each => each.alt)"))
            assert window.locator("h3").all_inner_texts() == names
            assert window.evaluate("document.documentElement.scrollWidth") <= width
            assert not errors
            assert all(url.startswith(("file:", "data:")) for url in requests)
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            window.screenshot(path=SCREENSHOTS / f"faces-{path.stem}-{scheme}.png", full_page=True)
            assert faults(browser, path.as_uri(), scheme) == []
        browser.close()


def test_the_page_of_real_people_whom_the_model_has_never_seen(home):
    faces = sources.load("orl", size=page.SIDE)
    names = [f"s{number}" for number in range(21, 33)]
    files.write_text(home / "orl.html", page.text(own_faces.look(face_sets.select(faces, names))))
    shown_well(home / "orl.html", names)


def test_what_is_said_of_real_people_is_what_the_distances_say(orl):
    faces = face_sets.select(orl, [f"s{number}" for number in range(21, 31)])
    looked = own_faces.look(faces)
    prints = fingerprints.shipped()(faces.images)
    distance = fingerprints.distances(prints, prints, "cosine")
    same = faces.person[:, None] == faces.person
    above = np.triu(np.ones_like(same), 1)
    model, pixels = looked.by_model, looked.by_pixels
    assert (model.genuine, model.impostor) == (450, 4500)
    assert model.within == (distance[same & above] <= model.limit).sum()
    assert model.confused == (distance[~same & above] <= model.limit).sum()
    assert model.wrong == pytest.approx(
        (1 - model.within / 450 + model.confused / 4500) / 2, abs=1e-9
    )
    assert 0.3 < model.limit < 0.8 and model.wrong < pixels.wrong < 0.5
    np.fill_diagonal(distance, np.inf)
    right = faces.person[distance.argmin(axis=1)] == faces.person
    assert looked.searched == 100
    assert model.found == right.sum() == 100 - len(looked.mixed)
    for match in looked.mixed:
        assert faces.person[match.photo] != faces.person[match.other]
        assert match.distance == pytest.approx(distance[match.photo].min(), abs=1e-5)
    assert looked.by_luck == pytest.approx(100 * 9 / 99)
    own = distance[:10, :10]
    assert looked.table[0, 0] == pytest.approx(own[np.isfinite(own)].mean())
    assert np.allclose(looked.table, looked.table.T)
    nearest = min(looked.people, key=lambda each: each.nearest.distance).nearest
    assert {nearest.photo, nearest.other} == {looked.alike[0].photo, looked.alike[0].other}
    assert f"{model.found} times it shows the same person" in page.verdict(looked)


def test_a_front_drawn_from_more_photos_is_nearer_to_the_true_one():
    faces = speculo.load("heads-medium", people=40)
    true = faces.images[pairs.fronts(faces)][:: heads.PHOTOS].astype(np.float64)
    opened = predictor.opened(runs.recorded(fingerprints.SHIPPED))
    turned = faces.images.reshape(40, heads.PHOTOS, 32, 32)[:, 1:]
    error = [
        np.square(
            np.stack([own_faces.front(opened, each[:count]) for each in turned]) - true
        ).mean()
        for count in (1, 3, 9)
    ]
    assert error[0] > error[1] > error[2]


@pytest.mark.parametrize("photos", [(1,), (5,), (1, 1), (1, 3), (2, 2)])
def test_few_photos_are_enough_for_a_page(orl, photos):
    person = np.repeat(np.arange(len(photos)), photos).astype(np.int32)
    index = np.concatenate([20 * place + np.arange(n) for place, n in enumerate(photos)])
    faces = face_sets.FaceSet(
        "folder:few",
        orl.images[index],
        person,
        tuple(f"p{number}" for number in range(len(photos))),
        orl.pose[index],
        orl.origin[index],
    )
    looked = own_faces.look(faces)
    said, text = page.verdict(looked), page.text(looked)
    assert ("one person only" in said) == (len(photos) == 1)
    assert ("Nobody has two photos" in said) == (photos == (1, 1))
    assert ("So few photos" in said) == (looked.searched > 0 and len(photos) > 1)
    assert ("Who is most alike" in text) == (len(photos) > 1)
    assert "nan" not in re.sub(r"base64,[^\"]*", "", text).lower()


def test_a_single_photo_that_looks_like_somebody_else_is_taken_for_them(orl):
    faces = face_sets.select(orl, ["s21", "s22"])
    one = np.zeros(20, dtype=np.int32)
    one[-1] = 1  # a photo of s22 with a name of its own, beside nine others of s22
    one[:10] = 2
    looked = own_faces.look(
        replace(faces, person=one, series=one, names=("s22", "alone", "s21"), front=None)
    )
    assert [(each.photo, faces.person[each.other]) for each in looked.mixed] == [(19, 1)]
    assert looked.by_model.found == looked.searched == 19
    assert page.text(looked).count("the only photo of alone") == 3  # twice among the most alike


def test_of_too_many_photos_some_are_left_out(orl, monkeypatch):
    monkeypatch.setattr(own_faces, "MOST_PEOPLE", 4)
    monkeypatch.setattr(own_faces, "MOST_PHOTOS", 12)
    looked = own_faces.look(orl)
    assert [len(each.photos) for each in looked.people] == [3, 3, 3, 3]
    assert looked.left_out == 388
    assert "388 photos are left out" in page.text(looked)


def test_the_command_names_what_is_wrong_in_a_line(tmp_path, home, monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for folder, said in (("nowhere", "There is no folder"), (".", "holds no faces")):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["own_faces", folder])
        with pytest.raises(SystemExit, match=said):
            command.main()
    (tmp_path / "us" / "anna").mkdir(parents=True)
    snapshot(0).save(tmp_path / "us" / "anna" / "1.png")
    monkeypatch.setattr(sys, "argv", ["own_faces", "us"])
    command.main()
    path = home / "build" / "faces" / "us.html"
    assert f"Open {path.as_uri()}\n" in capsys.readouterr().out
    assert "one person only" in path.read_text(encoding="utf-8")


def test_make_gives_the_folder_to_the_command():
    done = subprocess.run(
        ["make", "--dry-run", "faces", "FACES=data/the family"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert 'speculo.own_faces "data/the family"' in done.stdout


def test_faces_are_read_as_the_chapters_read_them_with_crop_auto(phone, home):
    faces = sources.load(f"folder:{phone}", size=page.SIDE, crop="auto")
    assert faces.names == ("ben", "carl", "dora", "Zoë <i>")
    assert "carl/IMG.HEIC" in faces.origin and "ben/upright.jpg" in faces.origin
