# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 Results
#
# In this notebook we judge the trained v8 on people whom it has never seen, beside predictors that
# need no network at all.
#
# If chapter 03 has not run yet, the second cell says so. Take the parameters that it was run with.
# Another `architecture` is judged in the place of v8, and in the same way.

# %% tags=["parameters"]
dataset = "orl"  # the faces, by name; chapter 01 lists the names
people = None  # how many people; None takes all
crop = None  # "auto" finds the face in each photo of a folder of snapshots
architecture = "v8"  # or "v7", "v8-mended"; "v8-4th" has a fourth of the channels
seed = 0  # of all that is random: the split, the first weights, the order, the dropout
run = None  # name of a folder in runs/; None takes the chapter's own

# %%
import speculo

speculo.chapter.begin()

from speculo import card, diagnosis, evaluation, files, model, pairs, plots, runs

faces = speculo.load(dataset, people=people, crop=crop)
split = pairs.split(faces, seed=seed)
config = model.named(architecture)
own = runs.default_name(config, faces.name, people=people, crop=crop, seed=seed)
trained = runs.open(run or own)
trained.require(split)
name = trained.config.name
outputs = evaluation.predict(trained.model(), split.test)
same = (split.test.input == split.test.target).mean()
print(f"{trained.best_title}, where the test loss was lowest")
print(f"{same:.0%} of the test pairs have the front itself as their input")

# %% [markdown]
# Keep two things in mind. The weights are those of the epoch with the smallest loss on these same
# people, so the error of the model is a little smaller than it would be on new people. And the
# front of each person is also one of the inputs: a predictor that returns its input has no error
# there.
#
# ## Predictions
#
# What does v8 draw of people whom it has never seen?

# %%
figure = plots.drawings(split.test, {"prediction": outputs}, 20, title=trained.best_title)
path = trained.save_picture(figure, "predictions")
print(f"Saved as {files.shown(path)}")
figure

# %% [markdown]
# **Figure 4.1.** Up to twenty held-out faces. Under each is what the model draws, and what it
# should draw. Compare the predictions with one another: do they differ? The section *The card's
# notes* measures it.

# %% [markdown]
# ## Against the baselines
#
# An error means little alone. The baselines are fitted on the same train pairs and judged on the
# same held-out people:
#
# - **constant grey**: one grey for everything;
# - **mean frontal face** (*mean face* or *mean front* for short): the mean of the train people's
#   fronts, whoever is asked for;
# - **input itself**: the photo, unchanged;
# - **ridge regression**: every output pixel is a weighted sum of all input pixels, with weights
#   that are kept small so that it does not learn the train people by heart. *Mirrored too* adds the
#   mirror image of every train pair. *Moved too* adds pairs that are moved, and whose light is
#   changed. It computes *logits* instead of pixels. Logits are the numbers that a sigmoid turns
#   into pixels, so its pixels always lie between 0 and 1.
#
# MSE is the mean squared error of a pixel, with black 0 and white 1; less is better. PSNR is the
# same in decibels; more is better. For $n$ photos of $p$ pixels, where $y$ is the target and
# $\hat y$ is what is drawn,
#
# $$\mathrm{MSE} = \frac{1}{np} \sum_{i=1}^{n} \sum_{k=1}^{p} (\hat y_{ik} - y_{ik})^2,$$
#
# $$\mathrm{PSNR} = -10 \log_{10} \mathrm{MSE}.$$
#
# The column *± over people* is the standard error: how much the MSE would vary with other people
# held out.

# %%
predicted = {name: outputs, **evaluation.baselines(split)}
table = evaluation.table(predicted, split.test)
formats = {"MSE": "{:.4f}", "± over people": "{:.4f}", "PSNR (dB)": "{:.2f}"}
speculo.chapter.table(table, formats, na_rep="one person")

# %%
levels = {key: value for key, value in table["MSE"].items() if key != name}
figure = plots.loss(trained.history, levels, title=trained.title)
path = trained.save_picture(figure, "loss")
print(f"Saved as {files.shown(path)}")
figure

# %% [markdown]
# **Figure 4.2.** The training of chapter 03, with the baselines as level lines. The published curve
# of v8 had no such lines, so nobody could see whether its losses were good. Chapter 05 puts lines
# beside them.

# %%
mse = table.loc[name, "MSE"]
beaten = [key for key, level in levels.items() if level > mse]
below, floor = evaluation.output_floor(split.test)
print(f"{name} is at {mse:.4f}, and beats: {'; '.join(beaten) or 'none of them'}")
notes = []
if trained.config.output_relu:
    better = [key for key, level in levels.items() if level < floor]
    notes.append(
        f"{below:.0%} of the target pixels are below 0.5, where no output can be; "
        f"the targets clipped there have an MSE of {floor:.4f}"
    )
    print(f"The last ReLU: {notes[0]}.")
    print(f"That is a floor, {floor / mse:.0%} of the error of {name}.")
    print(f"Better than the floor, without a network: {'; '.join(better) or 'none'}")

