# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 Beyond one machine
#
# In this notebook we measure what a photo costs on this machine, work out what YouTube Faces and a
# thousand times YouTube Faces would cost, and try a cluster, two devices and an index, all in small
# versions on this machine.
#
# The book learns from a few hundred photos, so that it runs on a laptop. v8 learned from hundreds
# of thousands. For as many photos as that, you change an environment variable or a parameter of
# these chapters, and not their code.
#
# The training is the one of chapter 03: run that first.

# %% tags=["parameters"]
dataset = "orl"  # the faces, by name; chapter 01 lists the names
people = None  # how many people; None takes all
crop = None  # "auto" finds the face in each photo of a folder of snapshots
seed = 0  # of all that is random: the split, the first weights, the order, the dropout
run = None  # name of a folder in runs/; None takes the chapter's own
heads_people = 200  # how many drawn people
photos = 400  # how many photos are written and prepared to measure it
workers = 16  # machines like this one
gpu_teraflops = 100.0  # the most that a GPU can do, in TFLOP/s: 10 to the 12 operations a second
gpu_share = 0.3  # the part of that which a training is expected to reach
spread = 0.3  # by how much the time of a piece of work varies, in parts of its mean
disk = 150.0  # megabytes a second of the disk that the photos are read from
crowd = 50_000  # how many fingerprints the index holds

# %%
import speculo

speculo.chapter.begin()

import tempfile
import time
from dataclasses import replace

import numpy as np
import pandas as pd

from speculo import cluster, fingerprints, index, plots, runs, scale
from speculo.model import V8

name = run or runs.default_name(
    V8, speculo.load(dataset, people=people, crop=crop).name, people=people, crop=crop, seed=seed
)
trained = runs.open(name)
made = trained.record["device"]
print(f"Run {trained.name} was trained on {made['kind'].upper()} {made['name']}.")

# %% [markdown]
# ## What does one photo cost?
#
# A photo goes through four stages. It is *read* from a disk. It is *prepared*: decoded, the face
# found, cut out, and shrunk to 32 x 32 pixels. It is *trained* on, once in each epoch. In the end
# its fingerprint is taken and put into an *index*, where others can be searched for.
#
# To measure the second stage we draw heads, write them as JPEG files, and prepare them. The rate of
# the training stands in the log of its run. For the last stage we use the fingerprint model of
# chapter 08. The speed of the disk is a parameter: files that were just written are still in
# memory, so reading them back would tell nothing about the disk.
#
# *GFLOP* counts the multiplications and additions of a network in billions. A photo that is trained
# on counts three times: once forward, and twice for the gradients. The small network that finds the
# face is not counted.

# %%
stages = scale.measured(trained, photos=photos, side=250, disk=disk * 1e6)
speculo.chapter.table(
    pd.DataFrame(
        {
            "photos a second": [each.rate for each in stages],
            "bytes a photo": [each.size for each in stages],
            "GFLOP a photo": [each.gigaflop for each in stages],
            "more workers help": ["yes" if each.divides else "no" for each in stages],
        },
        index=[each.name for each in stages],
    ),
    {"photos a second": "{:,.0f}", "bytes a photo": "{:,.0f}", "GFLOP a photo": "{:,.2f}"},
)

# %% [markdown]
# A *worker* is here a machine like this one, with all its cores. Two stages stay as they are when
# workers are added: all of them read from one disk, and one training runs in one place.
#
# ## What does a dataset cost?
#
# The costs grow in proportion, so the table needs no more than these rates and a number of photos.
# We compare ORL, YouTube Faces (the dataset of v8), and a thousand times YouTube Faces. Every photo
# is read, prepared and indexed once, and trained on in every epoch. The last three columns are
# times: on this machine, on several workers, and on one GPU. How fast the GPU is, is a parameter
# above, and an assumption: no GPU was measured.

# %%
sizes = {"ORL": 400, "YouTube Faces": scale.FRAMES, "1000 x YouTube Faces": 1000 * scale.FRAMES}
gpu = 1000 * gpu_teraflops * gpu_share
passes = trained.epochs
costs = scale.costs(stages, sizes, epochs=passes, workers=workers, gpu=gpu)
print(
    f"{passes} epochs; {workers} workers, or one GPU: {gpu_share:.0%} of {gpu_teraflops:g} TFLOP/s"
)
speculo.chapter.table(
    costs,
    {"GB": "{:,.3g}", "GFLOP": "{:,.3g}"} | {name: scale.spoken for name in costs.columns[2:]},
)

