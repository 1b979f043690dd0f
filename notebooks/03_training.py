# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 Training
#
# In this notebook we train the network of the card on photographs of real people.
#
# A run is a folder in `runs/`. It holds the parameters, the log, the weights and a picture of some
# held-out faces after each epoch. More epochs continue a finished run. You can stop the training at
# any time, even by switching the machine off. Run the cell again, and the training goes on after
# the last full epoch.

# %% tags=["parameters"]
dataset = "orl"  # the faces, by name; chapter 01 lists the names
people = None  # how many people; None takes all
crop = None  # "auto" finds the face in each photo of a folder of snapshots
architecture = "v8"  # or "v7", "v8-mended"; "v8-4th" has a fourth of the channels
epochs = 12  # passes over the train pairs, in all
batch_size = 16  # pairs in a step
seed = 0  # of all that is random: the split, the first weights, the order, the dropout
precision = None  # "float32", "mixed_bfloat16", "mixed_float16"; None: what this device does fast
run = None  # name of a folder in runs/; None takes the chapter's own

# %%
import speculo

speculo.chapter.begin()

from IPython.display import display

from speculo import augmentation, card, checks, device, files, model, pairs, plots, runs, training

config = model.named(architecture)
print(device.report())

# %% [markdown]
# ## The pairs
#
# The network, the loss and the optimizer are those of the card. The data are not: v8 learned from
# more than 600,000 pairs. The card names no batch size, and its code took 64 pairs for each step.
# We have fewer pairs, so we take smaller batches. An epoch then has enough steps to move the
# weights, and the *running averages* of batch normalisation. In training, batch normalisation
# scales by the mean and the variance of the batch. Afterwards it scales by averages of these,
# gathered step by step. The nearer its *momentum* is to 1, the more slowly they follow.

# %%
faces = speculo.load(dataset, people=people, crop=crop)
split = pairs.split(faces, seed=seed)
steps = -(-len(split.train) // checks.whole_number("batch_size", batch_size))
gflop = 6e-9 * sum(model.multiplications(model.build(config)).values())
print(f"{len(split.train)} pairs to train on, {len(split.test)} to test on")
print(f"An epoch: steps {steps}, TFLOP {gflop * len(split.train) / 1000:.2g}")

# %% [markdown]
# ## Train
#
# The figure is redrawn after each epoch. *Train* is the mean loss over the steps of the epoch, with
# dropout where the network has it; *test* is the loss on the held-out people at its end.

# %%
trained = runs.at(run or runs.default_name(config, faces.name, people=people, crop=crop, seed=seed))
live = display(plots.loss(trained.history), display_id=True)
training.train(
    config,
    split,
    trained,
    recipe=augmentation.named(architecture),
    epochs=epochs,
    batch_size=batch_size,
    seed=seed,
    precision=precision,
    on_epoch=lambda now: live.update(plots.loss(now.history, title=now.title)),
)
live.update(plots.loss(trained.history, title=trained.title if trained.epochs else ""))

# %% [markdown]
# **Figure 3.1.** The loss on the people trained on and on the people held out, by epoch. Does the
# test loss jump, or even leave the frame? It uses the running averages of batch normalisation, and
# in v8 these follow the weights slowly. In the first epochs they are far behind, and later it can
# still jump. A test loss below the training loss does not mean that the network is good. The
# training loss is measured with dropout, which makes it larger, and on other people.

# %% [markdown]
# ## The log
#
# The card's training log was left empty. Here is ours. It is in `history.csv` too.

# %%
print(card.training_log(trained))

# %%
history, settings = trained.history, trained.settings
print(f"{history['seconds'].sum():.0f} s in {trained.epochs} epochs")
print(f"{history['images_per_second'].median():.1f} images/s (median of the epochs)")
print(
    f"{history['images_per_second'].median() * gflop:.0f} GFLOP/s, counted by the formula of chapter 02"
)
print(f"Precision {settings['precision']}, seed {settings['seed']}")
print(", ".join(f"{name} {version}" for name, version in trained.part("versions", {}).items()))
print(f"All of it is in {files.shown(trained.path)}")

# %% [markdown]
# ## Epoch by epoch
#
# After each epoch the network draws the same held-out people.

# %%
drawn = speculo.snapshots.read(trained)
some = sorted({*list(drawn)[:: max(1, len(drawn) // 5)], max(drawn)})
plots.snapshots(split.test, [drawn[epoch] for epoch in some], some)

# %% [markdown]
# **Figure 3.2.** First row, the photos; last row, the fronts to be drawn; between them the
# predictions after some of the epochs. Rows can be plain grey or a white pattern: batch
# normalisation draws with averages that lag behind the weights. Look at the later rows: do they
# differ from person to person? With the default parameters they show a patch, bright where faces
# are bright, that differs little. Chapter 04 measures how little.

# %% [markdown]
# ## What we learned
#
# The network of the card trains without a GPU. The log says how fast. With the default parameters
# the training loss falls, quickly in the first epochs and then slowly. It can still go up for an
# epoch. Is it a good loss? The loss alone cannot tell. The next chapter compares it with the errors
# of baselines.
#
# ## Exercises
#
# **3.1.** A picture of 0.5 everywhere, for everybody: what is its loss on the held-out people? Say
# first by which epoch the network will be better, and how much better its best epoch is.
# `evaluation.mse` (in `speculo`) and `trained.history` have the answer.
#
# Solutions: [11 Solutions](11_solutions.ipynb).
#
# Next: [04 Results](04_results.ipynb).

# %% tags=["metrics"]
{
    "epochs": trained.epochs,
    "loss": round(float(history["loss"].iloc[-1]), 5),
    "val_loss": round(float(history["val_loss"].min()), 5),
}
