# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What went wrong
#
# In this notebook we find out why v8 drew the same white blob for everybody: nine suspects and the three notes of its card, an experiment each.
#
# The suspects were read in the code that published v8. Each experiment changes one thing and
# ends in a number. The verdicts stand in a table at the end, computed from these numbers.

# %% tags=["parameters"]
dataset = "orl"  # the faces, by name; chapter 01 lists the names
people = None  # how many people; None takes all
crop = None  # "auto" finds the face in each photo of a folder of snapshots
seed = (
    0  # of the split: the one that the run was trained with; and the first seed of the experiments
)
run = None  # name of the run; None names it after model and dataset
epochs = 8  # of each small training
seeds = 3  # how many trainings of each kind

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

import speculo
from speculo import diagnosis, evaluation, model, pairs, plots, runs
from speculo.model import V7, V8
from speculo.pairs import Pairs, Split
from speculo.sources import heads

faces = speculo.load(dataset, people=people, crop=crop)
whole = pairs.split(faces, seed=seed)
full = runs.open(run or runs.default_name(V8, faces.name))
full.require(whole)
network = full.model()
split = Split(diagnosis.some(whole.train, 320), diagnosis.some(whole.test, 80))
every = diagnosis.some(Pairs(faces, np.arange(len(faces)), pairs.fronts(faces)), 2000)
_, targets = split.test.batch()
mean_face = evaluation.baselines(split)["mean frontal face"]
verdicts = {}
print(f"{len(split.train)} pairs to train on, {len(split.test)} to judge on, of other people")

# %% [markdown]
# The run of chapter 03 is v8 at full width. It is too slow to train again and again, so
# the trainings below are of a narrow v8. It has fewer filters, and the 64 numbers in front of the fingerprint are
# kept. Its running averages of batch normalisation follow faster (momentum). They take no part in the
# training; with v8's own, the drawings after so few steps would tell more of the averages than of the weights. What
# needs no training is measured on the full one.

# %%
narrow = replace(model.with_changes(V8), filters=(32, 32, 32, 32, V8.filters[-1]), momentum=0.9)
several = range(seed, seed + seeds)
print(f"Filters {narrow.filters} in place of {V8.filters}")
print(f"Momentum {narrow.momentum} in place of {model.with_changes(V8).momentum}")
print(f"{seeds} seeds, {epochs} epochs each, judged as they are after the last one")

# %% [markdown]
# ## Suspect: a loss with nothing beside it
#
# The published curve ends near the two losses marked below. Is that good? We ask what predictors without a
# network score on our faces. Each may look at the very targets that it is judged on. So this is the best that
# its kind can do, and a network above its bar has learned less than that.

# %%
levels = diagnosis.levels(every)
published = max(diagnosis.PUBLISHED.values())
grey, blob = levels["best constant grey"], levels["mean front, no pixel below 0.5"]
print(f"v8 as published: {published / grey:.0%} of the error of one constant grey,")
print(f"{published / blob:.0%} of that of one picture for all, as far as v8 can draw it")
verdicts["a loss without a baseline"] = (
    published > levels["mean front"],
    f"published {published:.4f}, constant grey {grey:.4f}, mean front {levels['mean front']:.4f}",
)
plots.levels(levels, diagnosis.PUBLISHED)

# %% [markdown]
# **Figure 5.1.** Errors without any network, and v8's losses as lines. They were measured on other faces, so the
# comparison is rough. Still: a network that is worth its arithmetic should beat the mean front, and v8 stood
# above even the fronts themselves, as far as it can draw them, and near one picture for all. Its plot had no line that could show it.

# %% [markdown]
# ## Suspect: the ReLU before the sigmoid
#
# Chapter 02 showed that no output can be below 0.5. How much of the damage does this do? We train
# the narrow v8 with the last ReLU and without it: the same first weights, order and dropout.

