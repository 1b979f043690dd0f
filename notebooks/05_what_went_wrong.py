# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 What went wrong
#
# In this notebook we find out why v8 drew the same grey blob for everybody: nine suspects, an
# experiment each.
#
# We read the code that v8 was published with, and noted what looked wrong: these are the suspects.
# Each experiment changes one thing and ends in a number. A table at the end has the verdicts. Which
# suspects are confirmed is computed from these numbers. What a confirmed suspect had to do with the
# blobs is our judgement, and its section gives the reason.
#
# The run is the one of chapter 03, with the weights of its best epoch. Set `seed` to the seed that
# it was trained with.

# %% tags=["parameters"]
dataset = "orl"  # the faces, by name; chapter 01 lists the names
people = None  # how many people; None takes all
crop = None  # "auto" finds the face in each photo of a folder of snapshots
seed = 0  # of all that is random: the split, the first weights, the order, the dropout
run = None  # name of a folder in runs/; None takes the chapter's own
epochs = 8  # passes over the train pairs, in all
seeds = 2  # how many trainings of each kind

# %%
import speculo

speculo.chapter.begin()

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from speculo import diagnosis, evaluation, model, pairs, plots, runs
from speculo.diagnosis import NARROW, NO, PICTURE, WORSE, YES, Verdict
from speculo.model import V8
from speculo.pairs import Pairs, Split
from speculo.sources import heads

faces = speculo.load(dataset, people=people, crop=crop)
whole = pairs.split(faces, seed=seed)
full = runs.open(run or runs.default_name(V8, faces.name, people=people, crop=crop, seed=seed))
full.require(whole)
network = full.model()
split = Split(diagnosis.some(whole.train, 320), diagnosis.some(whole.test, 80))
every = diagnosis.some(Pairs(faces, np.arange(len(faces)), pairs.fronts(faces)), 2000)
verdicts = []
print(f"{len(split.train)} pairs to train on, {len(split.test)} to judge on, of other people")

# %% [markdown]
# ## Suspect: a loss with nothing beside it
#
# The published curve ends near the two losses marked below. Is that good? We compute the errors of
# predictors without a network on our faces. The *best constant grey* is one grey for all pixels of
# all people, and the *mean front* is one picture for all people. *No pixel below 0.5* means that
# every darker pixel is raised to 0.5, as v8's last ReLU would do. So *every target, no pixel below
# 0.5* is the best that v8 could ever draw. It is the floor of chapter 04, but over all people and
# not only those held out. These four are made from the same targets that they are judged on, so
# nothing of their kind can do better. The fifth bar, *the person's other photo*, is the error of a
# person's other photos against the front. A network with a larger error than the mean front is
# worse than one picture for everybody.

# %%
levels = diagnosis.levels(every)
published = max(diagnosis.PUBLISHED.values())
grey, mean_front = levels["best constant grey"], levels["mean front"]
print(f"v8 as published: {published / grey:.0%} of the error of one constant grey,")
blob = levels["mean front, no pixel below 0.5"]
print(f"{published / blob:.0%} of that of one picture for all, as far as v8 can draw it")
number = f"published {published:.4f}, constant grey {grey:.4f}, mean front {mean_front:.4f}"
verdicts.append(Verdict("a loss without a baseline", published > mean_front, number, NO))
plots.levels(levels, diagnosis.PUBLISHED)

# %% [markdown]
# **Figure 5.1.** Errors without any network as bars, and v8's losses as lines. These losses were
# read off the curve that was published with v8, on other faces, so the comparison is rough. Still,
# a network that is worth its arithmetic should beat the *mean front*. With the default parameters
# v8's losses are larger than the error of *every target, no pixel below 0.5*. They are only a
# little smaller than the error of *mean front, no pixel below 0.5*, which is one picture for
# everybody. The published plot had no line that could show it.

# %% [markdown]
# ## Suspect: the ReLU before the sigmoid
#
# Chapter 02 showed that no output can be below 0.5. How much of the damage does this do? The run of
# chapter 03 is v8 at full width, which is too slow to train again and again. So we train a narrow
# v8. It has fewer filters, and the 64 numbers in front of the fingerprint are kept. Batch
# normalisation draws with running averages, which take no part in the training. With v8's momentum
# they would still be far from their final values after so few steps, so ours follow faster.
#
# We train it with the last ReLU and without: from the same first weights, in the same order, with
# the same dropout.

