# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 11 Solutions
#
# In this notebook we solve the exercises of the chapters.
#
# Try them first, and write down what you expect: a number that surprises you teaches more than one
# that you only read. The answers below hold with the default parameters.
#
# The run is the one of chapter 03: take the parameters that it was trained with. Of your own
# photos, three people are the least.

# %% tags=["parameters"]
dataset = "orl"  # the faces, by name; chapter 01 lists the names
people = None  # how many people; None takes all
crop = None  # "auto" finds the face in each photo of a folder of snapshots
seed = 0  # of all that is random: the split, the first weights, the order, the dropout
run = None  # name of a folder in runs/; None takes the chapter's own
heads_people = 200  # how many drawn people
photos = 400  # how many photos are written and prepared to measure it

# %%
import speculo

speculo.chapter.begin()

from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from speculo import diagnosis, evaluation, fingerprints, pairs, plots, recognition, runs, scale
from speculo.model import V8, build

faces = speculo.load(dataset, people=people, crop=crop)
split = pairs.split(faces, seed=seed)
trained = runs.open(run or runs.default_name(V8, faces.name, people=people, crop=crop, seed=seed))
trained.require(split)
targets = split.test.batch()[1]
rng = np.random.default_rng(seed)


def flat(images):
    return images.reshape(len(images), -1)


# %% [markdown]
# ## 00 Start here
#
# **0.1.** Of one grey, the mean of all fronts, and the front of somebody else: which picture is
# nearest to the fronts?

# %%
front = pairs.as_input(faces.images[np.unique(pairs.fronts(faces))])
shown = {"one grey": np.full_like(front[0], front.mean()), "the mean front": front.mean(axis=0)}
errors = {name: evaluation.mse(each, front) for name, each in shown.items()}
others = [np.roll(front, step, axis=0) for step in range(1, len(front))]  # each with each
errors["somebody else's front"] = np.mean([evaluation.mse(each, front) for each in others])
row = {"drawn": pairs.as_image(np.stack([*shown.values(), front[-1]]))}
print("\n".join(f"MSE {error:.4f}  {name}" for name, error in errors.items()))
plots.captioned(row, {"drawn": [f"MSE {each:.4f}" for each in errors.values()]})

# %% [markdown]
# **Figure 11.1.** The three pictures, with their errors: one grey, the mean front, and the front of
# somebody, with the mean error over all pairs of two people. Only the last is a face of a person.
#
# The mean front has the smallest error, and nobody looks like it. The real face of somebody else
# has about twice that error, as much as plain grey. The factor of two is no chance: over all pairs
# of $n$ people, the error of somebody else's front is always $2n / (n - 1)$ times the error of
# their mean. Whoever is judged by this loss, and does not know who is asked for, does best to draw
# a blob.

# %% [markdown]
# ## 01 The faces
#
# **1.1.** Split the photos, and not the people. A copier looks for the nearest train photo, and
# answers with the front of its person. What is its error, in this split and in that of the chapter?

# %%
chosen = np.isin(np.arange(len(faces)), rng.permutation(len(faces))[: len(split.test)])
every = pairs.Pairs(faces, np.arange(len(faces)), pairs.fronts(faces))
splits = {"by photos": (every.take(~chosen), every.take(chosen)), "by people": split}
for kind, (train, test) in splits.items():
    asked, known = (flat(each.batch()[0]) for each in (test, train))
    copied = train.batch(fingerprints.nearest(asked, known, 1, "l2")[0][:, 0])[1]
    answers = copied, evaluation.mean_front(train)
    copier, mean = (evaluation.mse(each, test.batch()[1]) for each in answers)
    share = np.isin(test.person, train.person).mean()
    print(f"{kind}: {share:.0%} of a known person; copier {copier:.4f}, mean front {mean:.4f}")

# %% [markdown]
# Split by photos, the people of the test are known, and a program that has learned nothing but to
# copy is nearly without error. Split by people it is worse than the mean front. Believe the split
# by people. The split by photos has a *leak*: people of the test are also in the training. The
# better a network learns by heart, the more a leak praises it.
#
# **1.2.** How far is the second most frontal photo of a person from the most frontal one?