# %%
with_relu = diagnosis.trained(narrow, *split, seeds=several, epochs=epochs)
no_relu = replace(narrow, output_relu=False)
without = diagnosis.trained(no_relu, *split, seeds=several, epochs=epochs)
drawn_by_full = evaluation.predict(network, split.test)
below, floor = evaluation.output_floor(split.test)
drawn = {"narrow": with_relu, "narrow, no last ReLU": without, "full width": drawn_by_full[None]}
pd.DataFrame(
    {
        name: {
            "MSE": diagnosis.mse(each, split.test).mean(),
            "darkest pixel": each.min(),
            "pixels at 0.5 exactly": f"{(each == diagnosis.FLOOR).mean():.0%}",
            "spread from face to face": diagnosis.spread(each),
        }
        for name, each in drawn.items()
    }
).T

# %%
plots.pixels(targets, drawn)

# %% [markdown]
# **Figure 5.2.** All pixels of the held-out targets, and of the drawings. With the ReLU everything
# left of the middle is missing, at full width as in the narrow model. And many pixels sit exactly on
# 0.5. There the ReLU has no gradient: a pixel that should be brighter is not pulled up from it.

# %%
plots.drawn(split.test, {name: each[0] for name, each in drawn.items()})

# %% [markdown]
# **Figure 5.3.** What that looks like, first seed of each. Without the ReLU, and with nothing else changed, hair, eyes and
# background are dark, and people begin to differ.

# %%
differ = [diagnosis.spread(each) for each in (with_relu, without)]
drop = diagnosis.mse(without, split.test).mean() / diagnosis.mse(with_relu, split.test).mean() - 1
print(f"{below:.0%} of the target pixels are below 0.5. A perfect v8 would still miss {floor:.4f}.")
print(
    f"Without the ReLU: error {drop:+.0%}, and a spread of {differ[1]:.3f} in place of {differ[0]:.3f}"
)
verdicts["ReLU before the sigmoid"] = (drop < 0, f"error {drop:+.0%} without it, floor {floor:.4f}")

# %% [markdown]
# ## Suspect: inputs of 0..255
#
# v8 learned from pixels in 0..1. The code that drew the published predictions left them in 0..255. We do the same to our full model.

# %%
bytes_fed = diagnosis.fed_bytes(network, split.test)
plots.drawn(split.test, {"fed 0..1": drawn_by_full, "fed 0..255": bytes_fed})

# %% [markdown]
# **Figure 5.4.** The grey blob of chapter 04 becomes white and grey alone: white where the sigmoid is full, 0.5 where
# the ReLU cut, hardly anything between, and the same for everybody. So was the published picture (`models/fingerprinter` in the
# [repository](https://github.com/isala404/speculo) of the card). Its white patches were round, and ours are a grid; that network had
# other weights. Nothing was trained or changed for this row: a division by 255 is missing.

# %%
extreme = (bytes_fed == diagnosis.FLOOR) | (bytes_fed > 0.99)
left = [diagnosis.spread(each) for each in (drawn_by_full, bytes_fed)]
print(f"Fed 0..255: {extreme.mean():.0%} of the pixels are 0.5 or white")
print(f"Spread from face to face {left[1]:.4f}, from the same faces in 0..1 {left[0]:.4f}")
verdicts["0..255 at evaluation"] = (
    left[1] < left[0],
    f"{extreme.mean():.0%} of the pixels 0.5 or white; spread {left[1]:.4f}, in 0..1 {left[0]:.4f}",
)

# %% [markdown]
# ## Suspect: 4096 numbers made of 64
#
# Chapter 02 counted the rank before training. Training cannot lift it: the fingerprint h W + b follows from the 64
# numbers h in front of it. More than that: with W' = QR, the distance of two fingerprints
# is the distance of h R', a vector of 64. It is a Mahalanobis distance of h.

# %%
codes = diagnosis.codes(network, every.batch(slice(200))[0])
values = np.linalg.svd(codes.latent - codes.latent.mean(axis=0), compute_uv=False)
rank = diagnosis.rank(values)
plots.singular_values(values[:128], rank=rank)

# %% [markdown]
# **Figure 5.5.** Singular values of real faces' fingerprints, in the trained v8 at full width. They end at the
# marked rank, at 64 or below.

# %%
in_4096 = pdist(codes.latent)
in_64 = pdist(diagnosis.compressed(network, codes.before))
worst = np.max(np.abs(in_64 - in_4096) / in_4096)
plots.distances(
    in_4096,
    {"64 numbers, h R'": in_64, "64 numbers, h as it is": pdist(codes.before)},
    xlabel=f"distance of {V8.latent_size} numbers",
)

