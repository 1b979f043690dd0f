"""Speculo: a small library for a book about one model.

The chapters in ``notebooks/`` import it. Importing it is cheap: Keras and
TensorFlow are loaded by the modules that need them, when they are first used.
"""

import importlib
from types import ModuleType

from speculo.sources import load

_ROOMS = (
    "ablation",
    "augmentation",
    "backend",
    "benchmark",
    "book",
    "cache",
    "card",
    "chapter",
    "checks",
    "cluster",
    "cpu",
    "detector",
    "device",
    "diagnosis",
    "evaluation",
    "explored",
    "faces",
    "files",
    "fingerprints",
    "history",
    "images",
    "index",
    "layers",
    "mistakes",
    "model",
    "notes",
    "own_faces",
    "pages",
    "pairs",
    "photographed",
    "plots",
    "predictor",
    "prepared",
    "progress",
    "recognition",
    "recognizer",
    "recognizer_training",
    "recording",
    "runs",
    "scale",
    "sharing",
    "snapshots",
    "sources",
    "training",
    "trials",
    "widgets",
)

__all__ = ["load", *_ROOMS]


def __getattr__(name: str) -> ModuleType:
    # So that `speculo.model.V8` works after a plain `import speculo`.
    if name in _ROOMS:
        return importlib.import_module(f"speculo.{name}")
    raise AttributeError(f"module 'speculo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
