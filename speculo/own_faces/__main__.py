"""The command ``python -m speculo.own_faces``: one page about a folder of photos."""

import argparse
import os
import sys
import webbrowser

from speculo.own_faces import page


def main() -> None:
    """Read the command line, write the page, and open it where there is a screen."""
    parser = argparse.ArgumentParser(
        description="One page about your own photos.", prog="python -m speculo.own_faces"
    )
    parser.add_argument("folder", help="in it a folder for each person, such as data/my_faces")
    try:
        path = page.write(parser.parse_args().folder)
    except (OSError, ValueError) as error:  # its message is written for the reader
        sys.exit(str(error))
    print(f"Open {path.as_uri()}")
    if sys.platform in ("darwin", "win32") or os.environ.keys() & {"DISPLAY", "WAYLAND_DISPLAY"}:
        webbrowser.open(path.as_uri())


if __name__ == "__main__":
    main()