# %% [markdown]
# **Figure 5.6.** A dot for each pair of photos. Left, 64 numbers after the map: a line, as all distances are the same. Right,
# the 64 numbers as they come: W weighs them, and that is all that the 4096 add.

# %%
print(f"Rank {rank}; correlation {np.corrcoef(in_4096, in_64)[0, 1]:.6f}, ")
print(f"largest relative difference of a distance {worst:.1e}, which is rounding")
verdicts["4096 numbers of rank 64"] = (
    rank <= 64 and worst < 1e-3,
    f"rank {rank}, distances in 64 numbers equal to {worst:.0e}",
)

# %% [markdown]
# It costs 64 times the memory, and draws no blob.
#
# ## Suspect: the front by the sum of angles
#
# The target should be the most frontal photo. v8's code took the smallest |yaw + pitch + roll|, in which opposite
# angles cancel. Chapter 01 takes the angle of the whole rotation. This needs poses. Where the faces
# have none, we take drawn heads: people who do not exist, in poses that are known exactly. Fronts that somebody
# chose, or drew, are left out, so that both rules have to search.

# %%
posed = faces if faces.has_pose else speculo.load("heads-medium", people=30, photos=21)
posed = diagnosis.without_chosen_fronts(posed)
rules = {
    "by the angle of the rotation": pairs.fronts(posed),
    "by |yaw + pitch + roll|": diagnosis.fronts_by_sum(posed),
}
angles = {name: diagnosis.angles_of_fronts(posed, front) for name, front in rules.items()}
medians = [np.median(each) for each in angles.values()]
others = np.mean(rules["by |yaw + pitch + roll|"] != rules["by the angle of the rotation"])
print(f"Median angle of a front: {medians[0]:.0f}° by rotation, {medians[1]:.0f}° by sum")
print(f"{others:.0%} of the photos get another target")
verdicts["front by |yaw + pitch + roll|"] = (
    medians[1] > medians[0],
    f"fronts {medians[1]:.0f}° off, not {medians[0]:.0f}° (medians)",
)
plots.front_angles(angles)

# %% [markdown]
# **Figure 5.7.** How far the chosen fronts are from straight ahead, by both rules, for the same photos.

# %%
plots.rival_fronts(posed, rules)

# %% [markdown]
# **Figure 5.8.** The people for whom it goes most wrong. Under each front its yaw, pitch and roll: below, they cancel.

# %% [markdown]
# ## Suspect: frames in the order of text
#
# The poses of a YouTube Faces video are a table, in the order of frame numbers. v8's code sorted the frames'
# file names as text, where 100 stands before 99, and paired both by position. We let a
# head turn slowly from one side to the other, in a video as long as that database's average.

# %%
frames = np.arange(1, 182)
yaw = np.linspace(-60, 60, len(frames))
given = diagnosis.poses_in_text_order(frames)
wrong = given != np.arange(len(frames))
off = np.abs(yaw[given] - yaw).mean()
print(
    f"{wrong.sum()} of {len(frames)} frames get the pose of another one, {off:.0f}° off on average"
)
plots.frame_order(frames, yaw, given)

# %% [markdown]
# **Figure 5.9.** What the head does, and what its frames are labelled with. The frame that is chosen for
# the target looks far to the side.

# %%
shown = np.linspace(0, len(frames) - 1, 5).round().astype(int)
plots.captioned(
    {"frame": np.stack([heads.render(1, yaw=yaw[each], size=48) for each in shown])},
    {"frame": [f"{yaw[each]:+.0f}° as {yaw[given[each]]:+.0f}°" for each in shown]},
)

# %% [markdown]
# **Figure 5.10.** The same with a drawn head: the yaw of the frame, and the yaw that it passes for.

# %%
first = np.arange(1, 1100)
shares = np.array(
    [
        (diagnosis.poses_in_text_order(frames + start - 1) != np.arange(len(frames))).mean()
        for start in first
    ]
)
kept = first[shares == 0]
print(f"First numbers up to {first[-1]} that do no harm: {len(kept)} of {len(first)}")
verdicts["frames sorted as text"] = (
    wrong.any(),
    f"{wrong.mean():.0%} of the frames wrong, {off:.0f}° off, if a video begins at frame {frames[0]}",
)
plots.wrong_by_first_frame(first, shares)