# %%
second = pairs.as_input(faces.images[pairs.several_fronts(faces, 2)[split.test.input, 1]])
apart, mean = (
    evaluation.mse(each, targets) for each in (second, evaluation.mean_front(split.train))
)
print(f"Second choice {apart:.4f}, mean front {mean:.4f}: {apart / mean:.0%} of it")

# %% [markdown]
# More than half as far as the mean front, which knows nobody. So a predictor that knows a person
# perfectly, but would have chosen another of the photos, still has a large error: about that of the
# best baselines of chapter 04. No training can tell which of two fair fronts we chose.

# %% [markdown]
# ## 02 The model
#
# **2.1.** The parameters of `conv2d_transpose_10` by hand, and what v8 saves by a fingerprint of
# 128 numbers.

# %%
network, short = build(V8), build(replace(V8, latent_size=128))
by_hand = 3 * 3 * 512 * 1024 + 1024  # a kernel for each two channels, and a bias for each new one
asked = network.get_layer("conv2d_transpose_10").count_params()
print(f"By hand {by_hand:,}, says the model {asked:,}, {asked / network.count_params():.0%} of all")
print(f"With 128 numbers v8 has {1 - short.count_params() / network.count_params():.1%} fewer")

# %% [markdown]
# A fingerprint that is 32 times as short saves hardly anything: the two layers around it go from 64
# numbers to 4096 and back, and 64 is little. The parameters are where many channels meet many.
#
# **2.2.** How few numbers are enough to rebuild the photo of a person who was not among those from
# whom the directions come?

# %%
seen, held = (flat(each.batch()[0]) for each in split)
for count in (1, 4, 16, 64):
    main = fingerprints.principal(seen, count)
    rebuilt = main.mean + (held - main.mean) @ main.axes.T @ main.axes
    part = evaluation.mse(rebuilt, held) / evaluation.mse(main.mean, held)
    print(f"numbers {count:2}: {part:.0%} of the error of the mean photo")

# %% [markdown]
# Some sixteen numbers are enough to halve the error, and 64 leave about a fourth of it, with
# nothing but sums of pixels. So 64 well-chosen numbers can hold most of what differs between
# photos. Whether v8 gets such numbers out of its single pixel is another question: chapter 07
# measures it.

# %% [markdown]
# ## 03 Training
#
# **3.1.** The loss of a picture of 0.5 everywhere, beside the log.

# %%
log, plain = trained.history.set_index("epoch")["val_loss"], evaluation.mse(0.5, targets)
part = 1 - log.min() / plain
print(f"0.5 everywhere {plain:.4f}; best epoch {log.min():.4f}, {part:.0%} below it")
below = ", ".join(str(epoch) for epoch in log.index[log < plain])
print(f"Epochs below it: {below or 'none'}, of {len(log)}")

# %% [markdown]
# The first of the printed epochs is the first one below a picture that one can write down without
# having seen a face; in the epochs that are missing after it the network was above it again. Even
# the best epoch is not far below it. The loss has fallen a lot since the first epoch. That says how
# bad the beginning was, and not how good the end is.

# %% [markdown]
# ## 04 Results
#
# **4.1.** Rank the predictors again without the pairs whose input is the front, and by the mean
# absolute error. Which of them change places?

# %%
drawn = {trained.config.name: evaluation.predict(trained.model(), split.test)}
drawn |= evaluation.baselines(split)
turned = split.test.input != split.test.target
table = {}
for name, each in drawn.items():
    off = np.abs(each - targets)
    table[name] = [np.square(off).mean(), np.square(off[turned]).mean(), off.mean()]
columns = ["MSE", "MSE without fronts", "mean absolute error"]
table = pd.DataFrame.from_dict(table, orient="index", columns=columns).sort_values("MSE")
speculo.chapter.table(table, "{:.4f}")

# %% [markdown]
# Without these pairs, *input itself* loses its lead over the mean front: the lead came from the
# photos that were themselves the answer. By the absolute error no two change places, but *input
# itself* comes near to ridge regression. A photo of the right person is right in most pixels and
# far off in some, and a square makes much of those. In all three columns the ridge regressions are
# the best, and v8 is better than the constant grey only. That may be said without naming the
# measure.

