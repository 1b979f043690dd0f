"""What explorers are made of: faces, strips of faces, bars, curves, menus, and their style."""

import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets
import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from speculo.images import Box
from speculo.pairs import Split
from speculo.plots.explorer import ERROR_COLORS, ERROR_TOP
from speculo.plots.style import CHOSEN, ENCODER, LATENT, SERIES
from speculo.runs import Run
from speculo.widgets.private import Picture

STYLE = (
    f"<style>.speculo {{ --bar: {ENCODER}; --best: {LATENT}; --chosen: {CHOSEN}; }}"
    + """
.speculo { max-width: 1000px; overflow: visible; font-family: var(--jp-ui-font-family, sans-serif); }
.speculo .widget-image { width: 100%; height: auto; object-fit: contain; image-rendering: pixelated;
  background: var(--jp-layout-color2, #eee); border-radius: 2px; }
.speculo .speculo-face { width: 112px; margin: 4px 6px 0 0; overflow: visible; }
.speculo .speculo-photo { width: 190px; } .speculo .speculo-photo .widget-image { image-rendering: auto; }
.speculo .speculo-strip { width: 100%; margin: 0; }
.speculo .speculo-stale { opacity: 0.45; }
.speculo .widget-html-content { line-height: 1.35; white-space: normal; overflow-wrap: anywhere;
  color: var(--jp-ui-font-color1, #222); font-size: var(--jp-ui-font-size1, 13px); }
.speculo .speculo-face .widget-html-content { text-align: center; }
.speculo .speculo-problem .widget-html-content, .speculo-wrong { color: var(--jp-error-color1, #c62828); }
.speculo .speculo-upload { flex: 1 1 100%; color: var(--jp-ui-font-color1, #222); line-height: 20px; overflow-wrap: anywhere; }
.speculo .speculo-upload button { width: 190px; margin: 2px 8px 2px 0; }
.speculo img.widget-image { display: block; }
.speculo-bars { display: grid; grid-template-columns: max-content minmax(40px, 1fr) max-content;
  gap: 1px 8px; align-items: center; max-width: 460px; }
.speculo-bars i { display: block; height: 9px; background: var(--bar); border-radius: 1px; }
.speculo-bars .best { font-weight: 600; } .speculo-bars i.best { background: var(--best); }
.speculo-curve { width: 100%; max-width: 560px; height: auto; display: block; }
.speculo-curve text { fill: var(--jp-ui-font-color1, #222); font-size: 11px; }
.speculo-curve .axis { stroke: var(--jp-border-color1, #bbb); }
.speculo-curve .cursor { stroke: var(--chosen); stroke-width: 2; }
</style>"""
)


def text(words: str) -> str:
    """Write words as HTML that shows them as they are."""
    return html.escape(words)


class Face(ipywidgets.VBox):
    """A face, enlarged without smoothing, with a caption below it.

    One that is `private`, the reader's own, is in no state that a notebook could keep.
    """

    def __init__(self, caption: str = "", *, private: bool = False) -> None:
        self.image = Picture() if private else ipywidgets.Image(format="png")
        self.caption = ipywidgets.HTML()
        super().__init__([self.image, self.caption])
        self.add_class("speculo-face")
        self.show(np.full((32, 32), 128, np.uint8), caption)

    def show(self, picture: np.ndarray, caption: str | None = None) -> None:
        """Show uint8 (height, width), or (height, width, 3) in colour."""
        self.image.value = png(picture)
        if caption is not None:
            self.caption.value = text(caption)


class Strip(ipywidgets.VBox):
    """Faces side by side in one picture, with a caption above it."""

    def __init__(self, caption: str = "") -> None:
        self.image = ipywidgets.Image(format="png")
        self.caption = ipywidgets.HTML(text(caption))
        super().__init__([self.caption, self.image])
        self.add_class("speculo-strip")

    def show(self, pictures: np.ndarray, caption: str | None = None) -> None:
        """Show uint8 (n, height, width)."""
        count, height, width = pictures.shape
        strip = np.zeros((height, count, width + 1, 4), np.uint8)  # with clear gaps
        strip[:, :, :width, :3] = pictures.swapaxes(0, 1)[..., None]
        strip[:, :, :width, 3] = 255
        self.image.value = png(strip.reshape(height, -1, 4)[:, :-1])
        self.image.layout.max_width = f"{76 * len(pictures)}px"
        if caption is not None:
            self.caption.value = text(caption)


