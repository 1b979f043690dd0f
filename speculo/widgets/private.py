"""Widgets for what is the reader's own: it goes by messages, and is in no widget's state.

Jupyter can save the state of every widget into the notebook, which git tracks. A photo in the
state of a FileUpload or an Image would be saved along with it.
"""

from collections.abc import Callable
from string import Template

import anywidget
import traitlets

MOST = 256 * 2**20
"""The largest file that an `Upload` takes, in bytes."""

PIECE = 4 * 2**20
"""So many bytes are sent at a time: Jupyter's server drops a message of more than 10 MB, and the
connection with it, unless it was started with another limit."""

_UPLOAD = """
export default { render({ model, el }) {
  const input = Object.assign(document.createElement("input"), { type: "file", accept: "image/*" });
  const button = document.createElement("button");
  button.className = "jupyter-widgets jupyter-button widget-button widget-upload";
  button.title = "It stays on this machine";
  button.textContent = "Choose a photo";
  button.onclick = () => input.click();
  const said = document.createElement("div");
  said.setAttribute("role", "status");
  let waiting = 0;
  const say = (message) => {
    clearTimeout(waiting);
    said.textContent = message.words;
    said.classList.toggle("speculo-wrong", message.wrong);
  };
  const late = "No answer yet. If another cell is running, it comes when that is done. " +
    "If none is, run this cell again.";
  const send = (message, buffers) => {
    try { model.send(message, undefined, buffers); }
    catch (error) { say({ words: "The photo could not be sent. Run this cell again.", wrong: true }); }
  };
  input.onchange = async () => {
    const file = input.files[0];
    if (!file) return;
    say({ words: "Reading the photo", wrong: false });
    waiting = setTimeout(() => say({ words: late, wrong: true }), 1000 * model.get("patience"));
    const name = file.name, size = file.size;
    if (size > $MOST) {
      input.value = "";
      return send({ name, size, begin: 0 }, []);
    }
    let content;
    try { content = await file.arrayBuffer(); }
    catch (error) { return say({ words: "The browser cannot read this file.", wrong: true }); }
    finally { input.value = ""; }
    let begin = 0;
    do {
      send({ name, size, begin }, [content.slice(begin, begin + $PIECE)]);
      begin += $PIECE;
    } while (begin < size);
  };
  el.classList.add("speculo-upload");
  el.append(button, said);
  model.on("msg:custom", say);
  model.send({});
  return () => { clearTimeout(waiting); model.off("msg:custom", say); };
} };
"""

_PICTURE = """
export default { render({ model, el }) {
  const image = document.createElement("img");
  image.className = "widget-image";
  el.append(image);
  const show = (message, buffers) => {
    URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(new Blob(buffers, { type: "image/png" }));
  };
  model.on("msg:custom", show);
  model.send({});
  return () => model.off("msg:custom", show);
} };
"""


class _Private(anywidget.AnyWidget):
    """Sends what it shows to the views that are open, and to each that says it has opened."""

    def __init__(self) -> None:
        super().__init__()
        self._last: tuple[dict, list[bytes]] | None = None
        self.on_msg(self._hear)

    def _show(self, message: dict, buffers: list[bytes]) -> None:
        self._last = message, buffers
        self.send(message, buffers)

    def _hear(self, _: anywidget.AnyWidget, message: dict, buffers: list[memoryview]) -> None:
        if self._last:
            self.send(*self._last)


class Upload(_Private):
    """A button to choose a photo by, with a line below it.

    Parameters
    ----------
    receive : callable
        Called with the name and the bytes of each file that is chosen.
    refuse : callable
        Called with the name of a file that was not sent, or not whole, and with the reason.

    Attributes
    ----------
    patience : float
        Seconds without an answer, after which the line says so.
    """

    _esm = Template(_UPLOAD).substitute(MOST=MOST, PIECE=PIECE)
    patience = traitlets.Float(20).tag(sync=True)

    def __init__(
        self, receive: Callable[[str, bytes], None], refuse: Callable[[str, str], None]
    ) -> None:
        super().__init__()
        self._receive, self._refuse = receive, refuse
        self._content = bytearray()  # of the file that is arriving

    @property
    def said(self) -> str:
        """The line below the button."""
        return self._last[0]["words"] if self._last else ""

    @property
    def wrong(self) -> bool:
        """Whether the line says that something is wrong."""
        return self._last[0]["wrong"] if self._last else False

    def say(self, words: str, *, wrong: bool = False) -> None:
        """Write the line, in the colour of errors where something is wrong."""
        self._show({"words": words, "wrong": wrong}, [])

    def _hear(self, widget: anywidget.AnyWidget, message: dict, buffers: list[memoryview]) -> None:
        if "name" not in message:
            super()._hear(widget, message, buffers)
            return
        name, size, begin = message["name"], message["size"], message["begin"]
        if size > MOST:
            self._refuse(name, f"{size / 2**20:,.0f} MB, more than the {MOST // 2**20} MB at most")
            return
        content, self._content = self._content if begin else bytearray(), bytearray()
        if begin != len(content):
            self._refuse(name, "a part of it was lost on the way. Choose it once more")
            return
        for piece in buffers:
            content += piece
        if len(content) < size:
            self._content = content
        else:
            self._receive(name, bytes(content))


class Picture(_Private):
    """A picture, in the place of an ``ipywidgets.Image``."""

    _esm = _PICTURE

    @property
    def value(self) -> bytes:
        """The picture as PNG."""
        return self._last[1][0] if self._last else b""

    @value.setter
    def value(self, png: bytes) -> None:
        self._show({}, [png])
