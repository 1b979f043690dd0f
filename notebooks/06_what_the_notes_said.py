# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 What the notes said
#
# In this notebook we test the three notes that end the card of v8, an experiment each.
#
# The last chapter asked what went wrong. The card has its own ideas: that another loss is no
# better, that fewer numbers are easier to predict, and that the lowest loss need not look best. The
# verdicts stand in a table at the end.
#
# The run is the one of chapter 03: take the seed that it was trained with.

# %% tags=["parameters"]
dataset = "orl"  # the faces, by name; chapter 01 lists the names
people = None  # how many people; None takes all
crop = None  # "auto" finds the face in each photo of a folder of snapshots
seed = 0  # of all that is random: the split, the first weights, the order, the dropout
run = None  # name of a folder in runs/; None takes the chapter's own
epochs = 8  # passes over the train pairs, in all
seeds = 3  # how many trainings of each kind

# %%
import speculo

speculo.chapter.begin()

from dataclasses import replace

import numpy as np

from speculo import diagnosis, evaluation, notes, pairs, plots, runs
from speculo.diagnosis import NARROW, Verdict
from speculo.model import V7, V8
from speculo.pairs import Split

faces = speculo.load(dataset, people=people, crop=crop)
whole = pairs.split(faces, seed=seed)
full = runs.open(run or runs.default_name(V8, faces.name, people=people, crop=crop, seed=seed))
full.require(whole)
split = Split(diagnosis.some(whole.train, 320), diagnosis.some(whole.test, 80))
several = range(seed, seed + seeds)
verdicts = []
print(f"{len(split.train)} pairs to train on, {len(split.test)} to judge on, of other people")
print(f"{seeds} seeds, {epochs} epochs each, judged as they are after the last one")

# %% [markdown]
# The trainings are of the narrow v8 of chapter 05, several seeds each. As there, a difference
# counts only if it is more than twice the spread over seeds.
#
# ## Note one: binary cross-entropy
#
# *"binary cross entropy didn't gave improvement so I reverted back to mean squared error"*. v7 is
# v8 with that loss. Two loss functions have two units, so we compare both in MSE. The seeds are the
# same.

# %%
no_relu = replace(NARROW, output_relu=False)
kinds = {
    "v8: MSE": NARROW,
    "v7: cross-entropy": replace(NARROW, loss=V7.loss),
    "v8, no last ReLU": no_relu,
}
drawn = {
    kind: diagnosis.trained(config, split, seeds=several, epochs=epochs)
    for kind, config in kinds.items()
}
errors = {
    kind: evaluation.squared_error(each, split.test).mean(axis=-1) for kind, each in drawn.items()
}

# %%
v8, v7, dark = errors.values()
noise = diagnosis.spread_over_seeds(v8, v7)
print(f"v7 minus v8, seed by seed: {', '.join(f'{each:+.4f}' for each in v7 - v8)}")
print(f"Mean {np.mean(v7 - v8):+.4f}, spread over seeds {noise:.4f}")
print(f"The last ReLU makes a difference of {np.mean(v8 - dark):.4f}")
for kind, each in drawn.items():
    print(f"Spread from face to face {diagnosis.spread(each):.4f}  {kind}")
better = diagnosis.beyond_seeds(np.mean(v8 - v7), noise)
number = f"v7 minus v8 {np.mean(v7 - v8):+.4f}, spread over seeds {noise:.4f}"
verdicts.append(Verdict("cross-entropy is no better", not better, number))
mean_face = evaluation.baselines(split)["mean frontal face"]
_, floor = evaluation.output_floor(split.test)
marks = {"mean face": evaluation.squared_error(mean_face, split.test).mean(), "floor": floor}
plots.by_seed(errors, marks)

# %% [markdown]
# **Figure 6.1.** The errors of three kinds of network: a dot for each seed, and a stroke for their
# mean. The lines are the error of the mean face, and the floor of chapter 04. The first two rows
# differ by the loss, and the third one has no last ReLU. Compare the two differences: which of them
# is a detail?

# %% [markdown]
# ## Note two: less to predict
#
# *"lowered fingerprint size so it has less values to predict"*. But the fingerprint is not
# predicted. The pixels are. So we ask two questions. Is a smaller picture easier to predict? We
# shrink the pairs, and let ridge regression and the network without its last ReLU predict them. And
# is anything easier with a shorter fingerprint? On the shrunk pairs we also train the network with
# 64 numbers in place of 4096.

