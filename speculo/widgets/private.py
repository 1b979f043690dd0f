"""Widgets for what is the reader's own: it goes by messages, and is in no widget's state.

Jupyter can save the state of every widget into the notebook, which git tracks. A photo in the
state of a FileUpload or an Image would be saved along with it.
"""

from collections.abc import Callable

import anywidget

_UPLOAD = """
export default { render({ model, el }) {
  const input = Object.assign(document.createElement("input"), { type: "file", accept: "image/*" });
  const button = document.createElement("button");
  button.className = "jupyter-widgets jupyter-button widget-button widget-upload";
  button.title = "It stays on this machine";
  button.textContent = "Choose a photo";
  button.onclick = () => input.click();
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  const say = (message) => {
    said.textContent = message.words;
    said.classList.toggle("speculo-wrong", message.wrong);
  };
  input.onchange = async () => {
    const file = input.files[0];
    if (!file) return;
    say({ words: "Reading the photo", wrong: false });
    const content = await file.arrayBuffer();
    input.value = "";
    model.send({ name: file.name }, undefined, [content]);
  };
  el.classList.add("speculo-upload");
  el.append(button, said);
  model.on("msg:custom", say);
  model.send({});
  return () => model.off("msg:custom", say);
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
    """A button to choose a photo by, with a line beside it.

    Parameters
    ----------
    receive : callable
        Called with the name and the bytes of each file that is chosen.
    """

    _esm = _UPLOAD

    def __init__(self, receive: Callable[[str, bytes], None]) -> None:
        super().__init__()
        self._receive = receive

    @property
    def said(self) -> str:
        """The line beside the button."""
        return self._last[0]["words"] if self._last else ""

    def say(self, words: str, *, wrong: bool = False) -> None:
        """Write the line, in the colour of errors where something is wrong."""
        self._show({"words": words, "wrong": wrong}, [])

    def _hear(self, widget: anywidget.AnyWidget, message: dict, buffers: list[memoryview]) -> None:
        if "name" in message:
            self._receive(message["name"], b"".join(buffers))
        else:
            super()._hear(widget, message, buffers)


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