# %%
large = costs.loc["YouTube Faces"]
slowest, share = large["here"].idxmax(), large["here"].max() / large["here"].sum()
print(
    f"YouTube Faces takes {scale.spoken(large['here'].sum())} on this machine. {share:.0%} of that is {slowest}."
)
print(
    f"As small grey pictures all its faces take {large.loc['training', 'GB']:.2f} GB, so they fit into memory."
)

# %% [markdown]
# ## Where does it stall?
#
# Times of single stages say little about a *pipeline*, in which each stage waits for the one before.
# So we simulate the pipeline. The training is on the GPU of the table above, and takes each photo
# as often as there are epochs, before it goes on to the index. All other stages are as measured.
#
# Each stage hands on pieces of 64 photos in their order, and before each there is room for two
# pieces a worker. The time of a piece varies, by the parameter `spread`. A worker with a piece that
# is done is *held up* while it is not yet that piece's turn, or while there is no room for it. A
# worker that has no piece *waits*.

# %%
pipeline = [
    replace(each, rate=gpu / each.gigaflop / passes) if each.name == "training" else each
    for each in stages
]
equal = pipeline[2].rate / pipeline[1].rate  # so many workers prepare as fast as the GPU trains
counts = np.unique(np.linspace(1, 2 * equal + 4, 12).astype(int)).tolist()
pipelines = {count: scale.simulate(pipeline, count, spread=spread, seed=seed) for count in counts}
print(f"The GPU alone would train on {pipeline[2].rate:,.0f} photos a second, {passes} times each.")
rates = {count: each["rate"].iloc[0] for count, each in pipelines.items()}
enough = next(count for count, rate in rates.items() if rate > 0.95 * max(rates.values()))
busiest = pipelines[max(pipelines)]["works"].idxmax()
print(
    f"The whole pipeline does {rates[1]:,.0f} photos a second with one worker, and {max(rates.values()):,.0f} at most."
)
print(
    f"It needs {enough} workers to come close. With {max(pipelines)}, the busiest stage is {busiest}."
)
plots.stalls(pipelines)

# %% [markdown]
# **Figure 10.1.** Left, how fast the whole pipeline is, by the number of workers. Where the curve
# turns flat, more workers no longer help. Right, what each stage does with its time, with few
# workers, with some, and with many. Look for the stage that works nearly all the time. The stages
# after it wait for it, and the stages before it are held up by it. More workers help only if they
# can share the work of this stage.
#
# ## The same calls on a cluster
#
# Drawing heads, reading photos and trying trainings fall into pieces that need nothing of each
# other. All of them go through `cluster.each`, which uses joblib: here on the cores of this
# machine, and where the environment variable `SPECULO_CLUSTER` names the scheduler of a
# [Dask](https://distributed.dask.org) cluster, on its workers. Below, the cluster is only two
# processes on this machine, which share its cores, so nothing gets faster. (Dask calls each process
# a worker. In the tables above, a worker was a whole machine.) The question is whether the pictures
# are the same.

# %%
same = None
if scale.have("distributed", '-e ".[cluster]"'):
    with cluster.none():
        here, seconds_here = scale.drawn_afresh(24)
    with cluster.local(workers=2):
        there, seconds_there = scale.drawn_afresh(24)
    same = np.array_equal(here, there)
    print(f"{len(here)} heads: {seconds_here:.1f} s here, {seconds_there:.1f} s on two workers")
    print(f"The pictures are {'the same, byte for byte' if same else 'NOT the same'}.")

# %% [markdown]
# ## One training on several devices
#
# A training is one long chain of steps, and cannot be cut into pieces. But each step can be shared:
# every device holds the whole network, takes a part of the batch, and they add up their gradients.
# The book does so with JAX, on all devices that it finds; TensorFlow and PyTorch train on one. Here
# the devices are virtual: JAX takes the CPU for one device, and then for two.

# %%
apart = None
if scale.have("jax", "jax"):
    answers = scale.on_devices(1, 2)
    for each in answers:
        print(f"Devices: {each['devices']}. Losses of two epochs: {np.round(each['losses'], 5)}")
    apart = float(np.abs(np.subtract(answers[0]["losses"], answers[1]["losses"])).max())
    print(f"They differ by {apart:.0e} at most, which is rounding.")

