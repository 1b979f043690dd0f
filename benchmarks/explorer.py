"""How fast the explorers follow a slider. Run by hand: ``python benchmarks/explorer.py``.

It prints milliseconds of one prediction and redraw, as the kernel needs them; the way to the
browser and back adds a few. Milliseconds of another machine, or of a busy one, are no measure.
"""

import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

import speculo
from speculo import files, fingerprints, history, model, pairs, runs, widgets
from speculo.runs import Run

MOVES = 30


def milliseconds(work) -> str:
    work()
    taken = []
    for _ in range(MOVES):
        begin = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - begin))
    return f"{np.median(taken):6.1f} ms median, {np.percentile(taken, 90):6.1f} ms in nine of ten"


def full_width(folder: Path, split: pairs.Split) -> Run:
    """A run of v8 that was never trained: it takes as long as one that was."""
    run = Run(folder / "v8-untrained")
    settings = runs.split_record(split) | {"batch_size": 16, "seed": 0, "precision": "float32"}
    run.write_record({"config": asdict(model.V8), "settings": settings})
    row = dict.fromkeys(history.COLUMNS, 1)
    history.write(run.path, pd.DataFrame([row]))
    files.write_arrays(run.path / "best.npz", runs.get_weights(model.build(model.V8, seed=0)))
    return run


def main() -> None:
    rendered = pairs.split(speculo.load("heads-medium", people=30))
    photos = pairs.split(speculo.load("orl"))
    with tempfile.TemporaryDirectory() as folder:
        shown = [runs.recorded(fingerprints.SHIPPED), full_width(Path(folder), photos)]
        for run in shown:
            print(f"{run.name}:")
            one = widgets.predictions([run], {"orl": photos})
            head = widgets.turn([run], rendered)
            two = widgets.between([run], {"orl": photos})
            for name, explorer, control in (
                ("one prediction", one, "photo"),
                ("a turned head", head, "yaw"),
                ("between two people", two, "way"),
            ):
                slider = explorer.controls[control]

                def move(slider=slider) -> None:
                    slider.value = slider.min if slider.value == slider.max else slider.max

                print(f"  {name:20} {milliseconds(move)}")
        head = widgets.turn(shown, rendered)
        slider = head.controls["yaw"]

        def both() -> None:
            slider.value = slider.min if slider.value == slider.max else slider.max

        print(f"Both at once:\n  {'a turned head':20} {milliseconds(both)}")


if __name__ == "__main__":
    main()