# %%
print(f"Filters {NARROW.filters} in place of {V8.filters}")
print(f"Momentum {NARROW.momentum} in place of {V8.momentum}")
print(f"{seeds} seeds, {epochs} epochs each, judged as they are after the last one")

# %%
with_relu, without = (
    diagnosis.trained(config, split, seeds=range(seed, seed + seeds), epochs=epochs)
    for config in (NARROW, replace(NARROW, output_relu=False))
)
by_full = evaluation.predict(network, split.test)
drawn = {"narrow": with_relu, "narrow, no last ReLU": without, "full width": by_full[np.newaxis]}
described = diagnosis.drawing_table(drawn, split.test)
speculo.chapter.table(described, "{:.4f}").format("{:.0%}", subset="pixels at 0.5 exactly")

# %%
plots.pixels(split.test.batch()[1], drawn)

# %% [markdown]
# **Figure 5.2.** All pixels of the held-out targets, and of the drawings. With the ReLU everything
# left of the middle is missing, at full width as in the narrow model. And the table says how many
# pixels sit exactly on 0.5. There the ReLU has no gradient: a pixel that should be brighter is not
# pulled up from it.

# %%
plots.drawings(split.test, {name: each[0] for name, each in drawn.items()})

# %% [markdown]
# **Figure 5.3.** Held-out photos, what the networks draw of them (the narrow ones with the first
# seed), and the targets. The two narrow networks differ only in the last ReLU. With the default
# parameters, hair, eyes and background are dark without it, and the drawings begin to differ from
# person to person. The network at full width is the run of chapter 03 at its best epoch, after more
# epochs with larger batches: it cannot be compared with the narrow ones.

# %%
errors, fewer = (
    evaluation.squared_error(each, split.test).mean(axis=-1) for each in (with_relu, without)
)
gain, noise = errors.mean() - fewer.mean(), diagnosis.spread_over_seeds(errors, fewer)
below, floor = evaluation.output_floor(split.test)
print(f"{below:.0%} of the target pixels are below 0.5. A perfect v8 would still miss {floor:.4f}.")
print(f"Without the ReLU the error changes by {-gain:+.4f}; spread over seeds {noise:.4f}")
number = f"error {-gain / errors.mean():+.0%} without it, floor {floor:.4f}"
verdicts.append(
    Verdict("ReLU before the sigmoid", diagnosis.beyond_seeds(gain, noise), number, YES)
)

# %% [markdown]
# A difference between two kinds of training counts only if it is more than twice the *spread over
# seeds*. For each of the two kinds we take the standard deviation of the error over its seeds. The
# spread over seeds is the larger of the two.
#
# ## Suspect: inputs of 0..255
#
# v8 learned from pixels in 0..1. The code that drew the published predictions left them in 0..255.
# We do the same to our full model.

# %%
bytes_fed = model.forward(network, 255 * split.test.batch()[0])
plots.drawings(split.test, {"fed 0..1": by_full, "fed 0..255": bytes_fed})

# %% [markdown]
# **Figure 5.4.** What the same full model draws of the same photos: in the second row from pixels
# in 0..1, in the third from pixels in 0..255. White is where the sigmoid is nearly 1, and grey is
# 0.5, where the ReLU gave zero. The next cell counts the pixels that are one or the other. With the
# default parameters the grey blob of chapter 04 becomes a pattern of white and grey alone, nearly
# the same for everybody. The published picture was such a pattern (`models/fingerprinter` in the
# [repository](https://github.com/isala404/speculo) of the card). Its white patches were round, and
# ours are a grid; that network had other weights. Nothing was trained or changed for this row: a
# division by 255 is missing.

# %%
extreme = ((bytes_fed == diagnosis.FLOOR) | (bytes_fed > 0.99)).mean()
before, after = (evaluation.squared_error(e, split.test).mean() for e in (by_full, bytes_fed))
alike = diagnosis.spread(bytes_fed)
print(f"Fed 0..255: {extreme:.0%} of the pixels are 0.5 or white")
print(f"Spread from face to face {alike:.4f}, in 0..1 {diagnosis.spread(by_full):.4f}")
number = f"error {after:.4f}, in 0..1 {before:.4f}; {extreme:.0%} of the pixels 0.5 or white"
verdicts.append(Verdict("0..255 at evaluation", after > before, number, PICTURE))