# %% [markdown]
# **Figure 5.11.** It depends on where a video's numbers begin. All is well while the numbers have
# equally many digits; a video that passes a power of ten is shuffled.

# %% [markdown]
# ## Suspect: targets by folder position
#
# For the validation, v8's code matched people with folders by their position in a listing. Sorted as text, or with one
# folder missing, that is somebody else. We take the most favourable case, a prediction without any error, and
# judge it by such targets.

# %%
names = faces.names
by_text = diagnosis.people_by_position(names, sorted(names))
without_one = [
    diagnosis.people_by_position(names, names[:gone] + names[gone + 1 :])
    for gone in range(len(names))
]
shares = [diagnosis.share_of_others(by_text)]
shares.append(np.mean([diagnosis.share_of_others(each) for each in without_one]))
errors = [diagnosis.error_of_match(faces, by_text)]
errors.append(np.mean([diagnosis.error_of_match(faces, each) for each in without_one]))
for case, share, error in zip(("sorted as text", "one missing"), shares, errors, strict=True):
    print(
        f"{case:15} {share:4.0%} of the targets are another person's; a perfect model scores {error:.4f}"
    )
plots.matched_targets(
    faces,
    diagnosis.fronts_of(faces),
    {"sorted as text": by_text, "third one missing": without_one[min(2, len(names) - 1)]},
)

# %% [markdown]
# **Figure 5.12.** The first people, and the targets that they get. With one folder missing, everybody behind it moves
# up; the number above is the mean over all the folders that can be missing.

# %%
print(f"For comparison: mean front {levels['mean front']:.4f}, constant grey {grey:.4f}")
verdicts["targets by folder position"] = (
    max(errors) > levels["mean front"],
    f"a perfect model scores {errors[0]:.4f} (text order) or {errors[1]:.4f} (one missing)",
)

# %% [markdown]
# By such targets a perfect model is no better than one that draws the same mean face for all. A validation loss like
# this says nothing.
#
# ## Suspect: the picture of the dataset
#
# The published picture of the dataset has four rows. The code put the faces of the third also into the second.

# %%
plots.printed_dataset(split)

# %%
shown, tested = pairs.examples(split.train, 10), pairs.examples(split.test, 10)
strangers = split.train.person[shown][: len(tested)] != split.test.person[tested][: len(shown)]
right = split.train.faces.person[split.train.target[shown]] != split.train.person[shown]
print(f"{strangers.sum()} of {len(strangers)} faces in the row y_train are not the person above,")
print(f"{right.sum()} of {len(right)} where the row is printed right:")
verdicts["wrong row in the dataset picture"] = (
    strangers.any(),
    f"{strangers.sum()} of {len(strangers)} are not the person above",
)
plots.dataset(split)

# %% [markdown]
# **Figure 5.13.** First as published, then as it should be. In the first one, no target looks
# like its input. Whoever saw it could have taken shuffled targets for granted, and two of the suspects above do shuffle them.

# %% [markdown]
# ## Suspect: the clock
#
# Each epoch decoded and resized every JPEG again, one by one, in a Python generator. We time an epoch
# of ours, from files like those of the database, and from memory.

# %%
times = diagnosis.reading_times(split.train)
step = 1 / full.history["images_per_second"].median()
hours = times.files * diagnosis.PUBLISHED_FRAMES * diagnosis.PUBLISHED_EPOCHS / 3600
print(f"From files {times.files / times.memory:,.0f} times as long as from memory, in this run")
print(
    f"On all of v8's {diagnosis.PUBLISHED_FRAMES:,} pairs and {diagnosis.PUBLISHED_EPOCHS} epochs: {hours:.1f} hours of reading"
)
print(f"Beside a training step of chapter 03: {times.files / step:.1%} of its time")
verdicts["every JPEG decoded in each epoch"] = (
    times.files > times.memory,
    f"{times.files / times.memory:,.0f} times as long; {times.files / step:.1%} of a step here",
)
plots.seconds({"JPEG, one by one": times.files, "memory": times.memory, "step of v8": step})