# %% [markdown]
# ## People
#
# Does v8 draw some people better than others? The errors of the photos of one person go together,
# so we look at people.

# %%
errors = evaluation.by_person(evaluation.squared_error(outputs, split.test), split.test)
plots.extremes(
    split.test, outputs, errors, title=f"{trained.best_title}: smallest and largest error"
)

# %% [markdown]
# **Figure 4.3.** The people with the smallest error and those with the largest. Beside each name is
# the mean error over all photos of that person. The upper row has some of the photos and, at its
# end, the front to be drawn; the lower row has the predictions. Do the drawings differ, or only the
# people? Where everybody gets the same bright patch, bright faces lie nearer to it than dark ones:
# the correlation below says how regularly.

# %%
brightness = {
    person: split.test.batch(split.test.person == split.test.faces.names.index(person))[1].mean()
    for person in errors.index
}
errors["front's mean grey"] = [brightness[person] for person in errors.index]
correlation = errors["MSE"].corr(errors["front's mean grey"]) if len(errors) > 4 else None
said = "too few people to tell" if correlation is None else f"{correlation:.2f}"
print(f"Correlation of a person's error with the brightness of the front: {said}")
speculo.chapter.table(errors, {"MSE": "{:.4f}", "front's mean grey": "{:.2f}"})

# %% [markdown]
# With the default parameters the correlation is near -1: the darker a front, the larger the
# error. It is the people that differ, and hardly the drawings.
#
# ## The card's notes
#
# The card ends with three notes.
#
# - *"binary cross entropy didn't gave improvement so I reverted back to mean squared error"*. That
#   needs model v7 beside v8: chapter 06 trains both.
# - *"lowered fingerprint size so it has less values to predict"*. The fingerprint is not predicted;
#   the 1024 pixels are. Chapter 02 showed that these 4096 numbers are made of 64.
# - *"although this model has the lowest low I don't think this is the better than model v7 due to
#   fact it produced less face looking outputs"*. The table of the baselines shows what a loss near
#   0.03 is worth. For the looks, we measure how much the drawings differ from person to person.
#   This is their *spread*: the standard deviation of a pixel over the held-out photos, for drawings
#   and for targets.

# %%
targets = split.test.batch()[1]
drawn_spread, target_spread = diagnosis.spread(outputs), diagnosis.spread(targets)
print(f"Spread of the drawings {drawn_spread:.4f}, of the targets {target_spread:.4f}")
if target_spread > 1e-6:  # one person has one front, which does not differ
    notes.append(f"the drawings differ {drawn_spread / target_spread:.0%} as much as the people do")
    print(f"So {notes[-1]}.")

# %% [markdown]
# ## The model card
#
# The run gets a card of its own, in the form of the published one, with the log filled in.

# %%
path = card.write(
    trained,
    notes=[
        f"test MSE {mse:.4f} (PSNR {table.loc[name, 'PSNR (dB)']:.2f} dB) on "
        f"{len(split.test.people)} people not seen in training, weights of epoch {trained.best_epoch}",
        "baselines on the same people: "
        + ", ".join(f"{key} {level:.4f}" for key, level in levels.items()),
        *notes,
    ],
)
print(f"Written to {files.shown(path)}")

# %% [markdown]
# ## What we learned
#
# With the default parameters, v8 as published draws nearly the same grey blob for everyone. The
# ReLU before its sigmoid puts a floor under its error: even a perfect v8 could get no lower. Some
# baselines do: a cell above prints the floor and lists them. The floor explains why nothing is
# dark. It does not explain why everybody looks the same. That needs experiments, and the next
# chapter makes them. To see first what a mended v8 draws, look at the faces in [chapter
# 07](07_mending_v8.ipynb#Faces).
#
# ## Exercises
#
# **4.1.** Rank the predictors of the table twice more: by MSE, without the pairs whose input is the
# front, and by the mean absolute error of a pixel, with all pairs. Which ones do you expect to
# change places, and why?
#
# Solutions: [11 Solutions](11_solutions.ipynb).
#
# Next: [05 What went wrong](05_what_went_wrong.ipynb).

# %% tags=["metrics"]
{
    "mse": round(float(mse), 5),
    "mean_face": round(float(table.loc["mean frontal face", "MSE"]), 5),
    "input_itself": round(float(table.loc["input itself", "MSE"]), 5),
    "ridge": round(float(table.loc["ridge regression", "MSE"]), 5),
}
