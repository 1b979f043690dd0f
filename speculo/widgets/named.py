"""What a screen reader says of sliders and pictures: ipywidgets gives them no names."""

import anywidget

_NAMES = """
export default { render({ el }) {
  const called = (text) => text?.textContent.trim() || "";
  let explorer;
  const name = () => {
    for (const handle of explorer.querySelectorAll(".noUi-handle"))
      handle.setAttribute("aria-label", called(handle.closest(".widget-inline-hbox")?.querySelector("label")));
    for (const image of explorer.querySelectorAll("img"))
      image.alt = called(image.closest(".speculo-face, .speculo-strip")?.querySelector(".widget-html"));
  };
  const seen = new MutationObserver(name);
  let waiting = 0;
  const begin = () => {
    explorer = el.closest(".speculo");
    if (!explorer) { waiting = requestAnimationFrame(begin); return; }  // not on the page yet
    name();
    seen.observe(explorer, { childList: true, subtree: true });
  };
  begin();
  return () => { cancelAnimationFrame(waiting); seen.disconnect(); };
} };
"""


class Names(anywidget.AnyWidget):
    """Nothing to be seen: it names the sliders and pictures of the explorer that it stands in.

    A slider is called what its label says, and a picture what its caption says.
    """

    _esm = _NAMES

    def __init__(self) -> None:
        super().__init__()
        self.layout.display = "none"
