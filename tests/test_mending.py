"""Named changes to v8: each does what its name says, and none of them is v8 to the bit."""

import shutil
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from conftest import BATCH

import speculo
from speculo import (
    ablation,
    augmentation,
    card,
    evaluation,
    files,
    model,
    pairs,
    runs,
    training,
)
from speculo.augmentation import PUBLISHED, Recipe
from speculo.backend import keras
from speculo.faces import join, select
from speculo.pairs import Split


@pytest.fixture(autouse=True)
def batches(monkeypatch):
    monkeypatch.setattr(ablation, "BATCH", BATCH)


@pytest.fixture(scope="module")
def mended(tiny):
    """All changes to the network, in few channels."""
    changes = {"output_relu": False, "mean_face": True, "momentum": 0.9}
    return replace(tiny, **changes, dropout=0.05, latent_dropout=0.0, halvings=2)


RECIPE = Recipe(
    fronts=2, mirror=True, shift=1.0, turn=5.0, zoom=0.05, light=0.1, schedule="cosine", average=0.9
)
"""All changes to the training."""


def train(config, split, name, recipe=PUBLISHED, **options):
    options = {"epochs": 3, "batch_size": BATCH, "precision": "float32", **options}
    return training.train(config, split, runs.at(name), recipe=recipe, **options)


@pytest.fixture(scope="module")
def whole_mended(mended, few, tmp_path_factory):
    """A run with all changes, never stopped, that no test changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECULO_HOME", str(tmp_path_factory.mktemp("home")))
        return train(mended, few, "whole", RECIPE)


@pytest.fixture(scope="module")
def start(mended, few, tmp_path_factory):
    """A run whose weights others begin with. No test changes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECULO_HOME", str(tmp_path_factory.mktemp("home")))
        return train(mended, few, "start", Recipe(mirror=True), epochs=1, seed=1)


def state(run):
    return files.read_arrays(run.path / "last.npz")


def equal(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_changes_that_change_nothing_are_v8_to_the_bit(tiny, few, whole):
    unchanged = replace(tiny, halvings=3)
    assert card.summary(model.build(unchanged)) == card.summary(model.build(tiny))
    other = train(unchanged, few, "unchanged", Recipe())
    assert equal(state(whole), state(other))
    assert (whole.config, whole.recipe) == (tiny, PUBLISHED) and other.config == unchanged


def test_the_card_s_parameters_are_kept():
    card_s = ("optimizer", "learning_rate", "loss", "input_shape", "filters", "latent_size")
    for name in card_s:
        assert getattr(model.V8_MENDED, name) == getattr(model.V8, name)


@pytest.mark.parametrize("record", [{"config": {}}, {"config": {"dropout": 0.3, "fronts": 3}}])
def test_records_of_before_are_read(record, tiny):
    """They had both values in one, or the card's parameters alone."""
    card_s = {name: getattr(tiny, name) for name in list(asdict(tiny))[:7]}
    run = runs.at("old")
    run.write_record({"config": card_s | record["config"]})
    changes = record["config"]
    assert run.config == replace(tiny, dropout=changes.get("dropout", 0.1))
    assert run.recipe == Recipe(fronts=changes.get("fronts", 1))


def test_every_model_of_the_book_has_its_recipe():
    assert augmentation.RECIPES.keys() == model.ARCHITECTURES.keys()
    assert augmentation.named("v8-mended-4th") == augmentation.MENDED
    assert augmentation.named("v7") == PUBLISHED
    with pytest.raises(ValueError, match="Unknown architecture 'v9-4th'"):
        augmentation.named("v9-4th")


def test_4096_latents_have_as_many_numbers_before_them():
    network = model.build(model.V8_MENDED)
    assert network.get_layer("flatten_1").output.shape == (None, 4096)
    assert network.get_layer("latent_space").output.shape == (None, 4096)
    assert network.output.shape == (None, 32, 32, 1)


@pytest.mark.parametrize("halvings", [1, 2, 5])
def test_halvings_leave_the_picture_so_large(tiny, halvings):
    five = replace(tiny, filters=(16, 16, 8, 8, 8))
    network = model.build(replace(five, halvings=halvings))
    side = 32 // 2**halvings
    assert network.get_layer("reshape_1").output.shape == (None, side, side, 8)
    assert network.output.shape == (None, 32, 32, 1)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"halvings": 4}, "halvings is 4, expected 1 to 3"),
        ({"average": -0.1}, "average is -0.1"),
        ({"shift": -1}, "shift is -1"),
        ({"fronts": 0}, "fronts is 0"),
        ({"closer": -0.1}, "closer is -0.1"),
        ({"schedule": "linear"}, "'linear', expected one of constant, cosine"),
    ],
)
def test_a_change_out_of_range_is_refused(tiny, change, match):
    value = tiny if hasattr(tiny, next(iter(change))) else PUBLISHED
    with pytest.raises(ValueError, match=match):
        replace(value, **change)