# %% [markdown]
# ## 05 What went wrong
#
# **5.1.** One number x, and the output sigmoid(relu(x)). Where does gradient descent lead from 0.5
# and from -0.5, if the output should be 0.7, and if it should be 0.3?


# %%
def sigmoid_relu(x):
    return 1 / (1 + np.exp(-max(x, 0)))


for start in (0.5, -0.5):
    for wanted in (0.7, 0.3):
        x = start
        for _ in range(2000):
            out = sigmoid_relu(x)
            x -= 2 * (out - wanted) * out * (1 - out) * (x > 0)  # the ReLU's slope is 0 or 1
        print(f"from {start:+.1f} to {wanted}: x = {x:+.2f}, output {sigmoid_relu(x):.2f}")

# %% [markdown]
# Only one of the four arrives. To draw 0.3, x falls to just below zero, where the output is 0.5 and
# the slope is zero, and stays there. From -0.5 nothing moves at all, not even if the pixel should
# be bright. So it is in v8: where the ReLU gives zero for a photo, that photo teaches nothing about
# the pixel.
#
# **5.2.** How often does a change that does nothing count as a difference, by the rule of twice the
# spread over seeds?

# %%
for seeds in (2, 3, 5, 10):
    trials = rng.normal(size=(4000, 2, seeds))  # two kinds of training, between them chance alone
    spreads = np.array([diagnosis.spread_over_seeds(*each) for each in trials])
    gains = np.abs(trials[:, 0].mean(axis=1) - trials[:, 1].mean(axis=1))
    alarms = np.mean(diagnosis.beyond_seeds(gains, spreads))
    print(f"seeds {seeds:2}: {alarms:.1%} false alarms")

# %% [markdown]
# With two seeds, about one change in eight that does nothing looks like one that helps or harms.
# With three it is about one in twenty-five, with five fewer than one in a hundred. Two points say
# little of their own spread. So believe a large difference from two seeds, as that of the ReLU,
# which is many times the spread, and train more seeds before you believe a small one.

# %% [markdown]
# ## 06 What the notes said
#
# **6.1.** A pixel is white in seven of ten photos and black in three. Which value has the smallest
# mean squared error, which the smallest cross-entropy, and which the smallest absolute error?

# %%
pixel, values = np.repeat([1.0, 0.0], [7, 3])[:, np.newaxis], np.linspace(0.01, 0.99, 99)
losses = {
    "squared error": (pixel - values) ** 2,
    "cross-entropy": -pixel * np.log(values) - (1 - pixel) * np.log(1 - values),
    "absolute error": abs(pixel - values),
}
for name, each in losses.items():
    print(f"{name}: smallest at {values[each.mean(axis=0).argmin()]:.2f}")

# %% [markdown]
# Squared error and cross-entropy want the same light grey, the mean, which the pixel never has. So
# there was little to be gained by going from one to the other, as note one says. The absolute error
# goes as far to white as we let it: its best value is the median. That is sharp, and wrong in three
# photos of ten.
#
# **6.2.** Push the drawings of ridge regression towards the mean face, and away from it. What do
# the error and the spread from face to face do?

# %%
mean, ridge = drawn["mean frontal face"], drawn["ridge regression"]
pushed = {factor: mean + factor * (ridge - mean) for factor in (0, 0.5, 1, 1.5)}
for factor, each in pushed.items():
    print(f"{factor}: MSE {evaluation.mse(each, targets):.4f}, spread {diagnosis.spread(each):.3f}")
print(f"Spread of the fronts themselves: {diagnosis.spread(targets):.3f}")
some = pairs.examples(split.test, 8)
rows = {f"{factor}": pairs.as_image(each[some]) for factor, each in pushed.items()}
plots.captioned(rows | {"front": pairs.as_image(targets[some])}, {})