# %% [markdown]
# ## An index for many fingerprints
#
# Exact search compares a question with every fingerprint. An *index* is a graph in which each
# fingerprint knows some neighbours: a search walks along them towards the question and reads few.
# It lies in files, which may be larger than the memory. The price is that it can miss a neighbour.
# *Recall* is the share of the true neighbours that it finds.
#
# We take the fingerprints of drawn people and make up many more: each is the fingerprint of one
# photo, moved by the difference between two photos of another person. Then we make a hundred more
# in the same way, and ask for the ten nearest neighbours of each.

# %%
recall = None
heads = speculo.load("heads-medium", people=heads_people)
prints = fingerprints.shipped()(heads.images)
gallery = scale.crowd(prints, heads.person, crowd, seed)
queries = scale.crowd(prints, heads.person, 100, seed + 1)
begin = time.perf_counter()
exact, _ = fingerprints.nearest(queries, gallery, 10)
seconds = time.perf_counter() - begin
print(
    f"Exact search: {len(queries)} questions to {len(gallery):,} fingerprints in {1000 * seconds:.0f} ms"
)
if scale.have("usearch", '-e ".[index]"'):
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        for start in range(0, crowd, index.AT_ONCE):
            index.add(folder, gallery[start : start + index.AT_ONCE])
        made = time.perf_counter()
        found, _ = index.nearest(folder, queries, 10)
        seconds = time.perf_counter() - made
    recall = index.recall(found, exact)
    print(f"The index: {1000 * seconds:.0f} ms, recall {recall:.1%}; made in {made - begin:.1f} s")

# %% [markdown]
# At this size exact search is quick enough, and it is what the book uses everywhere else. An index
# pays where the fingerprints no longer fit into memory, or where many questions a second are asked.
# For an index that many machines ask, there are servers such as [Milvus](https://milvus.io): they
# take the same rows of numbers.
#
# ## What we learned
#
# If costs grow in proportion to the photos, as we assumed, one stage has most of them: the line
# below the table names it. More workers speed up only the stages that can be divided, until one of
# the others sets the limit. The simulation shows that stage before anybody pays for workers. An
# environment variable takes the pieces to a cluster, another backend takes a training to several
# devices, and two functions take the fingerprints to a disk.
#
# ## Exercises
#
# **10.1.** How many times as fast does YouTube Faces get with 4, 16 and a million workers, if one
# stage follows the other? And if the training is on the GPU besides? Predict it from the share that
# is printed below the table. `scale.costs` has the rest.
#
# Solutions: [11 Solutions](11_solutions.ipynb).
#
# ## What to take to your own autoencoder
#
# The book ends here; solutions follow. These are the questions that find the faults of v8.
# They fit any network that draws.
#
# - **What is the baseline?** Put the error of one constant picture, of the mean picture and of a
#   linear map beside every loss. Chapter 04 does it in one table.
# - **Can the output reach the target?** Compare the range of the two before any training. Chapter
#   02 found that half of the grey scale was out of v8's reach.
# - **Do the running averages of batch normalisation keep up?** Draw the same photos with the
#   averages of the batch, and with the running ones, and compare. Averages that follow slowly make
#   the longest bar of figure 7.1.
# - **Is the input scaled alike in training and in use?** In chapter 05 one division by 255 is
#   missing, and all drawings become nearly the same.
# - **Who is in the split?** No person may be on both sides. Chapter 01 checks it, and looks for the
#   same photo under two names.
# - **What does the metric reward?** In chapter 06 a blurred picture beats a sharp one of the right
#   person.
# - **What does each change do by itself?** Use several seeds, and change one thing at a time. A
#   difference counts only if it is more than twice the spread over seeds. Chapters 05 to 07 do
#   this.
#
# What the models of this book can do: the mended v8 draws faces that differ from person to person,
# and the fingerprint model finds people whom it has never seen more often than raw pixels do. What
# they cannot: the drawings are blurred, on ORL a linear map comes nearer to the fronts than the
# network does, and the fingerprint errs more often for some groups of people and for heads in
# profile. Chapters 07 and 08 have the numbers. None of these models is fit to decide who somebody
# is.
#
# To see your own model in the explorer, train one in [chapter 03](03_training.ipynb) and run
# [chapter 09](09_explorer.ipynb). Or go back to [the first chapter](00_start_here.ipynb).
#
# Next: [11 Solutions](11_solutions.ipynb).

# %% tags=["metrics"]
{
    "preparing": round(stages[1].rate),
    "hours": round(float(large["here"].sum()) / 3600, 1),
    "enough": enough,
    "same": same,
    "apart": apart,
    "recall": recall,
}