def test_narrowing_divides_channels_and_latents():
    narrow = model.narrowed(model.V8_MENDED, 4)
    assert narrow.filters == (256, 128, 64, 32, 16) and narrow.latent_size == 1024
    assert narrow.name == "Speculo-v8-mended-4th" and narrow.halvings == 2
    with pytest.raises(ValueError, match="divisor is 3"):
        model.narrowed(model.V8, 3)


def test_a_short_name_stands_for_a_model_at_any_width():
    assert model.named("v8") == model.V8 and model.named("v7") == model.V7
    assert model.named("v8-mended-8th") == model.narrowed(model.V8_MENDED, 8)
    with pytest.raises(ValueError, match="Unknown architecture 'v9', expected one of v8, v7"):
        model.named("v9")
    with pytest.raises(ValueError, match="divisor is 3"):
        model.named("v8-3th")


def test_without_the_relu_an_output_can_be_dark(tiny):
    inputs = np.random.default_rng(0).random((8, 32, 32, 1), dtype=np.float32)
    network = model.build(replace(tiny, output_relu=False), seed=1)
    assert network.predict_on_batch(inputs).min() < 0.5


def test_it_starts_at_the_face_that_it_is_given(tiny):
    network = model.build(replace(tiny, output_relu=False, mean_face=True), seed=0)
    face = np.linspace(0.1, 0.9, 1024, dtype=np.float32).reshape(32, 32, 1)
    model.start_at(network, face)
    drawn = network.predict_on_batch(np.zeros((1, 32, 32, 1), np.float32))[0]
    assert drawn == pytest.approx(face, abs=1e-3)


def test_a_cosine_falls_from_the_card_s_rate_to_zero():
    assert [RECIPE.rate(done) for done in (0, 0.5, 1)] == pytest.approx([1, 0.5, 0])
    assert PUBLISHED.rate(0.9) == 1


def test_stopped_and_continued_equals_never_stopped(mended, few):
    recipe = replace(RECIPE, schedule="constant")  # a cosine needs to know its end
    whole = train(mended, few, "whole", recipe, epochs=3)
    train(mended, few, "parts", recipe, epochs=1)
    parts = train(mended, few, "parts", recipe, epochs=3)
    assert equal(state(whole), state(parts))
    assert whole.history["val_loss"].tolist() == parts.history["val_loss"].tolist()


def test_a_killed_cosine_goes_on_and_another_length_is_another_run(mended, few, whole_mended):

    def stop(run):
        if run.epochs == 2:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        train(mended, few, "killed", RECIPE, on_epoch=stop)
    killed = train(mended, few, "killed", RECIPE)
    assert equal(state(whole_mended), state(killed))
    assert (killed.config, killed.recipe) == (mended, RECIPE)
    with pytest.raises(ValueError, match="epochs: 3 before, 4 now"):
        train(mended, few, "killed", RECIPE, epochs=4)
    with pytest.raises(ValueError, match="shift: 1.0 before, 2.0 now"):
        train(mended, few, "killed", replace(RECIPE, shift=2.0))


def test_the_best_weights_are_the_averaged_ones(mended, few):
    run = train(mended, few, "a", RECIPE, epochs=1)
    best, last = files.read_arrays(run.path / "best.npz"), state(run)
    name = "weights/latent_space/kernel"
    assert not np.array_equal(best[name], last[name])
    averages = [v for k, v in last.items() if k.startswith("optimizer/")]
    assert any(np.array_equal(best[name], each) for each in averages)
    inputs, targets = few.test.batch()
    error = np.square(run.model().predict_on_batch(inputs) - targets).mean()
    assert error == pytest.approx(run.history["val_loss"].iloc[0], rel=1e-4)


@pytest.fixture
def batch(few):
    return few.train.batch()


def test_nothing_named_changes_nothing(batch):
    after = augmentation.augment(*batch, PUBLISHED, np.random.default_rng(0))
    assert all(map(np.array_equal, batch, after))


def test_some_inputs_are_photographed_anew_and_their_targets_stay(batch):
    inputs, targets = augmentation.augment(*batch, Recipe(alone=0.5), np.random.default_rng(0))
    assert np.array_equal(targets, batch[1]) and 0 <= inputs.min() <= inputs.max() <= 1
    same = [np.array_equal(a, b) for a, b in zip(inputs, batch[0], strict=True)]
    assert 0 < sum(same) < len(same)
    none = Recipe(alone=1e-9)  # of a small batch none may be chosen
    after = augmentation.augment(*batch, none, np.random.default_rng(0))
    assert all(map(np.array_equal, batch, after))
    with pytest.raises(ValueError, match="alone is 2"):
        Recipe(alone=2)


