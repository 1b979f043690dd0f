# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 The faces
#
# In this notebook we meet the people in the photographs, choose the front of each, and keep some
# people apart for the test. Then we draw a second dataset: people who do not exist, in every pose.
#
# Unless you choose others, the photographs are the **ORL Database of Faces**, taken between 1992
# and 1994 at the Olivetti Research Laboratory in Cambridge. Its owners let anyone use it and ask
# for credit: AT&T Laboratories Cambridge; F. Samaria and A. Harter, *Parameterisation of a
# Stochastic Model for Human Face Identification*, 1994. They come inside an installed package, so
# nothing else is downloaded. `data/README.md` has the datasheet.

# %% tags=["parameters"]
dataset = "orl"  # the faces, by name; chapter 01 lists the names
people = None  # how many people; None takes all
crop = None  # "auto" finds the face in each photo of a folder of snapshots
seed = 0  # of all that is random: the split, the first weights, the order, the dropout
run = None  # name of a folder in runs/; None takes the chapter's own

# %%
import speculo

speculo.chapter.begin()

from dataclasses import replace

import numpy as np
import pandas as pd

from speculo import benchmark, files, pairs, plots, runs, sources
from speculo.model import V8

faces = speculo.load(dataset, people=people, crop=crop)
trained = runs.at(run or runs.default_name(V8, faces.name, people=people, crop=crop, seed=seed))
faces

# %% [markdown]
# `dataset` can name any of these. PATH is a folder of yours.

# %%
speculo.chapter.table(
    pd.Series(sources.KNOWN, name="what it is").to_frame()
)  # styled: texts are not cut off

# %% [markdown]
# ## Who, how many, how bright
#
# An image is 32 by 32 bytes, one for each pixel. A photo that is not cropped is shrunk to this
# square, whatever its shape. The photos of ORL have 92 by 112 pixels, so the faces look a little
# wide.

# %%
counts = np.bincount(faces.person)
pd.Series(
    {
        "people": len(faces.names),
        "photos": len(faces),
        "photos per person, fewest and most": f"{counts.min()}, {counts.max()}",
        "height and width in pixels": f"{faces.images.shape[1]}, {faces.images.shape[2]}",
        "photos with a known pose": int(np.isfinite(faces.pose).all(axis=1).sum()),
        "people with one photo, who make no pair": len(pairs.gallery_only(faces)),
        "files skipped": len(faces.skipped),
        "darkest and brightest pixel": f"{faces.images.min()}, {faces.images.max()}",
        "mean grey": f"{faces.images.mean():.1f}",
        "megabytes": f"{faces.images.nbytes / 1e6:.2f}",
    },
    name=faces.name,
).to_frame()

# %%
plots.photos_per_person(faces)

# %% [markdown]
# **Figure 1.1.** Left, how many people have how many photos. Right, the mean grey of each photo: a
# dot for each, by person. Do the people differ, by their skin, their hair or the light? The more
# they do, the larger is the error of a predictor that answers one constant grey for everybody.

# %% [markdown]
# What could not be used is listed here, with the reason. So is a photo in which several faces were
# found: it is used, but the largest face need not be the one that you mean.

# %%
noted = pd.DataFrame([*faces.skipped, *faces.remarks], columns=["file", "what is to be said of it"])
speculo.chapter.table(noted) if len(noted) else "Nothing was skipped."

# %% [markdown]
# ## How the heads are turned
#
# Yaw turns the head left and right, pitch nods it, roll tilts it. Not every dataset says how.

# %%
posed = np.isfinite(faces.pose).any()
plots.poses(faces) if posed else print("No pose is known here: figures 1.2 and 1.3 are left out.")

# %%
plots.by_yaw(faces) if posed else None

# %% [markdown]
# **Figures 1.2 and 1.3**, where poses are known: how many photos there are of each angle, and some
# people turning from one side to the other. White is an angle without a photo.

# %% [markdown]
# ## The front of each person
#
# The target of every photo is the most frontal photo of the same person. Where a dataset has videos
# or sessions, it is of the same video or session. In your own folder, a file named `front` is
# always the front. With known poses the front is the one nearest to straight ahead, by the angle of
# the head's rotation. Without them it is the most symmetric one: contrast is normalised, and the
# photo is compared with its own mirror image.

# %%
front = pairs.fronts(faces)
plots.fronts(faces, front)

# %% [markdown]
# **Figure 1.4.** Photos of some people, a row for each. The framed photo is the one chosen as the
# front. Do you agree? A choice by symmetry can be wrong. A symmetric face can be tilted up or down.
# A frontal photo with a shadow on one cheek is not symmetric, so it is not chosen.