# %% [markdown]
# ## Suspect: 4096 numbers made of 64
#
# Chapter 02 counted the rank before training. No training can raise it above 64. A fingerprint is
# $hW + b$, where $h$ are the 64 numbers in front of it and $W$ is a matrix with 64 rows, so there
# are never more than 64 directions. There are fewer where some of the 64 numbers are the same for
# all faces.
#
# Even the distances need no more than 64 numbers. The transpose of $W$ can be written as $QR$, where
# $Q$ changes no distance and $R$ is a matrix of 64 by 64. So for any two photos
#
# $$\| h_1 W - h_2 W \| = \| h_1 R^{\top} - h_2 R^{\top} \|,$$
#
# and it is enough to keep the 64 numbers $h R^{\top}$ for each photo.

# %%
codes = diagnosis.codes(network, every.batch(slice(200))[0])
values = np.linalg.svd(codes.latent - codes.latent.mean(axis=0), compute_uv=False)
rank = diagnosis.rank(values)
plots.singular_values(values[:128], rank=rank)

# %% [markdown]
# **Figure 5.5.** Singular values of the fingerprints of real faces, in the trained v8 at full width:
# how much they differ in each of their main directions. Behind the marked rank, 64 or less, there is
# nothing but rounding.

# %%
in_4096 = pdist(codes.latent)
in_64 = pdist(diagnosis.compressed(network, codes.before))
others = {"64 numbers, h Rᵀ": in_64, "64 numbers, h as it is": pdist(codes.before)}
plots.distances(in_4096, others, xlabel=f"distance of {codes.latent.shape[1]} numbers")

# %% [markdown]
# **Figure 5.6.** A dot for each pair of photos: across, the distance of their 4096 numbers, and
# upwards, that of 64. Left, the 64 numbers h Rᵀ: all dots lie on one straight line, as both
# distances are equal. Right, the 64 numbers h as they are. The two distances differ, since W
# gives more weight to some of the 64 numbers than to others. That weight is all that the 4096
# numbers add.

# %%
worst = np.max(np.abs(in_64 - in_4096) / in_4096)
print(f"Rank {rank}; correlation of the distances {np.corrcoef(in_4096, in_64)[0, 1]:.6f}")
print(f"Largest relative difference of a distance {worst:.1e}, which is rounding")
number = f"rank {rank}, distances in 64 numbers equal to {worst:.0e}"
verdicts.append(Verdict("4096 numbers of rank 64", rank <= 64 and worst < 1e-3, number, NO))

# %% [markdown]
# So v8 stores 64 times as many numbers as it needs. A fingerprint of 4096 numbers wastes memory,
# and has nothing to do with the blobs. That only 64 numbers get through is another question:
# chapter 07 measures what it costs.
#
# ## Suspect: the front by the sum of angles
#
# The target should be the most frontal photo. v8's code took the smallest |yaw + pitch + roll|, in
# which opposite angles cancel. Chapter 01 takes the angle of the whole rotation. This needs poses.
# Where the faces have none, we take drawn heads: people who do not exist, in poses that are known
# exactly. Fronts that somebody chose, or drew, are left out, so that both rules have to search.

# %%
posed = faces if faces.has_pose else speculo.load("heads-medium", people=30, photos=21)
posed = diagnosis.without_chosen_fronts(posed)
by_angle, by_sum = pairs.fronts(posed), diagnosis.fronts_by_sum(posed)
rules = {"by the angle of the rotation": by_angle, "by |yaw + pitch + roll|": by_sum}
angles = {name: diagnosis.angles_of_fronts(posed, front) for name, front in rules.items()}
right, wrong = (np.median(each) for each in angles.values())
print(f"Median angle of a front: {right:.0f}° by rotation, {wrong:.0f}° by sum")
print(f"{np.mean(by_sum != by_angle):.0%} of the photos get another target")
number = f"fronts {wrong:.0f}° off, not {right:.0f}° (medians)"
verdicts.append(Verdict("front by |yaw + pitch + roll|", wrong > right, number, WORSE))
plots.front_angles(angles)

# %% [markdown]
# **Figure 5.7.** How far the chosen fronts are from straight ahead, by both rules, for the same
# photos. A *series* is the photos among which one front is chosen.

