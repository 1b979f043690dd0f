"""Measures against a case made by hand, brute force, and what pyeer 0.5.6 gave."""

import math

import numpy as np
import pytest

from speculo import recognition
from speculo.recognition import Cosine

# Two photos of each of three people. Genuine pairs: .9, .5, .2. The impostor pairs beside
# .6 (a 1 with b 0) and .3 (b 1 with c 1) are all at .1: 12 in all.
PERSON = np.array(["a", "a", "b", "b", "c", "c"])


@pytest.fixture(scope="module")
def cloud():
    """60 people with 4 photos each, in an order without any order, and 3 people with one photo."""
    rng = np.random.default_rng(0)
    person = rng.permutation(np.concatenate([np.repeat(np.arange(60), 4), [60, 61, 62]]))
    return rng.normal(size=(63, 8))[person] + rng.normal(size=(len(person), 8)), person


def test_error_rates_of_the_case_made_by_hand(by_hand):
    pairs = recognition.verification(by_hand, PERSON)
    assert pairs.thresholds.tolist() == [0.2, 0.5, 0.9]
    assert pairs.genuine[0].tolist() == [1, 1, 1]
    assert pairs.impostor[0].tolist() == [10, 0, 1, 0, 1, 0, 0]
    fmr, fnmr, threshold = pairs.det()
    at = {round(float(t), 6): (m, n) for m, n, t in zip(fmr, fnmr, threshold, strict=True)}
    assert at[0.5] == pytest.approx((1 / 12, 1 / 3)) and at[0.2] == pytest.approx((2 / 12, 0))
    # just above .2 FNMR rises from 0 to 1/3, past FMR, which stays
    assert pairs.eer() == pytest.approx(2 / 12)
    assert pairs.fnmr(1 / 3) == 0 and pairs.fnmr(0.34) == 0
    assert math.isnan(pairs.fnmr(0.1)), "three pairs of people cannot carry 10%"


def test_searches_of_the_case_made_by_hand(by_hand):
    rank, probe = recognition.ranks(by_hand, PERSON, np.array([4, 2, 0]))
    # Person a is found by photo 1 (.9 against .6), b by photo 3, c is behind b (.2, .1, .1): first.
    assert probe.tolist() == [1, 3, 5] and rank.tolist() == [1, 1, 1]
    rank, probe = recognition.ranks(by_hand, PERSON, np.array([1, 3, 5]))
    # Photo 0 finds a; photo 2 has .6 with a and .5 with b; photo 4 has .2 with c.
    assert probe.tolist() == [0, 2, 4] and rank.tolist() == [1, 2, 1]
    assert recognition.cmc(rank, 3) == pytest.approx([2 / 3, 1, 1])


def test_equal_scores_find_nobody():
    person = np.repeat(np.arange(20), 3)
    found = recognition.measures(np.ones((60, 4)), person)
    assert found["rank_1"] == 0 and found["tmr_at_fmr_1"] == 0
    assert found["eer"] == pytest.approx(0.5)


def test_clear_cases_are_without_error():
    person = np.repeat(np.arange(20), 3)
    found = recognition.measures(7.0 * np.eye(20)[person], person)
    assert (found["eer"], found["tmr_at_fmr_1"], found["rank_1"]) == (0, 1, 1)
    reversed_found = recognition.judge(-np.eye(20)[person] @ np.eye(20)[person].T, person)
    assert reversed_found["eer"] == 1 and reversed_found["rank_1"] == 0


@pytest.mark.parametrize("digits", [9, 1])  # many scores are equal with one digit
def test_error_rates_are_those_of_brute_force(cloud, digits):
    vectors, person = cloud
    scores = Cosine(vectors)[:].round(digits)
    one, two = np.triu_indices(len(person), 1)
    same = person[one] == person[two]
    genuine, impostor = scores[one, two][same], scores[one, two][~same]
    every = np.append(np.unique(scores), 2)
    fmr, fnmr = (np.array([share(t) for t in every]) for share in (
        lambda t: (impostor >= t).mean(), lambda t: (genuine < t).mean()))  # fmt: skip
    pairs = recognition.verification(scores, person)
    for rate in (0.1, 0.01, 0.001):
        assert pairs.fnmr(rate) == pytest.approx(fnmr[fmr <= rate].min())
    after = np.argmax(fnmr >= fmr)
    gap = (fmr - fnmr)[after - 1 : after + 1]
    expected = np.interp(0, -gap, fmr[after - 1 : after + 1])
    assert pairs.eer() == pytest.approx(expected, abs=1e-9)


