"""The model card of a run, in the form of the one that Speculo-v8 was published with."""

import math
import re
from pathlib import Path

from speculo import checks, files
from speculo.backend import keras
from speculo.runs import CIRCUMSTANCES, Run

WIDTH = 65
COLUMNS = (29, 55, 65)
"""Where the columns of a summary end, in characters."""

HEADINGS = ("Layer (type)", "Output Shape", "Param #")

CONTROLS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
"""Line ends and the like, and bytes of a file's name that are no UTF-8."""

MARKUP = re.compile(r"[\\`*\[\]<>|&$~#@]|:(?=//)|(?<=www)\.|(?<!\w)_|_(?!\w)")
"""What Markdown could take for its own."""


def summary(model: keras.Model) -> str:
    """Describe a model as Keras 2 did, byte for byte as under "Model Summary" on the card.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    str
        A line a layer between rules of 65 characters, names and types cut
        where their column ends, then the parameter counts. No newline at the
        end.
    """
    rule = "_" * WIDTH
    lines = [f'Model: "{model.name}"', rule, _row(HEADINGS), "=" * WIDTH]
    for layer in model.layers:
        shape = str(tuple(layer.output.shape))
        if isinstance(layer, keras.layers.InputLayer):
            shape = f"[{shape}]"  # Keras 2 gave the shapes of an input as a list
        kind = type(layer).__name__
        lines += [_row((f"{layer.name} ({kind})", shape, str(layer.count_params()))), rule]
    lines[-1] = "=" * WIDTH
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    frozen = sum(math.prod(weight.shape) for weight in model.non_trainable_weights)
    return "\n".join(
        [
            *lines,
            f"Total params: {trainable + frozen:,}",
            f"Trainable params: {trainable:,}",
            f"Non-trainable params: {frozen:,}",
            rule,
        ]
    )


def training_log(run: Run) -> str:
    """Write the history of a run as lines, one an epoch."""
    return "\n".join(
        f"Epoch {row.epoch}/{run.epochs} - {row.seconds:.0f}s - loss: {row.loss:.4f}"
        f" - val_loss: {row.val_loss:.4f} - {row.images_per_second:.1f} images/s"
        for row in run.history.itertuples()
    )


def write(run: Run, notes: list[str], network: keras.Model | None = None) -> Path:
    """Write the model card of a run to its ``README.md``.

    It has the headings, the order and the picture names of the published card:
    ``img/dataset.png``, ``img/model.png``, ``img/loss.png`` and
    ``img/predictions.png``, which the chapters write.

    Parameters
    ----------
    run : Run
    notes : list of str
        What was found, a line each.
    network : keras.Model, optional
        The run's model, where the run is kept without its weights.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError
        If the run has no weights, and no network is given.
    """
    config, settings = run.config, run.settings
    device, installed = (run.part(name, kinds) for name, kinds in CIRCUMSTANCES.items())
    loss = {"binary_crossentropy": "binary cross entropy"}.get(config.loss, config.loss)
    tested = checks.listed(settings["test_people"], 20)
    version = config.name.removeprefix("Speculo-")
    versions = ", ".join(f"{name} {number}" for name, number in installed.items())
    lines = [
        f"# Model {_text(version)}",
        f"Optimizer - {config.optimizer} (LR - {config.learning_rate}) <br>",
        f"Loss Function - {loss} <br>",
        f"Input Shape - {config.input_shape} <br>",
        f"Filters - {config.filters} <br>",
        f"Latent Size - {config.latent_size} <br>",
        "",
        "### Dataset Sample",
        f"{_text(settings['dataset'])}: {len(settings['train_people'])} people to train on, "
        f"{len(settings['test_people'])} others to test on ({_text(tested)})",
        "",
        "![Rows of faces: inputs and targets to train on, inputs and targets to test on](img/dataset.png)",
        "",
        "## Model Summary",
        "```shell script",
        summary(network or run.model()),
        "```",
        "![The layers from input to output](img/model.png)",
        "",
        "## Training Log",
        f"{run.epochs} epochs, batches of {settings['batch_size']}, seed {settings['seed']}, "
        f"{settings['precision']} on {device['kind'].upper()} {device['name']} ({versions})",
        "```shell script",
        training_log(run),
        "```",
        "",
        "### Model loss",
        "![Training and validation loss by epoch](img/loss.png)",
        "",
        "## Predictions",
        "![Held-out faces with their predictions and targets](img/predictions.png)",
        "",
        "## Notes",
        *(f"- {note}" for note in notes),
        "",
    ]
    path = run.path / "README.md"
    files.write_text(path, "\n".join(lines))
    return path


def _text(name: str) -> str:
    """Write a name, which may be that of a file, so that Markdown shows it as it is."""
    return MARKUP.sub(r"\\\g<0>", CONTROLS.sub(" ", name))


def _row(fields: tuple[str, ...]) -> str:
    """Lay out one line: each field is cut before its column's end, with a space after it."""
    line = ""
    for field, end in zip(fields, COLUMNS, strict=True):
        line = f"{line[:-1]} {field}" if line else field
        line = line[:end].ljust(end)
    return line
