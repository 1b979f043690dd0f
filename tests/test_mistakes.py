"""Where fingerprints fail: cases made by hand, and brute force."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import trees

import speculo
from speculo import fingerprints, mistakes, recognition
from speculo.faces import FaceSet, select
from speculo.recognition import Cosine
from speculo.sources import heads

# Two photos of each of three people, by hand: as in test_recognition.
PERSON = np.array([0, 0, 1, 1, 2, 2])


def test_the_worst_pairs_come_first_and_no_two_people_twice(by_hand):
    impostors, genuine = mistakes.worst(by_hand, PERSON, 3)
    assert impostors.tolist()[:2] == [[1, 2], [3, 5]]
    assert genuine.tolist() == [[4, 5], [2, 3], [0, 1]]
    by_hand[0, 3] = by_hand[3, 0] = 0.55  # the same two people as in the worst pair
    assert mistakes.worst(by_hand, PERSON, 2)[0].tolist() == [[1, 2], [3, 5]]
    assert len(mistakes.worst(by_hand, PERSON, 9)[0]) == 3


def test_rank_1_by_yaw_finds_a_face_where_it_looks_alike_only():
    """Fingerprints that say who it is, and how it is turned, more loudly."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(30), 8)
    side = np.tile([0, 1], 120)
    yaw = np.where(side, rng.uniform(20, 90, 240), rng.uniform(-90, -20, 240))
    who = rng.normal(size=(2, 30, 16))
    rate, people = mistakes.rank_1_by_yaw(Cosine(who[side, person]), person, yaw, (-90, 0, 90))
    assert people == 30 and rate[0, 0] == rate[1, 1] == 1
    assert max(rate[0, 1], rate[1, 0]) < 0.2
    rate, _ = mistakes.rank_1_by_yaw(Cosine(who[0, person]), person, yaw, (-90, 0, 90))
    assert (rate == 1).all()


def test_rank_1_by_yaw_with_few_people_is_nothing_to_tell():
    yaw = np.array([-80, -70, 80, 70])
    rate, people = mistakes.rank_1_by_yaw(np.eye(4), np.array([0, 0, 1, 1]), yaw)
    assert people == 0 and np.isnan(rate).all() and rate.shape == (7, 7)


def test_rank_1_by_yaw_has_equally_many_people_in_every_gallery():
    rng = np.random.default_rng(1)
    faces = speculo.load("heads-yaw", people=12, photos=6)
    vectors = rng.normal(size=(len(faces), 5))
    yaw = faces.pose[:, 0]
    rate, people = mistakes.rank_1_by_yaw(Cosine(vectors), faces.person, yaw, (-90, 0, 90))
    fewest = min(len(np.unique(faces.person[each])) for each in (yaw < 0, yaw >= 0))
    assert people == fewest and rate.shape == (2, 2)


def test_traits_are_those_of_the_drawn_person():
    table = mistakes.traits(["p00000", "p00012", "p00013"])
    assert table.index.tolist() == ["p00000", "p00012", "p00013"]
    who = heads.person.sample(12)
    assert table.loc["p00012", "sex"] == ("man" if who.male else "woman")
    assert (table.loc["p00012", "glasses"] == "glasses") == (who.glasses is not None)
    assert not mistakes.traits(["p00012-1"]).iloc[0].equals(table.iloc[1]), "another population"
    many = mistakes.traits([heads.person_name(n) for n in range(150)])
    for trait, groups in mistakes.GROUPS.items():
        assert set(many[trait]) == set(groups)
    assert not ((many["sex"] == "woman") & (many["beard"] == "beard")).any()
    with pytest.raises(ValueError, match="'p00012'"):
        mistakes.traits(["s1"])


def test_rates_by_group_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    person = rng.permutation(np.repeat(np.arange(12), 4))
    vectors = rng.normal(size=(12, 4))[person] + rng.normal(size=(48, 4))
    scores, threshold = Cosine(vectors)[:], 0.4
    groups = pd.DataFrame({"half": ["a"] * 5 + ["b"] * 7})
    found = mistakes.rates_by_group(scores, person, groups, threshold, draws=100)
    one, two = np.triu_indices(48, 1)
    same, reached = person[one] == person[two], scores[one, two] >= threshold
    for name, members in (("a", range(5)), ("b", range(5, 12)), ("everybody", range(12))):
        inside = np.isin(person[one], members) & np.isin(person[two], members)
        row = found.xs(name, level="group").iloc[0]
        assert row["people"] == len(members)
        assert row["FNMR"] == pytest.approx((~reached[inside & same]).mean())
        assert row["FMR"] == pytest.approx(reached[inside & ~same].mean())
        for rate in ("FNMR", "FMR"):
            assert row[f"{rate} low"] <= row[rate] <= row[f"{rate} high"]
    assert found.index.tolist() == [("everybody", "everybody"), ("half", "a"), ("half", "b")]


def test_pieces_make_no_difference_to_rates_by_group(by_hand, monkeypatch):
    groups = pd.DataFrame({"t": ["a", "a", "b"]})
    whole = mistakes.rates_by_group(by_hand, PERSON, groups, 0.4)
    monkeypatch.setattr(recognition, "ROWS", 2)
    pd.testing.assert_frame_equal(mistakes.rates_by_group(by_hand, PERSON, groups, 0.4), whole)
    # Of 12 impostor pairs one reaches .4; one person alone has no impostor.
    assert whole.loc["everybody", "FMR"].item() == pytest.approx(1 / 12)
    assert whole["FNMR"].tolist() == pytest.approx([1 / 3, 0, 1])
    assert np.isnan(whole.loc[("t", "b"), "FMR"])


