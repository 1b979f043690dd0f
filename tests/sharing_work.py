"""A training for tests/test_sharing.py, in a process of its own: prints its log and a digest of its weights."""

import hashlib
import json
import sys
from dataclasses import replace

import speculo
from speculo import device, pairs, runs, sharing, training
from speculo.model import V8

TINY = replace(V8, name="Speculo-tiny", filters=(8, 8), latent_size=16)

name, *epochs = sys.argv[1:]
split = pairs.split(speculo.load("orl", people=int(name.rsplit("-", 1)[1])))
run = runs.at(name)
for number in epochs:  # each begins as a new call does: with a new network
    # Of 15 pairs two devices cannot take the same number.
    training.train(TINY, split, run, epochs=int(number), batch_size=15, precision="float32")
weights = runs.get_weights(run.model())
found = {
    "loss": run.history["loss"].tolist(),
    "val_loss": run.history["val_loss"].tolist(),
    "weights": hashlib.sha256(
        b"".join(weights[key].tobytes() for key in sorted(weights))
    ).hexdigest(),
    "settings": run.settings["devices"],
    "device": run.record["device"],
    "devices": sharing.devices(),
    "report": device.report(),
}
print(json.dumps(found))