def fill(
    places: dict[str, Face | Strip],
    pictures: dict[str, np.ndarray],
    captions: dict[str, str] | None = None,
) -> None:
    """Show pictures in the places of their names, and hide the other places."""
    for name, place in places.items():
        place.layout.display = None if name in pictures else "none"
        if name in pictures:
            place.show(pictures[name], (captions or {}).get(name))


def png(picture: np.ndarray) -> bytes:
    """Write uint8 (height, width), with 3 or 4 channels or none, as PNG."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()


def error_map(error: np.ndarray) -> np.ndarray:
    """Colour absolute errors: uint8 (height, width, 3)."""
    colors = matplotlib.colormaps[ERROR_COLORS](np.clip(error / ERROR_TOP, 0, 1), bytes=True)
    return colors[..., :3]


def framed(whole: np.ndarray, box: Box | None) -> np.ndarray:
    """Shrink a photo to look at, with its crop framed where it has one: uint8 (height, width, 3)."""
    small = Image.fromarray(whole).convert("RGB")
    small.thumbnail((320, 320), Image.Resampling.LANCZOS)
    shrunk = small.width / whole.shape[1]
    if box is not None:
        left, top, right, bottom = (edge * shrunk for edge in box)
        corners = left, top, max(right - 1, left), max(bottom - 1, top)
        ImageDraw.Draw(small).rectangle(corners, outline=CHOSEN, width=3)
    return np.asarray(small)


def bars(errors: dict[str, float]) -> str:
    """Write errors as HTML: a bar each, with the number behind it. The smallest stands out."""
    top, best = max(errors.values()) or 1.0, min(errors.values())
    rows = []
    for name, value in errors.items():
        mark = " class='best'" if value == best else ""
        rows.append(
            f"<span{mark}>{text(name)}</span>"
            f"<i{mark} style='width:{100 * value / top:.1f}%'></i>"
            f"<span{mark}>{value:.4f}</span>"
        )
    return f"<b>MSE</b><div class='speculo-bars'>{''.join(rows)}</div>"


def line_chart(
    series: Mapping[str, tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]],
    *,
    top: float,
    x: str,
    y: str,
    cursor: float | None = None,
) -> str:
    """Write curves as SVG that takes the colours of the page: light or dark.

    A series is the x and the y of its points. The y axis goes from 0 to `top`; what is above
    leaves it. `x` and `y` name the axes, and an upright line stands at the `cursor`.
    """
    left, right, bottom, tall = 52, 548, 165, 135  # the frame of the curves, in units of the view
    every = [float(value) for xs, _ in series.values() for value in xs] or [0.0, 1.0]
    low, high = min(every), max(every)
    if low == high:
        low, high = low - 0.5, high + 0.5

    def across(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    def line(x1: float, y1: float, x2: float, y2: float, look: str) -> str:
        return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' {look} />"

    def label(words: str, x: float, y: float, anchor: str = "start") -> str:
        return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'>{text(words)}</text>"

    parts = [label(y, 4, 12), label(x, right, bottom + 32, "end")]
    for share in (0.0, 0.5, 1.0):
        level = bottom - tall * share
        parts.append(line(left, level, right, level, "class='axis'"))
        parts.append(label(f"{top * share:.2g}", left - 6, level + 4, "end"))
    for value in np.arange(np.ceil(low), high + 1e-9, max(1, np.ceil((high - low) / 6))):
        parts.append(label(f"{value:.0f}", across(value), bottom + 16, "middle"))
    if cursor is not None:
        at = across(min(max(cursor, low), high))
        parts.append(line(at, bottom - tall, at, bottom, "class='cursor'"))
    for number, (name, (xs, ys)) in enumerate(series.items()):
        color, level = SERIES[number % len(SERIES)], bottom + 30 + 16 * number
        points = " ".join(
            f"{across(float(one)):.1f},{bottom - tall * min(float(other) / top, 1.07):.1f}"
            for one, other in zip(xs, ys, strict=True)
        )
        parts.append(
            f"<polyline points='{points}' fill='none' stroke='{color}' stroke-width='2' />"
        )
        parts.append(line(left, level, left + 18, level, f"stroke='{color}' stroke-width='3'"))
        parts.append(label(name, left + 24, level + 4))
    height = bottom + 40 + 16 * max(len(series) - 1, 0)
    says = text(f"{y} over {x}: {', '.join(series)}")
    return (
        f"<svg class='speculo-curve' viewBox='0 0 560 {height}' role='img' "
        f"aria-label='{says}'>{''.join(parts)}</svg>"
    )


def slider(
    name: str, value: float, low: float, high: float, tooltip: str, *, step: float = 1
) -> ipywidgets.IntSlider | ipywidgets.FloatSlider:
    """Make a slider over whole numbers, or in smaller steps."""
    kind = ipywidgets.IntSlider if step == 1 else ipywidgets.FloatSlider
    return kind(value, min=low, max=high, step=step, description=name, tooltip=tooltip)


def menu(name: str, options: Sequence | dict, tooltip: str) -> ipywidgets.Dropdown:
    """Make a menu of words, or of what words stand for."""
    return ipywidgets.Dropdown(options=options, description=name, tooltip=tooltip)


def run_menu(runs: Sequence[Run]) -> ipywidgets.Dropdown:
    """Make a menu of runs."""
    return menu("run", {run.name: run for run in _some(runs)}, "Which trained model draws")


def run_boxes(runs: Sequence[Run], ticked: int) -> dict[str, ipywidgets.Checkbox]:
    """Make a box for each run, the first of them ticked."""
    return of_runs(
        {
            run.name: ipywidgets.Checkbox(
                place < ticked, description=_plain(run.name), indent=False, tooltip=_title(run)
            )
            for place, run in enumerate(_some(runs))
        }
    )


def of_runs(values: dict[str, Any]) -> dict[str, Any]:
    """Name what belongs to a run so that no run's name is that of another control or place."""
    return {f"run {name}": value for name, value in values.items()}


