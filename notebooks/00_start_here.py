# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 Start here
#
# In this notebook we see what Speculo does to a face, which device will train it on this machine,
# and what the chapters contain.
#
# ## The lesson of this book
#
# A network can reach a small loss and draw the same grey blob for everybody. The loss is the mean
# squared difference from the right picture, pixel by pixel. A blurred grey face is nobody's face,
# so it is never right. But it is not far from anybody's face either, so its loss is small. A loss
# means nothing alone. It needs a *baseline* beside it: the error of a predictor that knows nothing,
# such as one grey picture for all.
#
# The model of this book was published with a small loss and no baseline. We build it again, find
# out what was wrong with it, and mend it. In the end you will be able to
#
# - put baselines beside a loss, and say what a network has learned beyond them;
# - find the cause of a bad drawing, by changing one thing at a time;
# - train on few people without fooling yourself about people whom the network has never seen;
# - judge fingerprints of faces by the measures of the field.
#
# ## The model
#
# **Speculo-v8** is built as a convolutional autoencoder: an encoder turns a picture into numbers,
# and a decoder turns the numbers into a picture. But it must give back another picture than its
# input. It takes a grey photo of a face, 32 by 32 pixels, in any pose. It draws the *front* of the
# same person: the face as it would look straight into the camera. To do that it turns the photo,
# 1024 pixels, into 4096 numbers, the **fingerprint**. A good fingerprint tells who somebody is and
# not how the head was turned, so that two faces can be compared by it.
#
# The model was published in 2020 as a *model card*, a page that describes a model; this book calls
# it *the card*. It lies in the folder `models/fingerprinter` of
# [isala404/speculo](https://github.com/isala404/speculo), without the data and without a log of the
# training. Its neighbour v7 is the same network, trained with another loss. This book makes v8 run
# again and judges it.

# %% tags=["parameters"]
dataset = "orl"  # the faces, by name; chapter 01 lists the names
people = None  # how many people; None takes all
crop = None  # "auto" finds the face in each photo of a folder of snapshots
seed = 0  # of all that is random: the split, the first weights, the order, the dropout
run = None  # name of a folder in runs/; None takes the chapter's own

# %%
import speculo

speculo.chapter.begin()

from IPython.display import Image, Markdown, display

from speculo import book, device, evaluation, files, pairs, plots, runs
from speculo.model import V8

# %% [markdown]
# ## One face, as v8 draws it
#
# The picture comes from the run that chapter 03 trains. If chapter 03 has not run yet, you see the
# picture of the book's last full run.

# %%
faces = speculo.load(dataset, people=people, crop=crop)
split = pairs.split(faces, seed=seed)
trained = runs.at(run or runs.default_name(V8, faces.name, people=people, crop=crop, seed=seed))
if trained.epochs:
    trained.require(split)
    turned = pairs.asymmetry(faces.images[split.test.input]).argmax(keepdims=True)
    shown = pairs.Pairs(faces, split.test.input[turned], split.test.target[turned])
    outputs = evaluation.predict(trained.model(), shown)
    figure = plots.one_prediction(shown, outputs, 0, title=trained.best_title)
    trained.save_picture(figure, "start")
    display(figure)
else:
    print(
        f"Run {trained.name} is not trained yet: run chapter 03. Until then, the picture is of the book's last run."
    )
    display(Image(files.PROJECT / "img" / "start.png", width=620))

# %% [markdown]
# **Figure 0.1.** Left, the photo that v8 is given, of a person whom it has never seen: the least
# symmetric one of the test, so most likely a turned head. Right, the most frontal photo of that
# person: what it should draw. In the middle, what it draws, which is a grey blob. Chapter 04 shows
# the others and measures how bad that is.

# %% [markdown]
# ## What trains here
#
# Which device will train the model?

# %%
print(device.report())

# %% [markdown]
# ## The chapters
#
# Run them in order: each leaves in `runs/` what the next one needs. The seconds are those of the
# book's last full run, on two cores and without a GPU.

# %%
display(Markdown(book.contents().replace("](notebooks/", "](")))

# %% [markdown]
# ## Your own faces in ten minutes
#
# Put photos into folders, one folder for each person, ten photos or so of each, with the head
# turned this way and that. Photos as they come from a phone will do:
#
# ```
# data/my_faces/anna/1.jpg
# data/my_faces/anna/2.jpg
# data/my_faces/ben/...
# ```
#
# Then, in a terminal, from the project's folder:
#
# ```sh
# make faces FACES=data/my_faces
# ```
#
# A minute later the page `build/faces/my_faces.html` shows everybody's front, as the fingerprint
# model of [chapter 08](08_fingerprints.ipynb) draws it, and who is taken for whom. Nothing is
# trained for it.
#
# Any chapter runs on your photos, too. Chapter 07 trains a model on most of your people, and lets
# it draw the others:
#
# ```sh
# .venv/bin/papermill notebooks/07_mending_v8.ipynb build/my_mending.ipynb -p dataset folder:data/my_faces -p crop auto
# ```
#
# Chapters 01, 08 and 09 take the same parameters. So do chapters 03 and 04, with v8 as published.
#
# **Ask first.** Photos of people are theirs. You need the consent of everyone in them, and for
# children that of their parents. The photos, and all that is made of them, stay on your machine:
# nothing here sends anything, and git ignores `data/`, `build/` and `runs/`.
#
# **What it is not for.** A model of this kind draws likenesses and compares them. It is not fit to
# decide who somebody is, at a door, in a crowd or in court. Chapter 04 shows how far off v8's
# drawings are, and chapter 08 how often fingerprints take one person for another.

# %% [markdown]
# ## What we learned
#
# Speculo is to draw the front of a face, and its fingerprint is what it keeps on the way. We know
# which device trains it on this machine.
#
# ## Exercises
#
# **0.1.** Which picture, drawn for everybody, is nearest to the fronts? Take three: one grey, the
# mean of all fronts, and the front of somebody else. Put them in the order of their mean squared
# error before you compute it. Then compute it; for the third picture, take the mean over all pairs
# of two people. Is the best of them anybody's face? `pairs.fronts(faces)` has the positions of the
# fronts in `faces.images`, `pairs.as_input` turns bytes into numbers from 0 to 1, and
# `evaluation.mse` compares them.
#
# Solutions: [11 Solutions](11_solutions.ipynb).
#
# Next: [01 The faces](01_dataset.ipynb).

# %% tags=["metrics"]
{"people": len(split.train.people) + len(split.test.people)}
