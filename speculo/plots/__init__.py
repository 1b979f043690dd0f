"""The figures of the book. Every function returns a matplotlib Figure and shows nothing."""

from speculo.plots.benchmark import by_turn
from speculo.plots.diagnosis import (
    by_seed,
    by_size,
    captioned,
    distances,
    frame_order,
    front_angles,
    levels,
    loss_against_sharpness,
    matched_targets,
    pixels,
    rival_fronts,
    seconds,
    wrong_by_first_frame,
)
from speculo.plots.explorer import (
    explored_between,
    explored_epoch,
    explored_nothing,
    explored_photo,
    explored_prediction,
    explored_runs,
    explored_turn,
)
from speculo.plots.faces import by_yaw, dataset, fronts, photos_per_person, poses, printed_dataset
from speculo.plots.heads import heads_fronts, heads_levels
from speculo.plots.mending import ablation
from speculo.plots.network import costs, model_graph, output_range, singular_values
from speculo.plots.recognition import (
    det,
    face_pairs,
    fingerprint_map,
    hills,
    rank_1_by_yaw,
    rates_by_group,
)
from speculo.plots.results import drawings, extremes, one_prediction
from speculo.plots.scale import stalls
from speculo.plots.style import STYLE, face_columns
from speculo.plots.training import loss, snapshots

__all__ = [
    "STYLE",
    "face_columns",
    "dataset",
    "printed_dataset",
    "fronts",
    "photos_per_person",
    "poses",
    "by_yaw",
    "heads_fronts",
    "heads_levels",
    "output_range",
    "model_graph",
    "costs",
    "singular_values",
    "loss",
    "snapshots",
    "drawings",
    "one_prediction",
    "extremes",
    "levels",
    "pixels",
    "distances",
    "front_angles",
    "rival_fronts",
    "frame_order",
    "wrong_by_first_frame",
    "matched_targets",
    "seconds",
    "by_seed",
    "by_size",
    "captioned",
    "loss_against_sharpness",
    "by_turn",
    "ablation",
    "hills",
    "det",
    "rank_1_by_yaw",
    "face_pairs",
    "fingerprint_map",
    "rates_by_group",
    "stalls",
    "explored_prediction",
    "explored_epoch",
    "explored_nothing",
    "explored_turn",
    "explored_between",
    "explored_photo",
    "explored_runs",
]