def test_input_and_target_are_mirrored_together(batch):
    inputs, targets = augmentation.augment(*batch, Recipe(mirror=True), np.random.default_rng(0))
    same = [np.array_equal(a, b) for a, b in zip(inputs, batch[0], strict=True)]
    assert 0 < sum(same) < len(same)
    for number, kept in enumerate(same):
        step = 1 if kept else -1
        assert np.array_equal(inputs[number], batch[0][number][:, ::step])
        assert np.array_equal(targets[number], batch[1][number][:, ::step])


@pytest.mark.parametrize(
    "change", [{"shift": 2.0}, {"turn": 10.0}, {"zoom": 0.1}, {"closer": 0.2}, {"light": 0.3}]
)
def test_input_and_target_move_together_and_stay_pictures(batch, change):
    rng = np.random.default_rng(0)
    inputs, same = augmentation.augment(batch[0], batch[0], Recipe(**change), rng)
    assert np.array_equal(inputs, same) and not np.allclose(inputs, batch[0], atol=0.01)
    assert inputs.dtype == np.float32 and inputs.shape == batch[0].shape
    assert inputs.min() >= 0 and inputs.max() <= 1


def test_a_shift_by_whole_pixels_is_exact():
    images = np.random.default_rng(0).random((1, 32, 32, 2), dtype=np.float32)
    moved = augmentation._moved(
        images, shift=np.array([[2.0, -3.0]]), turn=np.zeros(1), scale=np.ones(1)
    )
    assert moved[0, 2:, :-3] == pytest.approx(images[0, :-2, 3:], abs=1e-6)


def test_nearer_by_half_shows_the_middle():
    """At twice the size the picture is its middle half, each pixel between its neighbours."""
    ramp = np.broadcast_to(np.linspace(0, 1, 32, dtype=np.float32)[:, None, None], (1, 32, 32, 1))
    recipe = Recipe(closer=float(np.log(2)))
    near, _ = augmentation.augment(ramp, ramp, recipe, np.random.default_rng(0))
    assert near[0, :, 0, 0] == pytest.approx(0.5 + (ramp[0, :, 0, 0] - 0.5) / 2, abs=1e-5)


def test_a_quarter_turn_is_exact():
    images = np.random.default_rng(0).random((1, 32, 32, 2), dtype=np.float32)
    turned = augmentation._moved(
        images, shift=np.zeros((1, 2)), turn=np.full(1, np.pi / 2), scale=np.ones(1)
    )
    quarters = [np.rot90(images[0], k) for k in (1, 3)]
    assert any(np.allclose(turned[0], each, atol=1e-4) for each in quarters)


def test_it_begins_with_the_weights_that_it_is_given(mended, few, start):
    network = start.model()
    before = evaluation.predict(network, few.test)

    def look(run):
        now = files.read_arrays(run.path / "last.npz")
        moved = [
            np.abs(now[name] - value).max()
            for name, value in runs.get_weights(network).items()
            if "moving" not in name  # what batch normalisation has seen goes its own way
        ]
        assert 0 < max(moved) < 0.01  # a few steps of a low rate away
        assert np.abs(evaluation.predict(run.model(), few.test) - before).mean() < 0.1

    gentle = replace(mended, learning_rate=1e-5)
    run = train(gentle, few, "a", RECIPE, epochs=1, start=start, on_epoch=look)
    begin = run.settings["start"]
    assert begin["run"] == "start" and len(begin["sha256"]) == 64
    assert start.settings["start"] is None


def test_a_killed_fine_tuning_goes_on_and_from_other_weights_it_is_refused(
    mended, few, start, whole_mended
):
    whole = train(mended, few, "whole", RECIPE, start=start)

    def stop(run):
        if run.epochs == 2:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        train(mended, few, "killed", RECIPE, start=start, on_epoch=stop)
    with pytest.raises(ValueError, match="start: {'run': 'start'.*None now"):
        train(mended, few, "killed", RECIPE)
    with pytest.raises(ValueError, match="start: .*'run': 'whole'"):
        train(mended, few, "killed", RECIPE, start=whole_mended)
    killed = train(mended, few, "killed", RECIPE, start=start)
    assert equal(state(whole), state(killed))
    assert not equal(state(whole), state(whole_mended))
    shutil.copytree(whole_mended.path, runs.at("random").path)
    with pytest.raises(ValueError, match="start: None before"):
        train(mended, few, "random", RECIPE, start=start)


