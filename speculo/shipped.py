"""The small model whose weights come with the book: trained on heads and on people of ORL.

``python -m speculo.shipped`` trains it again, into ``runs/mended-small``, and puts
weights, log and model card into ``data/recorded/mended-small``. People 33 to 40 of
ORL are not among its people: not to train on, and not to choose an epoch by.
"""

import argparse
import hashlib
import shutil
from dataclasses import replace

import numpy as np

import speculo
from speculo import ablation, card, evaluation, faces, files, model, pairs, plots, runs, training
from speculo.pairs import Pairs, Split
from speculo.runs import Run

NAME = "mended-small"
HELD_OUT = 0.1
"""Share of the heads that choose the epoch."""
TIMES = 10
"""How often an epoch meets each photo of ORL: these people are few among the heads."""

CONFIG = replace(
    model.narrowed(model.V8_MENDED, 16),
    name=f"Speculo-{NAME}",
    shift=1.0,  # heads stand exactly in their place: moved less, they are learned better
    turn=3.0,
    zoom=0.03,
    light=0.1,
)
"""The mended model at a sixteenth of the card's channels."""


def people(heads: int) -> Split:
    """Heads and people of ORL to train on, other heads to choose the epoch by."""
    orl = faces.select(speculo.load("orl"), ablation.CHOICE)
    drawn = speculo.load("heads-medium", people=heads)
    test = drawn.names[-round(HELD_OUT * heads) :]
    train, test = pairs.split_by_names(faces.join(orl, drawn), test)
    real = train.person < len(orl.names)
    index = np.concatenate([np.flatnonzero(~real), np.repeat(np.flatnonzero(real), TIMES)])
    return Split(Pairs(train.faces, train.input[index], train.target[index]), test)


def ship(run: Run, split: Split) -> Run:
    """Copy a finished run to the book's own, its best weights as float16.

    Halves are exact enough: ``tests/test_shipped.py`` has the measure.
    """
    shipped = Run(runs.RECORDED / run.name)
    if shipped.path.exists():
        shutil.rmtree(shipped.path)
    arrays = files.read_arrays(run.path / "best.npz")
    halves = {
        name: array.astype(np.float16) if array.dtype == np.float32 else array
        for name, array in arrays.items()
    }
    files.write_arrays(shipped.path / "best.npz", halves)
    shipped.write_history(run.history)
    digest = hashlib.sha256((shipped.path / "best.npz").read_bytes()).hexdigest()
    shipped.write_record(run.record | {"sha256": {"best.npz": digest}})
    last = ablation.last_test()[f"{ablation.LAST[0]}..{ablation.LAST[-1]}"]
    network = shipped.model()
    outputs = evaluation.predict(network, last.test)
    shipped.save_picture(plots.dataset(split), "dataset")
    shipped.save_picture(plots.model_graph(network), "model")
    shipped.save_picture(plots.loss(run.history, title=run.title), "loss")
    shipped.save_picture(plots.predictions(last.test, outputs, title=run.best_title), "predictions")
    error = evaluation.squared_error(outputs, last.test).mean()
    card.write(
        shipped,
        notes=[
            "trained again by `python -m speculo.shipped`",
            f"the pictures are of people {ablation.LAST[0]} to {ablation.LAST[-1]} of ORL, "
            f"who are not in the training: MSE {error:.4f}",
            "the test loss of the log is that of heads that were held out",
        ],
    )
    return shipped


def main() -> None:
    """Read the command line, train, and ship."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m speculo.shipped")
    parser.add_argument("--heads", type=int, default=600, help="how many people")
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    split = people(options.heads)
    run = runs.at(NAME)
    training.train(
        CONFIG,
        split,
        run,
        epochs=options.epochs,
        batch_size=32,
        precision="float32",
    )
    shipped = ship(run, split)
    size = sum(path.stat().st_size for path in shipped.path.glob("*.npz"))
    print(f"{files.shown(shipped.path)}: {size / 1e6:.1f} MB of weights")


if __name__ == "__main__":
    main()