def _plain(name: str) -> str:
    """Write a name so that JupyterLab, which looks for formulas there, finds none."""
    return name.translate(str.maketrans("$\\", "＄＼"))  # of full width


def _title(run: Run) -> str:
    try:
        return run.title
    except ValueError as error:
        return str(error)


def _some(runs: Sequence[Run]) -> Sequence[Run]:
    if not runs:
        raise ValueError("There is no finished run to show. Run chapter 03 first")
    return runs


def set_menu(sets: dict[str, Split]) -> ipywidgets.Dropdown:
    """Make a menu of datasets."""
    if not sets:
        raise ValueError("sets is empty, expected a name and a split for each dataset")
    return menu("dataset", list(sets), "Whose faces are shown")


def people_slider(name: str, sets: dict[str, Split]) -> ipywidgets.SelectionSlider:
    """Make a slider over the test people of the first set."""
    return ipywidgets.SelectionSlider(
        options=next(iter(sets.values())).test.people,
        description=name,
        tooltip="Whose face: the arrow keys step through the people",
    )


def flow(*parts: ipywidgets.Widget) -> ipywidgets.Widget:
    """Put widgets side by side, and below one another where the window is narrow."""
    layout = ipywidgets.Layout(flex_flow="row wrap", overflow="visible")
    return parts[0] if len(parts) == 1 else ipywidgets.Box(parts, layout=layout)


def wide(part: ipywidgets.Widget) -> ipywidgets.Widget:
    """Let a part take half of a wide window, or all of a narrow one."""
    part.layout.flex, part.layout.max_width = "1 1 300px", "560px"
    return part