# %% [markdown]
# ## Pairs, and a split by people
#
# A pair is an input and a target: any photo of a person, and the front of that person. The images
# are stored once; a pair is two indices. A fifth of the *people* is held out, one at least. The
# network never sees them, so it cannot get away with remembering faces.

# %%
split = pairs.split(faces, seed=seed)
both = set(split.train.people) & set(split.test.people)
crossing = sum(int(np.sum(faces.person[p.input] != faces.person[p.target])) for p in split)
assert not both and not crossing
print(f"Train: {len(split.train)} pairs; people: {len(split.train.people)}")
print(f"Test:  {len(split.test)} pairs; people: {', '.join(split.test.people)}")
print(f"People on both sides: {len(both)}. Pairs of two different people: {crossing}.")

# %%
figure = plots.dataset(split)
path = trained.save_picture(figure, "dataset")
print(f"Saved as {files.shown(path)}")
figure

# %% [markdown]
# **Figure 1.5.** Rows as on the card: inputs and targets to train on, inputs and targets to test
# on. Each target is the person above it. On the published picture the second row showed faces of
# the third by mistake.

# %% [markdown]
# ## Duplicates
#
# The same photo under two names could stand on both sides of the split, and the test would be no
# test. We compare every photo with every other one (20,000 chosen at random where there are more)
# and look for pairs of photos that differ by less than a hundredth of the grey scale (root mean
# square).

# %%
same = pairs.duplicates(faces)
print(f"{len(same)} near duplicates, {int(same['across people'].sum())} of them across people")
same.head() if len(same) else None

# %% [markdown]
# ## A second dataset: heads
#
# Turning a face to the front can only be learned from faces that are turned, and photographs of
# that kind may not come with a book. So we draw our own, by computer graphics: wherever this book
# says *drawn heads* or *drawn people*, it means these. (What a *model* draws is its prediction.)
# The drawn people do not exist: a person is a number, and shape, skin, hair, beard and glasses
# follow from it. The shapes are those of the open MakeHuman project (CC0). `-p dataset
# heads-medium` takes the heads through every chapter.

# %%
from speculo.sources import heads

drawn = {
    level: speculo.load(f"heads-{level}", people=40 if level == "medium" else 5, size=64)
    for level in heads.LEVELS
}
pd.DataFrame(
    {
        each.name: {
            "people": len(each.names),
            "photos": len(each),
            "photos with a known pose": int(np.isfinite(each.pose).all(axis=1).sum()),
            "largest angle of a front, degrees": f"{np.abs(each.pose[each.front]).max():.1f}",
            "largest yaw, degrees": f"{np.abs(each.pose[:, 0]).max():.1f}",
            "largest pitch, degrees": f"{np.abs(each.pose[:, 1]).max():.1f}",
        }
        for each in drawn.values()
    }
)

# %%
figure = plots.heads_fronts(np.stack([heads.render(person) for person in range(40)]))
trained.save_picture(figure, "heads-fronts")
figure

# %% [markdown]
# **Figure 1.6.** Forty people from the front, at twice the size that the network sees. They look
# drawn, but no two are alike: women and men, young and old, of many origins.

# %%
yaws = np.arange(-90, 91, 15)
turning = {
    f"person {person}": np.stack([heads.render(person, yaw=float(yaw)) for yaw in yaws])
    for person in (1, 2, 8, 9, 11, 27, 28)
}
figure = plots.face_columns(turning, [f"{yaw}°" for yaw in yaws])
trained.save_picture(figure, "heads-turning")
figure

# %% [markdown]
# **Figure 1.7.** Some of them turning through half a circle. From the side a face and its front
# share few pixels: this is what a model has to bridge.

# %%
figure = plots.heads_levels(drawn)
trained.save_picture(figure, "heads-levels")
figure

# %% [markdown]
# **Figure 1.8.** The same people at three levels. *Yaw* turns them left and right, and nothing else
# changes. *Medium* adds pitch, roll, expressions, light, clothes and backgrounds. *Wild* adds
# strong light, blur, noise, a loose crop, and things held before the face. The target is the same
# front at every level.

# %%
pose = drawn["medium"].pose.copy()
pose[drawn["medium"].front] = np.nan  # the fronts, which have no turn, would be a spike at 0
plots.poses(replace(drawn["medium"], pose=pose))

