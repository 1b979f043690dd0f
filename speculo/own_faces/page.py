"""What was found out about some faces, as one HTML page that holds its pictures."""

import base64
import io
import re
from pathlib import Path

import jinja2
import numpy as np
from PIL import Image

from speculo import checks, files, predictor, sources
from speculo.own_faces import ENOUGH, Looked, look

SIDE = 128
"""Height and width, in pixels, at which faces are read and shown. The model looks at 32."""

WIDEST = 30
"""People in the table of distances, at most."""


def verdict(looked: Looked) -> str:
    """Answer in a sentence whether the people are told apart."""
    if len(looked.people) == 1:
        return "There is one person only: nobody to be taken for."
    if not looked.searched:
        return "Nobody has two photos, so it cannot be tried. Add a second photo of each person."
    found, by_pixels = looked.by_model.found, looked.by_pixels.found
    words = {1: "Yes", 0.9: "Nearly always", 0.7: "Mostly", 0.4: "Often not", 0: "Hardly ever"}
    said = next(word for least, word in words.items() if found / looked.searched >= least)
    if any(len(each.photos) == 1 for each in looked.people):
        said += ", for people with two photos or more"
    said += (
        f". For each of {looked.searched} photos we looked for the most similar one among "
        f"all the others: {found} times it shows the same person. "
    )
    if by_pixels < found:
        said += f"Simply comparing the photos dot by dot finds {by_pixels}"
    else:
        said += f"But that was easy: simply comparing the photos dot by dot finds {by_pixels} too"
    said += f", and guessing {looked.by_luck:.0f}."
    return said if looked.searched >= ENOUGH else f"{said} So few photos do not say much."


def text(looked: Looked) -> str:
    """Write everything as one HTML page, with its pictures in it."""
    faces = looked.faces
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "photo": lambda index: _picture(faces.images[index], "JPEG"),
        "drawing": lambda image: _picture(image, "PNG"),
    }
    mixed = {each.photo: each for each in looked.mixed}
    whose = [faces.names[number] for number in faces.person]
    return environment.get_template("page.html.j2").render(
        looked=looked,
        title=faces.name.removeprefix("folder:"),
        verdict=verdict(looked),
        mixed=mixed,
        whose=whose,
        widest=WIDEST,
        limit=looked.by_model.limit,
        alone={each.name for each in looked.people if len(each.photos) == 1},
        places={origin: index for index, origin in enumerate(faces.origin)},
    )


def _picture(image: np.ndarray, form: str) -> str:
    """Write uint8 (height, width) as the address of a picture that is in the page itself."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, form, quality=88)
    kind = form.lower()
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"


def write(folder: str | Path) -> Path:
    """Read a folder of photos, and write its page into ``build/faces``.

    Parameters
    ----------
    folder : str or Path
        In it a folder for each person, as ``sources.folder.load`` takes it. In each photo the
        face is found by itself.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is nothing to show: as ``sources.folder.load`` raises them.
    """
    with predictor.heard():  # what is warned of is named on the page
        faces = sources.load(f"folder:{checks.path('folder', folder)}", size=SIDE, crop="auto")
    name = re.sub(r"[^\w.-]+", "-", faces.name.removeprefix("folder:")).strip("-.") or "faces"
    path = files.home() / "build" / "faces" / f"{name}.html"
    files.write_text(path, text(look(faces)))
    noted = len(faces.skipped) + len(faces.remarks)
    if noted:
        print(f"{noted} files are skipped or need a look: the end of the page names them.")
    return path