# %%
plots.rival_fronts(posed, rules)

# %% [markdown]
# **Figure 5.8.** The people for whom the two rules differ most. The numbers under each front are
# its yaw, pitch and roll. In the lower row they nearly cancel.

# %% [markdown]
# ## Suspect: frames in the order of text
#
# The poses of a YouTube Faces video are a table, with a row for each frame, in the order of the
# frame numbers. v8's code sorted the file names of the frames as text, where 100 stands before 99.
# Then it gave the first row to the first file, and so on. We let a head turn slowly from one side
# to the other, in a video as long as that database's average.

# %%
frames = np.arange(1, 182)
yaw = np.linspace(-60, 60, len(frames))
given = diagnosis.poses_in_text_order(frames)
shuffled = diagnosis.share_of_others(given)
off = np.abs(yaw[given] - yaw).mean()
print(f"{shuffled:.0%} of the frames get the pose of another one, {off:.0f}° off on average")
plots.frame_order(frames, yaw, given)

# %% [markdown]
# **Figure 5.9.** The true yaw of the head in each frame, and the yaw that the frame is labelled
# with. The frame that is marked is chosen as the front, by its label, and the head in it looks far
# to the side.

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
orders = (diagnosis.poses_in_text_order(frames - frames[0] + start) for start in first)
shares = np.array([diagnosis.share_of_others(order) for order in orders])
print(f"First numbers up to {first[-1]} that do no harm: {(shares == 0).sum()} of {len(first)}")
number = (
    f"{shuffled:.0%} of the frames wrong, {off:.0f}° off, if a video begins at frame {frames[0]}"
)
verdicts.append(Verdict("frames sorted as text", shuffled > 0, number, WORSE))
plots.wrong_by_first_frame(first, shares)

# %% [markdown]
# **Figure 5.11.** The share of frames with a wrong pose, by the number of a video's first frame.
# Where v8's videos began we do not know. All is well while the numbers have equally many digits; a
# video that passes a power of ten is shuffled.

# %% [markdown]
# ## Suspect: targets by folder position
#
# For the validation, v8's code matched people with folders by their position in a list. If the list
# is sorted as text, or if one folder is missing, a person gets the folder of somebody else. We take
# the most favourable case, a prediction without any error, and judge it by such targets.

# %%
names, fronts = faces.names, diagnosis.fronts_of(faces)
by_text = diagnosis.people_by_position(names, sorted(names))
missing = [names[:gone] + names[gone + 1 :] for gone in range(len(names))]
by_missing = [diagnosis.people_by_position(names, listing) for listing in missing]
matched = {
    case: {
        "another person's target": np.mean([diagnosis.share_of_others(each) for each in matches]),
        "MSE": np.mean([diagnosis.error_of_match(faces.images[fronts], each) for each in matches]),
    }
    for case, matches in {"sorted as text": [by_text], "one missing": by_missing}.items()
}
matched = pd.DataFrame(matched).T
speculo.chapter.table(matched, {"another person's target": "{:.0%}", "MSE": "{:.4f}"})

# %%
gone = min(2, len(names) - 1)
shown = {"sorted as text": by_text, f"without {names[gone]}": by_missing[gone]}
plots.matched_targets(faces, fronts, shown)

# %% [markdown]
# **Figure 5.12.** The first people, and the targets that they get. With one folder missing,
# everybody behind it moves up. The table above has the MSE of a perfect model; with one missing it
# is the mean over all the folders that can be missing.

# %%
print(f"For comparison: mean front {mean_front:.4f}, constant grey {grey:.4f}")
by_case = " or ".join(f"{error:.4f} ({case})" for case, error in matched["MSE"].items())
held = matched["MSE"].max() > mean_front
verdicts.append(
    Verdict("targets by folder position", held, f"a perfect model scores {by_case}", WORSE)
)

# %% [markdown]
# Compare these errors with that of the mean front. Where a perfect model has the larger one, the
# validation loss is worth nothing: it would prefer a model that draws the same face for all. The
# network does not learn from these targets. They can make the drawings worse only if the epoch or
# the model is chosen by this loss.
#
# ## Suspect: the picture of the dataset
#
# The published picture of the dataset has four rows. The code put the faces of the third also into
# the second.

# %%
plots.printed_dataset(split)