# %% [markdown]
# **Figure 5.14.** It is waste, and it draws no blob. How much it slows down depends on the
# step beside it, which is the last bar for the machine of chapter 03.

# %% [markdown]
# ## Note one: binary cross-entropy
#
# *"binary cross entropy didn't gave improvement so I reverted back to mean squared error"*. v7 is v8 with that loss. Two
# loss functions have two units, so we compare both in MSE. The seeds are the same.

# %%
by_v7 = diagnosis.trained(replace(narrow, loss=V7.loss), *split, seeds=several, epochs=epochs)
errors = {
    "v8: MSE": diagnosis.mse(with_relu, split.test),
    "v7: cross-entropy": diagnosis.mse(by_v7, split.test),
    "v8, no last ReLU": diagnosis.mse(without, split.test),
}
difference = errors["v7: cross-entropy"] - errors["v8: MSE"]
noise = max(each.std() for each in errors.values())
print(f"v7 minus v8, seed by seed: {', '.join(f'{each:+.4f}' for each in difference)}")
print(
    f"Spread over seeds {noise:.4f}; drawings differ {diagnosis.spread(by_v7):.4f} in v7, {diagnosis.spread(with_relu):.4f} in v8"
)
relu_effect = np.mean(errors["v8: MSE"] - errors["v8, no last ReLU"])
print(f"Mean difference {difference.mean():+.4f}; the last ReLU makes one of {relu_effect:.4f}")
verdicts["note: cross-entropy is no better"] = (
    np.mean(difference) > -2 * noise,
    f"v7 minus v8 {np.mean(difference):+.4f}, standard deviation over seeds {noise:.4f}",
)
plots.by_seed(errors, {"mean face": np.square(mean_face - targets).mean(), "floor": floor})

# %% [markdown]
# **Figure 5.15.** A dot for each seed, a stroke for the mean. Compare the distance of the first two rows with
# what the last ReLU does: both v7 and v8 have it. The note is about a detail.

# %% [markdown]
# ## Note two: less to predict
#
# *"lowered fingerprint size so it has less values to predict"*. What is predicted are pixels. Fewer of them, a smaller
# picture, is an easier task, is it not? We shrink the pairs. Ridge regression and the network, without its last
# ReLU, predict them.