def test_error_rates_are_those_of_pyeer(cloud):
    pairs = recognition.verification(Cosine(cloud[0]), cloud[1])
    assert pairs.fnmr(0.01) == pytest.approx(0.841667, abs=1e-6)
    assert pairs.fnmr(0.001) == pytest.approx(0.972222, abs=1e-6)
    assert pairs.eer() == pytest.approx(0.23415, abs=1e-3)  # it stops at one of the scores


def test_rank_is_that_of_brute_force(cloud):
    vectors, person = cloud
    gallery = recognition.galleries(person, 2, seed=3)
    rank, probe = recognition.ranks(Cosine(vectors), person, gallery)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = []
    for enrolled in gallery:
        assert person[enrolled].tolist() == list(range(63))
        for photo in np.setdiff1d(np.arange(len(person)), enrolled):
            order = sorted(enrolled, key=lambda other: -unit[photo] @ unit[other])
            expected.append([person[each] for each in order].index(person[photo]) + 1)
    assert rank.tolist() == expected and len(probe) == len(rank) == 2 * (243 - 63)


def test_open_set_search_is_that_of_brute_force(cloud):
    vectors, person = cloud
    scores = Cosine(vectors)[:]
    found = recognition.fnir(scores, person, at_fpir=0.05, draws=1, seed=4)
    gallery = recognition.galleries(person, 1, 4)[0]
    half = np.random.default_rng([4, 1]).permutation(63) < 31
    gallery = gallery[half[person[gallery]]]
    strangers = [scores[p, gallery].max() for p in range(len(person)) if not half[person[p]]]
    mated = [p for p in range(len(person)) if half[person[p]] and p not in gallery]
    missed = []
    for threshold in np.sort(strangers) + 1e-6:
        if np.mean(strangers >= threshold) <= 0.05:
            hits = [
                person[gallery[scores[p, gallery].argmax()]] == person[p]
                and scores[p, gallery].max() >= threshold
                for p in mated
            ]
            missed.append(1 - np.mean(hits))
    assert found == pytest.approx(min(missed))
    assert math.isnan(recognition.fnir(scores, person)), "31 people cannot carry 1%"


def test_pieces_make_no_difference(cloud, monkeypatch):
    vectors, person = cloud
    whole = recognition.measures(vectors, person)
    monkeypatch.setattr(recognition, "ROWS", 10)
    assert recognition.measures(vectors, person) == pytest.approx(whole, nan_ok=True)


def test_neither_length_nor_type_of_the_vectors_matters_nor_of_the_labels(cloud):
    vectors, person = cloud
    whole = recognition.measures(vectors, person)
    long = vectors * np.random.default_rng(1).uniform(1e-3, 1e3, (len(person), 1))
    names = np.array([f"p{number:03}" for number in person], dtype=object)
    for other, labels in ((long, person), (vectors.astype(np.float32), names)):
        assert recognition.measures(other, labels) == pytest.approx(whole, abs=1e-3, nan_ok=True)
    assert recognition.measures(1e200 * vectors, person)["eer"] == pytest.approx(whole["eer"])


def test_intervals_hold_the_measure_and_count_people_not_photos(cloud):
    vectors, person = cloud
    whole = recognition.measures(vectors, person)
    found = recognition.intervals(Cosine(vectors), person, draws=60)
    for name, (low, high) in found.items():
        assert low < whole[name] < high
    assert found == recognition.intervals(Cosine(vectors), person, draws=60)
    # photos shown twice add no people, and so no certainty
    twice = recognition.intervals(
        Cosine(np.repeat(vectors, 2, axis=0)), np.repeat(person, 2), draws=60
    )
    assert np.ptp(twice["rank_1"]) > 0.8 * np.ptp(found["rank_1"])


@pytest.mark.parametrize(
    ("vectors", "person", "message"),
    [
        (np.ones((4, 2)), [0, 0, 0, 0], "one person"),
        (np.ones((4, 2)), [0, 1, 2, 3], "nobody has two photos"),
        (np.ones((4, 2)), [0, 0, 1], r"\(3,\), expected \(4,\)"),
        (np.ones(4), [0, 0, 1, 1], r"expected \(n, d\)"),
        (
            np.array([[1, 2], [np.nan, 1], [1, 1], [np.inf, 1]]),
            [0, 0, 1, 1],
            "2 vectors .* the first is 1",
        ),
    ],
)
def test_what_cannot_be_judged_is_said(vectors, person, message):
    with pytest.raises(ValueError, match=message):
        recognition.measures(vectors, np.array(person))