# %%
shown, tested = pairs.examples(split.train, 10), pairs.examples(split.test, 10)
strangers = split.train.person[shown][: len(tested)] != split.test.person[tested][: len(shown)]
right = faces.person[split.train.target[shown]] != split.train.person[shown]
print(f"{strangers.sum()} of {len(strangers)} faces in the row y_train are not the person above,")
print(f"{right.sum()} of {len(right)} where the row is printed right:")
number = f"{strangers.sum()} of {len(strangers)} are not the person above"
verdicts.append(Verdict("wrong row in the dataset picture", strangers.any(), number, NO))
plots.dataset(split)

# %% [markdown]
# **Figure 5.13.** Inputs and targets to train on, then inputs and targets to test on: in the upper
# picture with the rows as published, in the lower one as they should be. In the upper picture the
# second row repeats the third, so no target to train on shows the person above it. Two of the
# suspects above do shuffle targets, and whoever was used to this picture would not have noticed.

# %% [markdown]
# ## Suspect: the clock
#
# Each epoch decoded and resized every JPEG again, one by one, in a Python generator. We time an
# epoch of ours, from files like those of the database, and from memory.

# %%
times = diagnosis.reading_times(split.train)
step = 1 / full.history["images_per_second"].median()
hours = times.files * diagnosis.PUBLISHED_FRAMES * diagnosis.PUBLISHED_EPOCHS / 3600
slower, share = times.files / times.memory, times.files / step
print(f"From files {slower:,.0f} times as long as from memory, in this run")
print(
    f"v8's {diagnosis.PUBLISHED_FRAMES:,} pairs, {diagnosis.PUBLISHED_EPOCHS} epochs: {hours:.1f} hours"
)
print(f"Beside a training step of chapter 03: {share:.1%} of its time")
number = f"{slower:,.0f} times as long; {share:.1%} of a step here"
verdicts.append(Verdict("every JPEG decoded in each epoch", slower > 1, number, NO))
plots.seconds({"JPEG, one by one": times.files, "memory": times.memory, "step of v8": step})

# %% [markdown]
# **Figure 5.14.** The time for one image: decoded from a file, read from memory, and trained on in
# chapter 03. Decoding in each epoch is waste, and has nothing to do with the blobs. How much it
# slows a training depends on the last bar.

# %% [markdown]
# ## Verdicts
#
# What did each suspect have to do with the grey blobs, or with the published picture?

# %%
speculo.chapter.table(diagnosis.verdict_table(verdicts))

# %% [markdown]
# ## What we learned
#
# With the default parameters, one fault explains much of the grey blobs of chapter 04: the ReLU
# before the sigmoid takes away all that is dark, and the gradient with it. In the narrow v8, the
# drawings without it differ more from face to face, but still less than the people do. A second one
# explains the published picture: pixels in 0..255 drive everything to white or to 0.5. Wrong
# targets may have made the drawings worse; no training here tests this. With targets by folder
# position even a perfect model scores about as badly as one mean face for all, or worse. Such a
# validation loss does not show which of the two is better. How many of v8's own targets were wrong,
# nobody can tell without its files. The length of the fingerprint and the reading of files only
# cost memory and time. And one thing let all of this pass: a loss with no baseline beside it. For
# other faces, the table of verdicts says what holds.
#
# ## Exercises
#
# **5.1.** Train a single number x, whose output is sigmoid(relu(x)), to draw one pixel. Follow the
# squared error down its gradient from x = 0.5 and from x = -0.5, once to 0.7 and once to 0.3.
# Predict all four outputs first.
#
# **5.2.** A difference counts here if it is more than twice the spread over seeds. Draw the errors
# of two kinds of training from the same normal distribution, so that they differ by chance alone.
# How often does a difference count with 2, 3, 5 and 10 seeds? `diagnosis.spread_over_seeds` and
# `diagnosis.beyond_seeds` are the rule.
#
# Solutions: [11 Solutions](11_solutions.ipynb).
#
# Next: [06 What the notes said](06_what_the_notes_said.ipynb).

# %% tags=["metrics"]
{
    "rank": rank,
    "darkest": round(float(with_relu.min()), 4),
    "distance_error": float(worst),
    "bytes_spread": round(alike, 4),
    "wrong_frames": round(shuffled, 4),
    "strangers": int(strangers.sum()),
    "held": [each.suspect for each in verdicts if each.held],
}