def test_weights_of_another_network_are_refused(mended, few, whole):
    with pytest.raises(ValueError, match="it belongs to another model"):
        train(mended, few, "a", start=whole)


def test_a_run_with_a_line_of_before_is_refused_in_one_line(tiny):
    run = runs.at("old")
    run.write_record({"config": asdict(tiny) | {"line": True}, "recipe": {"shrink": 0.2}})
    for read in (lambda: run.config, lambda: run.recipe):
        with pytest.raises(ValueError, match="a line beside its network. Delete the folder"):
            read()
    run.write_record({"config": asdict(tiny) | {"line": False}, "recipe": {"shrink": 0.0}})
    assert run.config == tiny and run.recipe == PUBLISHED


def test_variants_add_change_after_change_and_leave_out_each():
    found = ablation.variants()
    published, mended = ablation.AS_PUBLISHED.values(), ablation.MENDED.values()
    assert found["none", ablation.PUBLISHED] == ablation.AS_PUBLISHED
    assert found[ablation.ALL].values() | {"name": ""} == mended | {"name": ""}
    added = set()
    for change, fields in ablation.CHANGES.items():
        added |= set(fields)
        so_far, without = found["added", change].values(), found["without", change].values()
        for field in set(mended) - {"name"}:
            assert so_far[field] == (mended if field in added else published)[field]
            assert without[field] == (published if field in fields else mended)[field]
    named = {field for fields in ablation.CHANGES.values() for field in fields}
    assert named == {field for field in mended if mended[field] != published[field]} - {"name"}
    assert set(ablation.changes()["field"]) == named


def test_the_people_to_choose_on_and_the_last_are_apart():
    (last,) = ablation.last_test().values()
    assert last.test.people == ablation.LAST
    for split in ablation.folds().values():
        assert not {*split.train.people, *split.test.people} & set(ablation.LAST)


def test_a_trial_is_done_once_and_compared_on_the_same_people(tmp_path, few, tiny, monkeypatch):
    monkeypatch.setattr(ablation, "trial", lambda *_, **options: (0.01 + options["seed"], 0.5))
    variant = ablation.Variant(tiny, PUBLISHED)
    configs = {("none", "a"): variant, ("all", "b"): variant}
    path = tmp_path / "a.csv"
    for seed in (0, 1, 1):
        table = ablation.record(path, configs, {"x": few}, divisor=1, epochs=1, seed=seed)
    assert len(table) == 4
    some = ablation.record(path, {("all", "b"): variant}, {"y": few}, divisor=1, epochs=1, seed=0)
    assert len(some) == 5 and len(ablation.complete(some)) == 4
    summary = ablation.summary(some)
    assert summary["MSE"].tolist() == pytest.approx([0.51, 0.51])
    assert summary["seeds"].tolist() == [2, 2]


@pytest.mark.parametrize("recipe", [PUBLISHED, RECIPE])
def test_a_trial_ends_as_a_training_does(few, tiny, recipe):
    """By its last epoch, and whatever was tried before with the same network."""
    variant = ablation.Variant(tiny, recipe)
    found = [ablation.trial(variant, few, epochs=2, seed=seed) for seed in (1, 0, 1)]
    assert found[0] == found[2] != found[1]
    run = train(tiny, few, "same", recipe, epochs=2)
    assert found[1] == pytest.approx(tuple(run.history[["val_loss", "loss"]].iloc[-1]))


def test_a_trial_that_begins_from_heads_keeps_them_for_the_next(few, mended, tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "HEADS_EPOCHS", 1)
    variant = ablation.Variant(mended, RECIPE, heads=4)
    first = ablation.first_weights(mended, 4, tmp_path / "heads")
    one = ablation.trial(variant, few, first, epochs=1, seed=0)
    (run,) = [runs.Run(path) for path in (tmp_path / "heads").iterdir()]
    assert run.config == mended and run.recipe == augmentation.HEADS
    assert len(run.settings["train_people"]) == 3
    written = (run.path / "last.npz").stat().st_mtime_ns
    again = ablation.first_weights(mended, 4, tmp_path / "heads")
    assert ablation.trial(variant, few, again, epochs=1, seed=0) == one
    assert (run.path / "last.npz").stat().st_mtime_ns == written
    same = train(mended, few, "same", RECIPE, epochs=1, start=run).history.iloc[-1]
    assert one == pytest.approx((same["val_loss"], same["loss"]))
    plain = ablation.trial(variant._replace(heads=0), few, epochs=1, seed=0)
    assert plain != one