def test_the_rule_of_2020_by_hand():
    place = np.array([0.0, 1, 10, 11, 3, 30])
    distances = np.abs(place[:, None] - place)
    person = ["a", "a", "b", "b", "b", "a"]
    found = mistakes.enrolment(distances, person, 2.5)
    # a is new, found; b is new, found; the third b is nearest to a (3 > 2.5): missed; so is a.
    assert found == (2, 0, 2, 2)
    assert found.without_unknown == 1 and found.of_all == 2 / 6 and found.first_excused == 4 / 6
    found = mistakes.enrolment(distances, person, 3)
    assert found == (2, 1, 2, 1)
    # All is one person for a threshold without end: only the first photo is new.
    assert mistakes.enrolment(distances, person, np.inf) == (2, 3, 1, 0)
    assert mistakes.enrolment(distances, person, -1) == (0, 0, 2, 4)
    assert mistakes.enrolment(distances, person, -1).without_unknown == 0


def test_the_rule_of_2020_on_photos_of_the_head_pose_database(tmp_path):
    """Drawn heads in its layout: the exact person is found by a perfect fingerprint alone."""
    faces = speculo.load(f"head-pose:{trees.head_pose(tmp_path, people=3, drawn=True)}")
    perfect = fingerprints.distances(np.eye(3)[faces.person], np.eye(3)[faces.person], "l2")
    assert mistakes.enrolment(perfect, faces.person, 1.0) == (len(faces) - 3, 0, 3, 0)
    pixels = faces.images.reshape(len(faces), -1).astype(np.float32)
    found = mistakes.enrolment(fingerprints.distances(pixels, pixels, "l2"), faces.person, 1500.0)
    assert sum(found) == len(faces) == 54 and 1 <= found.new <= 3
    assert found.wrong + found.missed > 0


def test_the_published_count_says_what_the_book_says_of_it():
    right, counted, left_out = mistakes.PUBLISHED
    published = mistakes.Enrolment(right, counted - right, 0, left_out)
    assert published.without_unknown == pytest.approx(0.790, abs=5e-4)
    assert published.of_all == pytest.approx(0.781, abs=5e-4)


@pytest.mark.parametrize(("distances", "person"), [(np.zeros((2, 3)), [0, 1]), (np.zeros((0, 0)), [])])  # fmt: skip
def test_distances_that_do_not_fit_are_refused(distances, person):
    with pytest.raises(ValueError, match=r"expected \(n, n\)"):
        mistakes.enrolment(distances, person, 1.0)


def test_some_photos_are_spread_over_those_of_each_person(orl):
    found = mistakes.some_photos(orl, orl.names[20:], 3, 4)
    assert found.tolist() == [200, 203, 206, 209, 210, 213, 216, 219, 220, 223, 226, 229]
    assert len(mistakes.some_photos(orl, orl.names, 99, 99)) == 400


def test_people_with_one_photo_do_not_take_the_place_of_others(orl):
    kept = np.flatnonzero((np.arange(400) % 10 == 0) | (orl.person == 3) | (orl.person == 7))
    few = FaceSet(
        name="few",
        images=orl.images[kept],
        person=orl.person[kept],
        names=orl.names,
        pose=orl.pose[kept],
        origin=orl.origin[kept],
    )
    found = mistakes.some_photos(few, few.names, 3, 2)
    assert few.person[found].tolist() == [0, 3, 3, 7, 7]


def test_rank_1_of_turned_photos_is_that_of_brute_force():
    faces = speculo.load("heads-yaw", people=12, photos=6)
    vectors = np.random.default_rng(0).normal(size=(12, 6))[faces.person]
    vectors = vectors + np.random.default_rng(1).normal(size=vectors.shape)
    fronts, yaw = np.unique(faces.front), faces.pose[:, 0]
    found = mistakes.turned_rank_1(Cosine(vectors), faces.person, fronts, yaw)
    scores = Cosine(vectors)[:][:, fronts]
    turned = np.abs(yaw) >= 30
    expected = (scores.argmax(axis=1) == faces.person)[turned].mean()
    assert found == pytest.approx(expected) and 0 < found < 1
    assert np.isnan(mistakes.turned_rank_1(Cosine(vectors), faces.person, fronts, 0 * yaw))


def test_groups_differ_where_their_intervals_do_not_touch():
    index = pd.MultiIndex.from_tuples(
        [("everybody", "everybody"), ("sex", "a"), ("sex", "b"), ("age", "c"), ("age", "d")],
        names=["trait", "group"],
    )
    rates = [0.2, 0.1, 0.3, 0.1, np.nan]
    table = pd.DataFrame({"FNMR": rates, "FMR": [0.2, 0.2, 0.25, 0.1, 0.2]}, index)
    for rate in ("FNMR", "FMR"):
        table[f"{rate} low"], table[f"{rate} high"] = table[rate] - 0.06, table[rate] + 0.06
    assert mistakes.groups_apart(table) == ["FNMR by sex: b 30.0%, a 10.0%"]


def test_unseen_is_who_the_shipped_model_did_not_learn_from(orl):
    assert mistakes.unseen(orl) == orl.names[20:]
    others = dataclasses.replace(orl, name="folder:x")
    assert mistakes.unseen(others) == orl.names
    assert mistakes.unseen(select(orl, orl.names[:5])) == orl.names[:5], "nobody is left"