def test_scores_and_galleries_that_do_not_fit_are_refused(by_hand):
    with pytest.raises(ValueError, match=r"expected \(n, n\)"):
        recognition.judge(by_hand[:5], PERSON[:5])
    with pytest.raises(ValueError, match="NaN or infinity"):
        recognition.judge(np.full((6, 6), np.nan), PERSON)
    for gallery in ([0, 1, 2], [0, 2], [0, 2, 9], [0.0, 2.0, 4.0]):
        with pytest.raises(ValueError, match="one of each of 3 people"):
            recognition.ranks(by_hand, PERSON, np.array(gallery))


def test_all_pairs_are_there_once(by_hand):
    genuine, impostor = recognition.pair_scores(by_hand, PERSON)
    assert sorted(genuine) == [0.2, 0.5, 0.9]
    assert sorted(impostor) == [0.1] * 10 + [0.3, 0.6]


def test_the_eer_threshold_is_where_the_rates_are_nearest(cloud):
    scores = Cosine(cloud[0])
    pairs = recognition.verification(scores, cloud[1])
    genuine, impostor = recognition.pair_scores(scores, cloud[1])
    threshold = pairs.eer_threshold()
    rates = (genuine < threshold).mean(), (impostor >= threshold).mean()
    assert rates == pytest.approx([pairs.eer()] * 2, abs=5e-3)


def test_the_chance_of_normal_distances_is_that_of_their_formula():
    """Of two normal distributions of one spread, the log odds are a line."""
    rng = np.random.default_rng(0)
    genuine, impostor = rng.normal(1, 0.5, 40_000), rng.normal(2, 0.5, 400_000)
    rule = recognition.chance(genuine, impostor)
    for distance in (0.5, 1.5, 1.8):
        expected = 1 / (1 + np.exp(4 * (distance - 1.5)))
        assert rule.of(distance) == pytest.approx(expected, abs=0.02)
    other = rng.normal(1, 0.5, 9000), rng.normal(2, 0.5, 9000)
    table = recognition.calibration(rule, *other)
    assert (table["said"] - table["true"]).abs().max() < 0.03
    assert table[["genuine", "impostor"]].sum().tolist() == [9000, 9000]


def test_a_chance_falls_with_the_distance_and_takes_any_shape():
    rule = recognition.chance(np.array([0.1, 0.3]), np.array([0.7, 0.9]))
    assert isinstance(rule.of(0.4), float) and 0 < rule.of(0.9) < 0.5 < rule.of(0.1) < 1
    said = rule.of(np.linspace(0, 2, 50).reshape(5, 10))
    assert said.shape == (5, 10) and (np.diff(said.ravel()) < 0).all()
    with pytest.raises(AttributeError):
        rule.slope = 1.0


@pytest.mark.parametrize("backwards", [([3.0, 4.0], [1.0, 2.0]), ([1.0, 1.0], [1.0])])
def test_distances_that_say_nothing_give_one_half(backwards):
    rule = recognition.chance(*map(np.array, backwards))
    assert rule.of(np.array([0.0, 1, 5])).tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("pair", [([], [1.0]), ([1.0], [np.nan])])
def test_no_chance_is_fitted_to_nothing(pair):
    with pytest.raises(ValueError, match="both kinds of pairs"):
        recognition.chance(*map(np.array, pair))


def test_a_band_without_pairs_is_no_number():
    rule = recognition.Chance(-4.0, 4.0)
    table = recognition.calibration(rule, np.array([0.0]), np.array([0.1, 9.0]))
    assert math.isnan(table.loc["30% to 50%", "true"])
    assert table.loc["90% to 100%", "true"] == pytest.approx(1 / 1.5)


def test_the_table_says_what_few_people_cannot_carry(cloud):
    vectors, person = cloud
    shown = recognition.table({"a": Cosine(vectors), "b": Cosine(vectors[:, :2])}, person, draws=40)
    assert list(shown.columns) == list(recognition.SHOWN.values()) and list(shown.index) == [
        "a",
        "b",
    ]
    found = recognition.measures(vectors, person)
    assert shown.loc["a", "EER"].startswith(f"{found['eer']:.1%} (")
    assert set(shown["FNIR at FPIR 1%"]) == {"too few people"}
    two = person < 2
    shown = recognition.table({"a": Cosine(vectors[two])}, person[two], draws=40)
    assert shown.loc["a", "TMR at FMR 1%"] == "too few people"
    assert shown.loc["a", "rank-5"] == "too few people", "of two people anybody is among five"
    assert "(" not in shown.loc["a", "EER"], "an interval over two people says nothing"
    six = recognition.measures(vectors[person < 6], person[person < 6])
    assert 0 < six["rank_5"] <= 1
