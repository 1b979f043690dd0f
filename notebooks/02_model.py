# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 The model
#
# In this notebook we build Speculo-v8 layer by layer, check it against its card, and look at what
# its shape allows before any training.

# %% tags=["parameters"]
dataset = "orl"  # the faces, by name; chapter 01 lists the names
people = None  # how many people; None takes all
crop = None  # "auto" finds the face in each photo of a folder of snapshots
seed = 0  # of all that is random: the split, the first weights, the order, the dropout
run = None  # name of a folder in runs/; None takes the chapter's own

# %%
import speculo

speculo.chapter.begin()

import numpy as np

from speculo import card, diagnosis, evaluation, files, model, pairs, plots, runs
from speculo.backend import keras  # Keras, without its backend's notes on itself
from speculo.model import V8

faces = speculo.load(dataset, people=people, crop=crop)
trained = runs.at(run or runs.default_name(V8, faces.name, people=people, crop=crop, seed=seed))
V8

# %% [markdown]
# The settings from `optimizer` to `latent_size` are all that the card lists, beside a summary of
# the layers. The rest stands in the code that v8 was published with: the ReLU at the end, the
# dropout, kernels of 3 by 3 pixels, and where the activations are. `mean_face` and `halvings` are
# changes that chapter 07 needs; in v8 they are off.
#
# ## The encoder
#
# Three layers, five times over: a convolution, the maximum of 2 by 2 pixels, and dropout. Each
# round halves the height and the width of the picture. The first round makes 1024 channels out of
# one, and each of the others halves their number, down to 64. The code says *filters* for the
# channels that a layer makes. Most encoders do the opposite: they add channels while the picture
# shrinks.

# %%
layers = keras.layers
x = inputs = keras.Input(V8.input_shape)
for filters in V8.filters:
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Dropout(0.1)(x)
    print(f"{filters:5} filters -> {x.shape[1:]}")

# %% [markdown]
# ## The latent
#
# What is left of the picture is 1 by 1 pixel with 64 channels. A linear layer turns these 64
# numbers into 4096, the fingerprint, and another one turns them back into 64. The inner numbers of
# an autoencoder are called its *latent*: here latent and fingerprint are the same 4096 numbers.

# %%
x = layers.Dropout(0.2)(layers.Flatten()(x))
fingerprint = layers.Dense(V8.latent_size)(x)
x = layers.Reshape((1, 1, 64))(layers.Dense(64)(fingerprint))
print(f"fingerprint {fingerprint.shape[1:]} -> {x.shape[1:]}")

# %% [markdown]
# ## The decoder
#
# Again three layers, five times over: a transposed convolution that doubles the picture, batch
# normalisation, and dropout. One more transposed convolution makes a single channel, the grey picture.
# It ends in a ReLU, and then a sigmoid follows. With $x$ for what this convolution sums up at a
# pixel, the pixel that is drawn is
#
# $$y = \sigma(\max(x, 0)), \qquad \sigma(t) = \frac{1}{1 + e^{-t}}.$$
#
# Remember that ReLU: it is the maximum in this formula.

# %%
for filters in reversed(V8.filters):
    x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Dropout(0.1)(layers.BatchNormalization()(x))
x = layers.Conv2DTranspose(1, 3, padding="same", activation="relu")(x)
outputs = layers.Activation("sigmoid")(x)
by_hand = keras.Model(inputs, outputs)

network = model.build(V8, seed=seed)
assert by_hand.count_params() == network.count_params()
print(f"{network.count_params():,} parameters, by hand and by speculo.model.build alike")

# %% [markdown]
# From here on, `model.build(V8)` does all of this.
#
# ## The summary
#
# The card prints a summary as Keras 2 wrote it. Here is ours, in the same form. A test holds it to
# the card's, byte for byte. The numbers in the names do not begin at 0: the card's v8 was the
# second model of its session, and Keras went on counting. So its first convolution is `conv2d_5`.

# %%
print(card.summary(network))

# %%
figure = plots.model_graph(network)
path = trained.save_picture(figure, "model")
print(f"Saved as {files.shown(path)}")
figure

# %% [markdown]
# **Figure 2.1.** The layers of v8 from left to right. Each box is what comes out of a layer. Where
# that is a picture, the box is as high as the picture and as wide as the number of its channels,
# both on a logarithmic scale. The thin orange boxes are rows of numbers: the more numbers, the
# higher the box. Look at the middle: the picture shrinks to a single pixel before the latent, so
# only 64 numbers get through.

