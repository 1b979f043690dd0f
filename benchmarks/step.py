"""What a training step of v8 is made of. Run by hand: ``python benchmarks/step.py``.

It trains on ORL as chapter 03 does, with TensorFlow's profiler on, and adds up the operations by kind.
The ratio to the peak of the convolutions in the same run is the measure: images a second of another
machine, or of a busy one, are none.
"""

import argparse
import re
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

import speculo
from speculo import device, model, pairs
from speculo.backend import keras

if keras.config.backend() != "tensorflow":
    raise SystemExit("The profiler is TensorFlow's: run this with KERAS_BACKEND=tensorflow.")

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

CONVOLUTIONS = (
    "convolution, forward",
    "convolution, input gradient",
    "convolution, filter gradient",
)
KINDS = (*CONVOLUTIONS, "batch norm", "dropout", "optimizer", "casts", "rest")

NOT_OPERATIONS = re.compile("ExecutorState|ExecutorDone|Threadpool|EagerLocal|EagerKernel")
"""What the profiler writes beside the operations, some of it around them all."""


def kind(name: str, operation: str) -> str:
    """Tell to which of `KINDS` an operation belongs, by its name in the graph and its type."""
    backward = name.startswith("gradient_tape/") or "_gradient/" in name
    if "dropout" in name:
        return "dropout"
    if "batch_norm" in name:
        return "batch norm"
    if "conv2d" in name:
        return convolution(operation, "conv2d_transpose" in name, backward)
    if name.startswith("adam/"):
        return "optimizer"
    return "casts" if operation == "Cast" else "rest"


def convolution(operation: str, transposed: bool, backward: bool) -> str:
    """Tell forward and the two gradients apart. Bias and ReLU go with the pass that they are in."""
    forward, to_input, to_filter = CONVOLUTIONS
    if not backward:
        return forward
    # A transposed convolution goes backward as a convolution, and the other way round.
    products = "Conv2D" if transposed else "Conv2DBackpropInput"
    if "BackpropFilter" in operation or products not in operation and "Relu" not in operation:
        return to_filter
    return to_input


def profile(work, steps: int) -> Counter:
    """Milliseconds a step of each (name, type) of operation."""
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(steps):
            work()
        tf.profiler.experimental.stop()
        space = xplane_pb2.XSpace()
        space.ParseFromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
    taken = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events if line.name.startswith("tf_Compute") else ():
                name, _, operation = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if name and not NOT_OPERATIONS.search(name):
                    taken[name, operation] += event.duration_ps / 1e9 / steps
    return taken


def peak(network: keras.Model, batch: int, precision: str, rounds: int = 5) -> tuple[float, str]:
    """GFLOP/s of the fastest convolution of the network, forward, and its name."""
    rates = {}
    counts = model.multiplications(network)
    dtype = keras.dtype_policies.get(precision).compute_dtype
    for name, count in counts.items():
        layer = network.get_layer(name)
        if isinstance(layer, keras.layers.Dense):
            continue
        inputs = keras.random.uniform((batch, *layer.input.shape[1:]), dtype=dtype)
        kernel = keras.ops.cast(layer.kernel, dtype)
        transposed = isinstance(layer, keras.layers.Conv2DTranspose)
        convolve = keras.ops.conv_transpose if transposed else keras.ops.conv

        @tf.function
        def work(inputs, kernel, convolve=convolve, strides=layer.strides[0]):
            return convolve(inputs, kernel, strides=strides, padding="same")

        work(inputs, kernel)
        seconds = [clock(lambda: work(inputs, kernel)) for _ in range(rounds)]  # noqa: B023
        rates[name] = 2e-9 * batch * count / float(np.median(seconds))
    best = max(rates, key=rates.get)
    return rates[best], best


def clock(work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=16)
    wanted = parser.parse_args()
    print(device.report().splitlines()[0])
    precision = device.precision()
    network = model.build(model.V8, precision=precision, seed=0)
    train = pairs.split(speculo.load("orl")).train
    inputs, targets = train.batch(slice(0, wanted.batch))

    def step() -> None:
        float(network.train_on_batch(inputs, targets))

    step(), step()
    # The peak is taken on both sides of the steps: a moment when the machine is busy hits both.
    before = peak(network, len(inputs), precision)
    begun = time.process_time()
    times = [clock(step) for _ in range(wanted.steps)]
    seconds, busy = float(np.median(times)), (time.process_time() - begun) / sum(times)
    best, shape = max(before, peak(network, len(inputs), precision))
    taken = Counter()
    for (name, operation), milliseconds in profile(step, min(wanted.steps, 3)).items():
        taken[kind(name, operation)] += milliseconds
    whole = taken.total()
    print(
        f"{len(inputs) / seconds:.1f} images/s, {1000 * seconds:.0f} ms a step of {len(inputs)}; "
        f"{busy:.2f} of {device.find().count} cores were this process's"
    )
    for name in KINDS:
        print(f"  {name:28} {taken[name]:7.1f} ms  {taken[name] / whole:6.1%}")
    flop = 3 * 2e-9 * len(inputs) * sum(model.multiplications(network).values())
    print(
        f"The step does {flop / seconds:.0f} GFLOP/s, the fastest convolution ({shape}, forward) "
        f"{best:.0f}: {flop / seconds / best:.0%} of the peak"
    )
    ideal = 1000 * flop / best
    excess = {name: taken[name] - ideal / 3 * (name in CONVOLUTIONS) for name in KINDS}
    most = sorted(excess, key=excess.get, reverse=True)[:3]
    print(
        f"Convolutions alone at their peak would take {ideal:.0f} ms; most of what stands in the way is "
        + ", ".join(f"{name} ({excess[name]:.0f} ms)" for name in most)
        + "."
    )


if __name__ == "__main__":
    main()