# %%
half = notes.smaller(split, 2)
side = faces.images.shape[1]
small = replace(no_relu, input_shape=(side // 2, side // 2, 1), filters=NARROW.filters[1:])
by_long, by_short = (
    diagnosis.trained(config, half, seeds=several, epochs=epochs)
    for config in (small, replace(small, latent_size=64))
)
long, short = (evaluation.squared_error(e, half.test).mean(axis=-1) for e in (by_long, by_short))
by_size = notes.errors_by_size(split)
by_size["network"] = [dark.mean(), long.mean(), np.nan, np.nan]
plots.by_size(by_size, base="mean face")

# %% [markdown]
# **Figure 6.2.** Left, the errors by the size of the picture. Right, the same divided by the error
# of the mean face, which knows nobody. A small picture has lost the detail that is hard for every
# predictor, for the mean face too. In the left plot, with the default parameters, all errors fall
# as the picture gets smaller. In the right plot hardly anything changes from 32 to 16 pixels. At 8
# and 4 pixels ridge regression gets worse.

# %%
means = by_size["mean face"]
large_parts, small_parts = dark / means[side], long / means[side // 2]
noise = diagnosis.spread_over_seeds(large_parts, small_parts)
easier = diagnosis.beyond_seeds(large_parts.mean() - small_parts.mean(), noise)
number = (
    f"in parts of the mean face {small_parts.mean():.2f} at {side // 2}, "
    f"{large_parts.mean():.2f} at {side}, spread over seeds {noise:.2f}"
)
verdicts.append(Verdict("a smaller picture is easier", easier, number))
noise = diagnosis.spread_over_seeds(long, short)
easier = diagnosis.beyond_seeds(long.mean() - short.mean(), noise)
number = (
    f"64 numbers {short.mean():.4f}, {small.latent_size} numbers {long.mean():.4f}, "
    f"spread over seeds {noise:.4f}"
)
verdicts.append(Verdict("a shorter fingerprint is easier", easier, number))
print(f"Fingerprint: {number}")
notes.at_both_sizes(drawn["v8, no last ReLU"], by_long, split)

# %% [markdown]
# A row is a network. A column is the size at which its drawings are judged, after they were scaled
# to that size. Only errors in the same column can be compared. With the default parameters the two
# networks differ in each column by less than the spread over seeds. So this table does not show
# that a smaller picture is easier to draw.
#
# ## Note three: the lowest loss
#
# *"although this model has the lowest low I don't think this is the better than model v7"*. Chapter
# 04 measured how much the drawings differ. Here is why a loss cannot see it. We take real photos of
# the right person, other ones than the front, and blur them.

# %%
asked = split.test.turned
photos, targets = asked.batch()
nobody = np.repeat(mean_face[:1], len(asked), axis=0)
by_v8 = evaluation.predict(full.model(), asked)
marks = {
    name: (notes.sharpness(each) / notes.sharpness(targets), evaluation.mse(each, targets))
    for name, each in {"mean face, the same for all": nobody, "v8 of chapter 03": by_v8}.items()
}
curve = notes.errors_by_blur(asked, [0, 0.5, 1, 1.5, 2, 3, 4])
best = curve["MSE"].idxmin()
number = (
    f"blurred {curve['MSE'][best]:.4f}, sharp {curve['MSE'][0]:.4f}; "
    f"{curve['sharpness'][best]:.0%} of the sharpness"
)
verdicts.append(Verdict("the lowest loss need not look best", best > 0, number))
plots.loss_against_sharpness(curve.index, curve["MSE"], curve["sharpness"], marks)

# %% [markdown]
# **Figure 6.3.** The MSE of photos that were blurred more and more, from the right end of the curve
# to the left. *Sharpness* is the root mean square difference of neighbouring pixels, divided by
# that of the targets. Where the curve falls, blurring makes a photo of the right person *better* in
# MSE. To the eye it becomes worse all the way. The diamonds are one mean face for all, and what v8
# draws.

# %%
rows = {"other photo": photos, "blurred": notes.blurred(photos, best), "mean face": nobody}
scores = {name: evaluation.squared_error(row, asked) for name, row in rows.items()}
gap = scores["other photo"] - scores["mean face"]
print(f"{np.mean(scores['blurred'] < scores['other photo']):.0%} of the photos are better blurred;")
print(f"{np.mean(gap > 0):.0%} are worse than the mean face")
shown = notes.largest_of_each(gap, asked.person)[:8]
plots.captioned(
    {name: pairs.as_image(row[shown]) for name, row in ({"target": targets} | rows).items()},
    {name: [f"{score:.4f}" for score in each[shown]] for name, each in scores.items()},
)

# %% [markdown]
# **Figure 6.4.** For each person, the target and three pictures with their MSE. We chose the photos for
# which the MSE contradicts the eye the most. The second row shows the right person, and the last row
# shows nobody: which of them has the smaller MSE? Where several drawings could be right, the MSE is
# lowest for their average, and an average is blurred.

# %% [markdown]
# ## Verdicts
#
# Which of the three notes hold?

# %%
speculo.chapter.table(diagnosis.verdict_table(verdicts))

# %% [markdown]
# ## What we learned
#
# With the default parameters: we found no improvement by cross-entropy either. The first note is
# about a detail, as v7 and v8 share the ReLU that does the damage. We found nothing that supports
# the second note. With a smaller picture the network has a smaller error, but so has the mean face,
# which knows nobody. And the fingerprint is not predicted at all. The third is right about the
# loss: on average a blurred photo has a lower MSE than the sharp one that it was made from. Our
# measure does not show that v7 draws better faces. With the default parameters its drawings differ
# from face to face no more than those of v8 do. For other faces, the table of verdicts says what
# holds.
#
# With the default parameters, even without the ReLU these small trainings have a larger error than
# the mean face. The next chapter asks what else is missing.
#
# ## Exercises
#
# **6.1.** A pixel is white (1) in seven of ten photos, and black (0) in three. A network has to
# draw one value for all. Which one has the smallest squared error, which the smallest
# cross-entropy, and which the smallest absolute error? What does that say of note one?
#
# **6.2.** Take the drawings of ridge regression from `evaluation.baselines(split)`, and push them
# away from the mean face, or towards it: mean + factor times (drawing - mean), with factors 0, 0.5,
# 1 and 1.5. Which factor has the most different faces, and which the smallest MSE? How much does
# the MSE tell them apart?
#
# Solutions: [11 Solutions](11_solutions.ipynb).
#
# Next: [07 Mending v8](07_mending_v8.ipynb).

# %% tags=["metrics"]
{
    "v8": round(float(v8.mean()), 5),
    "v7": round(float(v7.mean()), 5),
    "no_relu": round(float(dark.mean()), 5),
    "best_blur": float(best),
    "held": [each.suspect for each in verdicts if each.held],
}