def test_the_recorded_ablation_has_every_variant_on_the_same_people():
    folder = runs.recorded("mending").path
    table = pd.read_csv(folder / "ablation.csv")
    found = table.groupby(["kind", "change"]).size()
    assert set(found.index) == set(ablation.variants()) and (found == 8).all()
    assert len(ablation.complete(table)) == len(table)
    baselines = pd.read_csv(folder / "baselines.csv")
    assert set(baselines["held out"]) == set(ablation.folds()) == set(table["held out"])
    mean = baselines[baselines["predictor"] == "mean frontal face"].set_index("held out")["MSE"]
    for name, split in ablation.folds().items():
        fronts = split.train.take(np.unique(split.train.target, return_index=True)[1]).batch()[1]
        assert mean[name] == pytest.approx(
            evaluation.mse(split.test.batch()[1], fronts.mean(0)), abs=1e-4
        )
    final = pd.read_csv(folder / "final.csv").groupby(["kind", "change"]).size()
    assert dict(final) == {("none", ablation.PUBLISHED): 3, ablation.ALL: 3}


def test_several_fronts_are_the_most_symmetric_ones(orl):
    several = pairs.several_fronts(orl, 3)
    assert several.shape == (400, 3)
    assert np.array_equal(several[:, 0], pairs.fronts(orl))
    distance = pairs.asymmetry(orl.images)
    for row in several[::10]:
        mine = np.flatnonzero(orl.person == orl.person[row[0]])
        assert row.tolist() == mine[np.argsort(distance[mine], kind="stable")[:3]].tolist()


def test_a_chosen_front_and_a_short_series_fill_the_row(orl):
    front = np.full(400, -1)
    front[:10] = 4
    chosen = pairs.several_fronts(replace(orl, front=front), 12)
    assert (chosen[:10] == 4).all()
    assert len(set(chosen[10])) == 10 and (orl.person[chosen[10]] == 1).all()


def test_names_hold_out_people(orl):
    names = [f"s{number}" for number in range(33, 41)]
    split = pairs.split_by_names(orl, names)
    assert list(split.test.people) == names and len(split.train) == 320
    with pytest.raises(ValueError, match="test names s99"):
        pairs.split_by_names(orl, ["s1", "s99"])
    for nobody in ([], orl.names):
        with pytest.raises(ValueError, match="some on each side"):
            pairs.split_by_names(orl, nobody)


def test_folds_hold_out_everybody_once(orl):
    chosen = select(orl, [f"s{number}" for number in range(1, 33)])
    splits = pairs.folds(chosen, 4)
    assert [name for split in splits for name in split.test.people] == list(chosen.names)
    for split in splits:
        assert len(split.test.people) == 8 and len(split.train.people) == 24
        assert not set(split.test.people) & set(split.train.people)
    for count in (1, 33):
        with pytest.raises(ValueError, match="expected 2 to 32"):
            pairs.folds(chosen, count)


def test_selected_people_keep_their_photos_and_fronts(orl):
    front = np.full(400, -1)
    front[20:30] = 27
    chosen = select(replace(orl, front=front), ["s3", "s40"])
    assert chosen.names == ("s3", "s40") and len(chosen) == 20
    assert np.array_equal(chosen.images[:10], orl.images[20:30])
    assert (chosen.front[:10] == 7).all() and (chosen.front[10:] == -1).all()
    with pytest.raises(ValueError, match="nobody named s0"):
        select(orl, ["s0"])


def test_joined_sets_keep_people_apart_and_fronts_in_place(orl):
    parts = [select(orl, names) for names in (["s2"], ["s7", "s1"])]
    parts[1] = replace(parts[1], name="other", front=np.array([3] * 10 + [-1] * 10))
    both = join(*parts)
    assert both.name == "orl+other" and both.names == ("s2", "s1", "s7")
    front = pairs.fronts(both)
    assert np.array_equal(front[:10], pairs.fronts(parts[0]))
    assert np.array_equal(front[10:], pairs.fronts(parts[1]) + 10)
    assert isinstance(pairs.split_by_names(both, ["s7"]), Split)
    with pytest.raises(ValueError, match="has s2"):
        join(parts[0], parts[0])
    with pytest.raises(ValueError, match="expected one size"):
        join(parts[0], select(speculo.load("orl", size=64), ["s9"]))


def test_keras_averages_with_the_decay_that_is_named(mended):
    network = model.build(mended)
    training.prepare(network, RECIPE)
    assert network.optimizer.use_ema and network.optimizer.ema_momentum == 0.9
    assert isinstance(network.optimizer, keras.optimizers.Adam)