# %% [markdown]
# ## Where the parameters and the arithmetic are
#
# Which layers are large, and which of them cost time? We count the work in GFLOP: a billion
# multiplications and additions.

# %%
multiplications = model.multiplications(network)
forward = 2e-9 * sum(multiplications.values())
heaviest = sorted(multiplications, key=multiplications.get)[-2:]
share = sum(multiplications[name] for name in heaviest) / sum(multiplications.values())
print(f"{forward:.2f} GFLOP to draw one image, about {3 * forward:.1f} to train on it.")
print(f"{' and '.join(heaviest)} do {share:.0%} of it.")
plots.costs(network)

# %% [markdown]
# **Figure 2.2.** The parameters of each layer, and its arithmetic for one image. Two layers, the
# ones between 1024 and 512 channels, hold most of the parameters and do nearly all of the work. The
# first encoder layer makes 1024 pictures of full size from one, and the next has to read them all.

# %% [markdown]
# ## What it can draw
#
# Before the training the weights are random and small, and the drawings are hardly more than one
# grey. But how dark a drawing can be does not depend on the weights at all.

# %%
split = pairs.split(faces, seed=seed)
untrained = evaluation.predict(network, split.test)
targets = split.test.batch()[1]
below, floor = evaluation.output_floor(split.test)
print(f"Outputs of the untrained v8: {untrained.min():.3f} to {untrained.max():.3f}")
print(f"Targets:                     {targets.min():.3f} to {targets.max():.3f}")
print(f"{below:.0%} of the target pixels are below 0.5.")
plots.output_range(targets, untrained)

# %% [markdown]
# **Figure 2.3.** The bars show how often each grey occurs in the targets. The line marks the
# darkest pixel that the untrained v8 draws. The ReLU gives zero or more, and the sigmoid of zero is
# 0.5. So no output can be darker than middle grey, whatever the weights are. All target pixels to
# the left of the line are out of v8's reach; their share is printed above.

# %% [markdown]
# ## What the fingerprint can hold
#
# We take the fingerprints of some faces and ask in how many directions they differ. The singular
# values tell. There is one singular value for each direction, and it says how much the fingerprints
# differ in that direction. A value of zero, up to rounding, means that they do not differ in it.
# The number of values that are not zero is the *rank*.

# %%
latents = model.forward(model.encoder(network), faces.images[:200]).astype(np.float64)
values = np.linalg.svd(latents - latents.mean(axis=0), compute_uv=False)
rank = diagnosis.rank(values)
print(f"{latents.shape[1]} numbers in a fingerprint, {len(latents)} faces, rank {rank}")
plots.singular_values(values[:128], rank=rank)

# %% [markdown]
# **Figure 2.4.** The first 128 singular values. After the marked rank they drop to rounding error.
# All 4096 numbers are computed from the 64 in front of them, so the rank is 64 at most. It is lower
# if one of the 64 is zero for every face, which their ReLU can cause, or if there are fewer than 64
# faces.

# %% [markdown]
# ## What we learned
#
# The network is the one on the card: the names, the shapes and the number of parameters are the
# same. Before any training we know two things about it. It cannot draw dark pixels, and the 4096
# numbers of its fingerprint hold no more than 64 do.
#
# ## Exercises
#
# **2.1.** Count the parameters of `conv2d_transpose_10` by hand: a kernel of 3 by 3 for each pair
# of an old and a new channel, and a bias for each new one. `network.get_layer` tells whether you
# are right. What share of v8 would a fingerprint of 128 numbers save? Guess first;
# `dataclasses.replace` changes a number of `V8`.
#
# **2.2.** Are 64 numbers few for a face? `fingerprints.principal` (in `speculo`) finds the main
# directions of the train photos, taken as rows of 1024 pixels. Rebuild the held-out photos from 1,
# 4, 16 and 64 directions. How many are needed to halve the error of the mean photo?
#
# Solutions: [11 Solutions](11_solutions.ipynb).
#
# Next: [03 Training](03_training.ipynb).

# %% tags=["metrics"]
{
    "parameters": network.count_params(),
    "rank": rank,
    "lowest_output": round(float(untrained.min()), 4),
    "floor": round(floor, 5),
}