# %% [markdown]
# **Figure 11.2.** Drawings of ridge regression, pushed by the factor at the left: 0 is the mean
# face, 1 is what it draws, 1.5 lies beyond. The last row has the fronts.
#
# The spread grows with the factor, and the error is smallest near 1. But it is a flat valley: from
# 0.5 to 1.5 the spread grows threefold, and the error changes by little more than a tenth. A loss
# that hardly tells these rows apart cannot say which of them has the faces.

# %% [markdown]
# ## 07 Mending v8
#
# **7.1.** Choose the penalty of ridge regression on people whom neither the fit nor the test has
# seen. Where is the minimum, and how wide is it?


# %%
def errors_of_ridge(train, penalty, *asked):
    fitted = Ridge(alpha=penalty).fit(*map(flat, train.batch()))
    both = (map(flat, each.batch()) for each in asked)
    return [evaluation.mse(fitted.predict(inputs), fronts) for inputs, fronts in both]


person = np.unique(split.train.person)
check = np.isin(split.train.person, person[-max(1, len(person) // 4) :])
fitted, validation = split.train.take(~check), split.train.take(check)
table = pd.DataFrame(index=["fitted", "validation", "test"])
for penalty in 10.0 ** np.arange(-1, 6):
    table[f"{penalty:g}"] = errors_of_ridge(fitted, penalty, fitted, validation, split.test)
best = table.loc["validation"].idxmin()
print(
    f"The book's penalty is {evaluation.RIDGE_ALPHA:g}, that of the least validation error {best}"
)
speculo.chapter.table(table.T.rename_axis("penalty"), "{:.4f}")

# %% [markdown]
# On the people of the fit the error only falls as the penalty gets smaller, which says nothing. On
# the validation people there is a minimum, where the book's penalty lies. It is wide: ten times as
# much, or a tenth, makes the error larger by less than a fifth. On the test the best penalty is the
# same, and we had no need to look there to choose it.
#
# **7.2.** What does the error of ridge regression do with the number of people to learn from?

# %%
shuffled = rng.permutation(person)
for count in [each for each in (1, 2, 4, 8, 16, 32) if each <= len(person)]:
    some = split.train.take(np.isin(split.train.person, shuffled[:count]))
    (error,) = errors_of_ridge(some, evaluation.RIDGE_ALPHA, split.test)
    print(f"people {count:2}: MSE {error:.4f}")

# %% [markdown]
# Each time that the people are doubled, the error falls, and at the end it still does. So more
# people would probably help, even a predictor without a network. Who comes first is chance: try
# another seed.

# %% [markdown]
# ## 08 Fingerprints
#
# **8.1.** The EER by hand: of genuine scores 0.9, 0.7, 0.4 and impostor scores 0.6, 0.3, 0.1, and
# then of all pairs of the drawn people.


# %%
def equal_error_rate(genuine, impostor):
    sides = genuine, impostor
    thresholds = np.concatenate(sides)
    below = [np.searchsorted(np.sort(each), thresholds) / len(each) for each in sides]
    place = np.abs(1 - sum(below)).argmin()
    return (1 - below[1][place] + below[0][place]) / 2


rendered = speculo.load("heads-medium", people=heads_people)
alike = recognition.Cosine(fingerprints.shipped()(rendered.images))
genuine, impostor = recognition.pair_scores(alike, rendered.person)
eer = equal_error_rate(genuine, impostor)
library = recognition.verification(alike, rendered.person).eer()
print(f"Six pairs: {equal_error_rate([0.9, 0.7, 0.4], [0.6, 0.3, 0.1]):.1%}")
print(f"Drawn people: by hand {eer:.2%}, by the library {library:.2%}")

# %% [markdown]
# Between 0.4 and 0.6 one genuine pair of three is refused and one impostor pair of three is taken:
# a third. For the drawn people both ways print the same. They may differ a little, because the
# library also interpolates between two thresholds.
#
# **8.2.** With a threshold at FMR 1%, how often does a stranger find somebody in a gallery of 1,
# 10, 50 or 100 people?

# %%
limit = np.quantile(impostor, 0.99)
half = len(rendered.names) // 2
galleries = recognition.galleries(rendered.person, 20, seed)[:, :half]
found = alike[rendered.person >= half][:, rng.permuted(galleries, axis=1)] >= limit
for count in [each for each in (1, 10, 50, 100) if each <= half]:
    measured, formula = found[:, :, :count].any(axis=2).mean(), 1 - 0.99**count
    print(f"people {count:3}: measured {measured:.1%}, 1 - 0.99 ** {count} is {formula:.1%}")

# %% [markdown]
# One error in a hundred pairs sounds like little. But each person in the gallery is another chance
# to err, and among a hundred a stranger finds somebody in about half of the searches. The formula
# takes the pairs for independent. They are not: some strangers are like many people and most are
# like nobody, so in large galleries the measured share lies below it.

# %% [markdown]
# ## 09 The explorer
#
# **9.1.** Whom does the fingerprint model draw worst among the drawn people, by its error, and by
# its error in parts of that of the mean front?

# %%
first = runs.recorded(fingerprints.SHIPPED)
train, test = first.unseen(speculo.load("heads-medium", people=heads_people // 2), seed=seed)
test = test.turned
outputs = evaluation.predict(first.model(), test)
by_model = evaluation.by_person(evaluation.squared_error(outputs, test), test)
blind = np.repeat(evaluation.mean_front(train)[np.newaxis], len(test), axis=0)
by_mean = evaluation.by_person(evaluation.squared_error(blind, test), test)
parts = by_model["MSE"] / by_mean["MSE"]
worst, other = by_model.index[-1], parts.idxmax()
print(f"By its error: {worst}. In parts of the mean front: {other}, {parts.max():.0%} of it")
plots.extremes(test, outputs, by_model.loc[list(dict.fromkeys([other, worst]))], 1)

# %% [markdown]
# **Figure 11.3.** The two people, with their photos, what is drawn of them, and the front at the
# end of the row. Beside the names stand the errors.
#
# The two answers need not be the same person, and here they are two. A large error can mean that
# somebody is unlike everybody else, and that the mean front would be worse still. Where the part is
# about 100%, the model draws this person no better than a mean front that knows nobody. Compare the
# drawings with the fronts: what is missing is the shape of the face. Then turn the explorer to both
# people.

# %% [markdown]
# ## 10 Beyond one machine
#
# **10.1.** How much faster does YouTube Faces get with 4, 16 and a million workers, and how much
# with one GPU for the training?

# %%
stages = scale.measured(trained, photos=photos, side=250, disk=150e6)
sizes = {"YouTube Faces": scale.FRAMES}
options = {"epochs": trained.epochs, "gpu": 30_000}  # GFLOP a second, as the chapter assumes
for workers in (4, 16, 1_000_000):
    costs = scale.costs(stages, sizes, workers=workers, **options).droplevel("dataset")
    here, shared = costs["here"].sum(), costs["workers"].sum()
    other = shared + costs.loc["training", "GPU"] - costs.loc["training", "workers"]
    times = f"{here / shared:.2f} times as fast, with the GPU {here / other:.0f} times"
    print(f"workers {workers:,}: {times}")
serial = costs["here"][[each.name for each in stages if not each.divides]].sum() / here
print(f"{serial:.1%} cannot be divided, so never more than {1 / serial:.2f} times without the GPU")

# %% [markdown]
# Where one stage follows the other, hardly at all: workers share what is quick already, and the
# training waits for nobody. What cannot be divided sets the limit, however many workers there are.
# This is *Amdahl's law*. The GPU moves the limit, and only then the workers are worth their money:
# find the longest stage first.

# %% [markdown]
# ## What we learned
#
# A guess that is written down before the sum is done shows what one has understood. Most of the
# surprises here have one root: a number was looked at alone. Beside it belonged the mean face, the
# second-best front, another seed, another split, a larger gallery, or the part that nobody can
# divide.
#
# This is the last page of the book. Back to [the first chapter](00_start_here.ipynb).

# %% tags=["metrics"]
{
    "mean_front": round(errors["the mean front"], 5),
    "eer": round(float(eer - library), 4),
    "serial": round(float(serial), 3),
}