# %% [markdown]
# **Figure 1.9.** How the heads of `heads-medium` are turned, fronts left out. Every yaw is equally
# likely, so the bars of yaw differ by chance only. Most pitches and rolls are small. The outermost
# bars of yaw are lower because only half of each lies within the range. No program guessed these
# angles from a picture: each head was drawn at exactly this angle.

# %% [markdown]
# How is a person made? A mean head is bent by sliders, and for each person chance sets each slider.
# We take one person and move one slider at a time.

# %%
print(f"Sliders: {len(heads.asset.read().slider_names)}, and age, weight and sex")
print(f"All that heads are made of: {heads.asset.PATH.stat().st_size / 1e6:.2f} MB")
sliders = {
    "age": "age",
    "weight": "weight",
    "woman to man": "male",
    "width of the head": "head-scale-horiz",
    "cheeks": "cheek-volume",
    "height of the chin": "chin-height",
    "tip of the nose": "nose-point",
}
rows = {
    label: heads.vary(22, name, np.linspace(-(name not in heads.TRAITS), 1, 7), yaw=30, size=96)
    for label, name in sliders.items()
}
plots.face_columns(rows, ["low", *[""] * 5, "high"])

# %% [markdown]
# **Figure 1.10.** One person, one slider to a row, from its low end to its high one. Most people
# stay well within these ends: beyond them lie caricatures.
#
# Drawn heads are not people. A model that is good on drawn heads may be bad on photographs. What it
# does to photographs has to be measured on photographs.

# %% [markdown]
# ## How hard is it?
#
# The heads make a benchmark that others can adopt: 2,000 fixed people, 400 of them held out by a
# fixed split, and errors by how far a head is turned. `speculo/benchmark.py` has the rules. This
# command computes the table in some ten minutes:
#
# ```sh
# .venv/bin/python -m speculo.benchmark
# ```
#
# Here it is as it comes with the book, for predictors without a network. *Ridge regression* makes
# every output pixel a weighted sum of all input pixels. *Kernel* ridge regression makes it a
# weighted sum over the train photos, in which similar photos count more. *Mean frontal face*
# answers everybody with the mean of the train people's fronts. *Input itself* returns the photo
# unchanged. *Mirrored too* also learns from the mirror image of every pair. The first table has the
# MSE, the mean squared error of a pixel with black 0 and white 1, by `|yaw|` in degrees. The second
# has rank-1, the share of photos whose drawing is nearer to the front of the right person than to
# those of all the others.

# %%
measured = pd.read_csv(benchmark.RESULTS)
measured = measured[~measured["predictor"].str.startswith("Speculo")]
speculo.chapter.table(benchmark.wide(measured, "MSE"), "{:.4f}")

# %%
speculo.chapter.table(benchmark.wide(measured, "rank-1"), "{:.1%}")

# %% [markdown]
# Compare the *input itself* with the mean face. On *medium*, where light and background change, the
# unchanged photo has the larger error at every angle. On *yaw*, it has the larger error beyond 30
# degrees. Kernel ridge regression has the smallest error in every column of the first table. On
# *medium*, a mended model of chapter 07 has a smaller one.

# %% [markdown]
# ## What we learned
#
# We know who is in the data, which photo of each person is the front, and that train and test share
# nobody. The choice of fronts is ours, and it limits what any model can reach: two photos of one
# person can be equally frontal and still differ. For drawn heads, pose and front are known exactly,
# and we can draw as many heads as we like.
#
# ## Exercises
#
# **1.1.** Split the photos, and not the people: a fifth of all photos, chosen at random, is the
# test. A copier looks for the nearest train photo, and answers with the front of its person.
# Predict the error of the copier in this split and in the split of the chapter, and compare each
# with the error of the mean front. Which of the two splits would you believe? `pairs.Pairs(faces,
# input, front[input])` makes pairs of any photos.
#
# **1.2.** The front is one photo of several. `pairs.several_fronts(faces, 2)` has the two most
# frontal ones for each photo. Somebody knows every held-out person perfectly, but draws the second
# one. Predict the error, in parts of that of the mean front. Then compute it. What does it mean for
# the errors of chapter 04?
#
# Solutions: [11 Solutions](11_solutions.ipynb).
#
# Next: [02 The model](02_model.ipynb).

# %% tags=["metrics"]
{
    "people": len(faces.names),
    "photos": len(faces),
    "train_pairs": len(split.train),
    "test_pairs": len(split.test),
    "duplicates": len(same),
    "skipped": len(faces.skipped),
    "heads": sum(len(each) for each in drawn.values()),
    "heads_front_angle": float(max(np.abs(e.pose[e.front]).max() for e in drawn.values())),
}
