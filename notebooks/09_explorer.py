# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 The explorer
#
# In this notebook we turn heads, step through people and slide between them, and watch what the
# models make of it.
#
# Choose **Run > Run All Cells** and move the sliders. Click on a slider's handle and the arrow keys
# move it too. Nothing has to be trained first: the fingerprint model of chapter 08 comes with the
# book. Your own runs are in the menus.
#
# Below each explorer is a figure of the same content. It shows what the sliders showed when its
# cell was run: run the cell again after you have moved them, and you have that picture.
#
# The parameter `run` names the run to show first. Without a name it is the fingerprint model. v8 as
# published stands beside it, once chapter 03 has trained it. The baselines beside the turned head
# are fitted to `heads_people` drawn people.

# %% tags=["parameters"]
dataset = "orl"  # the faces, by name; chapter 01 lists the names
people = None  # how many people; None takes all
crop = None  # "auto" finds the face in each photo of a folder of snapshots
seed = 0  # of all that is random: the split, the first weights, the order, the dropout
run = None  # name of a folder in runs/; None takes the chapter's own
heads_people = 100  # how many drawn people

# %%
import speculo

speculo.chapter.begin()

from speculo import fingerprints, runs, widgets
from speculo.model import V8
from speculo.sources import heads

faces = speculo.load(dataset, people=people, crop=crop)
rendered = speculo.load("heads-medium", people=heads_people)
first = runs.open(run) if run else runs.recorded(fingerprints.SHIPPED)
sets = {each.name: first.unseen(each, seed=seed) for each in (faces, rendered)}
v8 = runs.default_name(V8, faces.name, people=people, crop=crop, seed=seed)
others = [each for each in runs.finished() if each.name != first.name]
finished = [first, *sorted(others, key=lambda each: each.name != v8)]
for each in finished:
    print(f"{each.name}: {each.title}")

# %% [markdown]
# ## Turn the head
#
# This is a drawn head, so it can be shown in every pose, and the true front is known exactly. Turn
# it by *yaw*, *pitch* and *roll*, move the light, change the face. A line says which of the models
# and baselines were trained on this very head.

# %%
head = widgets.turn(finished, sets[rendered.name])
head

# %%
head.figure()

# %% [markdown]
# **Figure 9.1.** Above, the head as the models see it, what each draws, and the front that is to be
# drawn. Below, on the left, the error at every yaw, all else unchanged; the line marks the yaw of
# the faces above. On the right, the errors at that yaw, with those of all baselines. The curve of
# the *input itself* says how far a face moves away from its own front by turning. A model that
# understands pose has a curve that is flat and low. A flat curve alone says nothing: that of v8 is
# flat, as it draws nearly the same for everybody. Turn to another person: is the same model the
# best?

# %% [markdown]
# ## One prediction
#
# Pick a run, a dataset, a person of the test and a photo. Step through the people with the arrow
# keys.

# %%
one = widgets.predictions(finished, sets)
one

# %%
one.figure()

# %% [markdown]
# **Figure 9.2.** A photo, the drawing, the front to be drawn, and the error of each pixel. The bars
# are the mean squared errors of this one drawing and of the baselines of chapter 04; the smallest
# stands out. The fingerprint model has learned to draw the book's own heads, and draws a photograph
# as one of them: do not look at its error there, but at the likeness.

# %% [markdown]
# ## A training, epoch by epoch
#
# Every training keeps what it drew of the same few people after each epoch. Slide through it.

# %%
epochs = widgets.epochs(finished, sets)
epochs

# %%
epochs.figure()

# %% [markdown]
# **Figure 9.3.** The losses of the run, with a line at the epoch of the slider. Above, what the run
# drew after that epoch. The photos and fronts of these faces are shown too, if they are loaded in
# this chapter.

# %% [markdown]
# ## Between two people
#
# The decoder draws any fingerprint, also one that no photo has. Slide from one person's to
# another's. The *directions* push along the axes on which the fingerprints of the fronts differ
# most, in standard deviations.

# %%
two = widgets.between(finished, sets)
two

# %%
two.figure()

# %% [markdown]
# **Figure 9.4.** First row: the photos of two people at the ends, and what is drawn on the straight
# way between their fingerprints. Each further row starts from the fingerprint that the sliders
# show, and goes along one direction, from three standard deviations below it to three above. What
# changes along a row is what this direction means.

# %% [markdown]
# ## Your photo
#
# Choose a photo of a face from your disk. It goes to the Python process that runs this notebook and
# no further. The face is found by itself, the largest where there are several. Where none is found,
# nobody is looked up until you set the crop by hand or take the whole photo.
#
# The photo is not saved with the notebook. A figure that you draw of it is saved as any figure is:
# clear the output of that cell before you pass the notebook on.
#
# The neighbours are the people of the set whose fingerprints lie nearest. Beside the distance
# stands the chance that it is the same person. It is fitted as in chapter 08, but to photos of real
# or drawn people whom the run has not learned from: the test people of this set, or people of ORL
# where those are too few. The line above the neighbours names them. The chance holds for photos
# like theirs, as if same and different had been equally likely before. In a crowd they are not:
# **nearest is not the same person**.

# %%
yours = widgets.photo(finished, sets, heads.render(20, yaw=15, size=256))
yours

# %%
yours.figure()

# %% [markdown]
# **Figure 9.5.** Above, the photo with its crop, that crop as the model sees it, and the drawing.
# Below, the nearest people, with the distance of their fingerprints and the chance. Until you
# choose a photo, a drawn head is shown.

# %% [markdown]
# ## Runs side by side
#
# Tick runs to see them draw the same faces. They are held out for the run that the chapter shows
# first; a line says which of the others was trained on some of them.

# %%
side_by_side = widgets.compare(finished, sets)
side_by_side

# %%
side_by_side.figure()

# %% [markdown]
# **Figure 9.6.** The same faces, drawn by each run, with its mean squared error on them; below, the
# test losses of the trainings. A loss is on the run's own test people: compare only curves of runs
# that hold out the same people.

# %% [markdown]
# ## What we learned
#
# A picture that follows the hand says more than a table: where a model gives up as the head turns,
# who it takes for whom, and what its fingerprint holds.
#
# To see your own model here, train one in [chapter 03](03_training.ipynb) and run this chapter again.
#
# ## Exercises
#
# **9.1.** Look for the drawn person of the test whom the fingerprint model draws worst, without
# moving a slider: take its drawings (`evaluation.predict` in `speculo`) of the test of
# `sets[rendered.name]`, fronts left out. Look twice, by the error, and by the error in parts of
# that of the mean front of the train people. Is it the same person? Then turn the explorer to both,
# and say what is missing in the drawing.
#
# Solutions: [11 Solutions](11_solutions.ipynb).
#
# Next: [10 Beyond one machine](10_beyond_one_machine.ipynb).

# %% tags=["metrics"]
{
    "runs": len(finished),
    "datasets": len(sets),
    "people": sum(len(side.people) for each in sets.values() for side in each),
    "explorers": sum(
        not each.problem.value for each in (head, one, epochs, two, yours, side_by_side)
    ),
}