# %%
by_size = diagnosis.errors_by_size(split)
side = faces.images.shape[1]
half = Split(*(diagnosis.smaller(each, 2) for each in split))
small = replace(no_relu, input_shape=(side // 2, side // 2, 1), filters=narrow.filters[1:])
by_small = diagnosis.trained(small, *half, seeds=several, epochs=epochs)
by_short = diagnosis.trained(replace(small, latent_size=64), *half, seeds=several, epochs=epochs)
long, short = (diagnosis.mse(each, half.test) for each in (by_small, by_short))
by_size["network"] = [errors["v8, no last ReLU"].mean(), long.mean(), np.nan, np.nan]
plots.by_size(by_size, base="mean face")

# %% [markdown]
# **Figure 5.16.** Left: errors fall with the size of the picture. Right: but so does that of the mean face,
# which knows nobody. A small picture has lost the detail that is hard for every predictor. In parts of
# the mean face the task does not get easier, and in the end harder.

# %%
parts = [errors["v8, no last ReLU"], long] / by_size["mean face"].to_numpy()[:2, None]
spreads = parts.std(axis=1)
print(
    f"{V8.latent_size} numbers in the fingerprint: {long.mean():.4f} ± {long.std():.4f} over seeds"
)
print(f"  64 numbers in the fingerprint: {short.mean():.4f} ± {short.std():.4f}")
verdicts["note: a smaller picture is easier"] = (
    parts[0].mean() - parts[1].mean() > 2 * spreads.max(),
    f"in parts of the mean face {parts[1].mean():.2f} ± {spreads[1]:.2f} at {side // 2}, "
    f"{parts[0].mean():.2f} ± {spreads[0]:.2f} at {side}",
)
verdicts["note: a shorter fingerprint is easier"] = (
    long.mean() - short.mean() > 2 * max(long.std(), short.std()),
    f"64 numbers {short.mean():.4f} ± {short.std():.4f}, {V8.latent_size} numbers {long.mean():.4f} ± {long.std():.4f}",
)
diagnosis.at_both_sizes(without, by_small, split.test)

# %% [markdown]
# A row is a network, a column the size at which it is judged, after scaling. Only errors in
# one column can be compared. The fingerprint is a layer on the way, nothing that is predicted. Both notes are called
# confirmed below only if the difference is twice the spread over seeds.
#
# ## Note three: the lowest loss
#
# *"although this model has the lowest low I don't think this is the better than model v7"*. Chapter 04
# measured how little the drawings differ. Here is why a loss cannot see it. We take real photos of the right person, other ones
# than the front, and blur them.

# %%
asked = np.flatnonzero(split.test.input != split.test.target)
photos, wanted = (each[asked] for each in split.test.batch())
sigmas = [0, 0.5, 1, 1.5, 2, 3, 4]
blurs = [diagnosis.blurred(photos, sigma) for sigma in sigmas]
errors = [float(np.square(each - wanted).mean()) for each in blurs]
sharp = [diagnosis.sharpness(each) / diagnosis.sharpness(wanted) for each in blurs]
best = int(np.argmin(errors))
mean_error = float(np.square(mean_face[asked] - wanted).mean())
mean_sharp = diagnosis.sharpness(mean_face[:1]) / diagnosis.sharpness(wanted)
plots.loss_against_sharpness(
    sigmas, errors, sharp, {"mean face, the same for all": (mean_sharp, mean_error)}
)

# %% [markdown]
# **Figure 5.17.** A photo of the right person becomes *better* by blurring, in MSE, down to the lowest point of
# the curve. To the left of the right end everything looks worse.

# %%
each_error = [np.square(each - wanted).mean(axis=(1, 2, 3)) for each in (blurs[0], blurs[best])]
each_mean = np.square(mean_face[asked] - wanted).mean(axis=(1, 2, 3))
won = np.mean(each_error[1] < each_error[0])
gap = each_error[0] - each_mean
order = np.argsort(-gap)
shown = order[np.sort(np.unique(split.test.person[asked][order], return_index=True)[1])][:8]
print(
    f"{won:.0%} of the photos are better blurred; {np.mean(gap > 0):.0%} are worse than the mean face"
)
verdicts["note: the lowest loss need not look best"] = (
    best > 0,
    f"blurred {errors[best]:.4f}, sharp {errors[0]:.4f}; {sharp[best]:.0%} of the sharpness",
)
rows = {
    "target": wanted[shown],
    "other photo": photos[shown],
    "blurred": blurs[best][shown],
    "mean face": mean_face[: len(shown)],
}
scores = dict(zip(list(rows)[1:], (*each_error, each_mean), strict=True))
plots.captioned(
    {name: pairs.as_image(row) for name, row in rows.items()},
    {name: [f"{score:.4f}" for score in each[shown]] for name, each in scores.items()},
)

# %% [markdown]
# **Figure 5.18.** Pictures with their MSE: of each person, the photo in which it is most at odds with the eye. The second row is the person. The last
# one is nobody, and by MSE the nearer of the two. A loss that averages over all that may be right asks for the blur.

# %% [markdown]
# ## Verdicts

# %%
table = pd.DataFrame(
    [
        (name, "confirmed" if held else "not here", number)
        for name, (held, number) in verdicts.items()
    ],
    columns=["suspect or note", "verdict", "number"],
).set_index("suspect or note")
table.style

# %% [markdown]
# ## What we learned
#
# The published blobs have two causes. The ReLU before the sigmoid takes away all that is dark and the
# gradient with it; feeding 0..255 drives all that is left to white. Targets chosen or matched wrongly may have given the training
# fewer reasons to tell people apart; they left the validation none. Even without the ReLU this small training stays
# above the mean face: what else is missing, the next chapter asks. The length of the fingerprint and the reading of files only cost memory and time.
# And one thing let all of this pass: a loss with no baseline beside it.
#
# Next: [Mending v8](07_mending_v8.ipynb).

# %% tags=["metrics"]
{
    "rank": rank,
    "darkest": round(float(with_relu.min()), 4),
    "distance_error": float(worst),
    "bytes_spread": round(left[1], 4),
    "wrong_frames": round(float(wrong.mean()), 4),
    "strangers": int(strangers.sum()),
    "verdicts": len(verdicts),
}
