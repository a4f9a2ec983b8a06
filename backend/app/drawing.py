"""What all pictures of the command line share. matplotlib is for owners who measure, no part of the server."""

import importlib
import os
from typing import Any

INK = "#333333"
INSTALL = "pip install matplotlib"


def find_figures() -> Any:
    """matplotlib's module of figures, which needs no display; None where it is not installed."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    try:
        return importlib.import_module("matplotlib.figure")
    except ImportError:
        return None


def plain(name: str) -> str:
    """A text that is no formula: matplotlib sets what stands between two dollar signs."""
    return name.replace("$", r"\$")


def tidy(axes: Any, title: str) -> None:
    """A title at the left and no frame."""
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
