"""One look for all figures, the same bytes on every machine."""

import warnings

import matplotlib
from cycler import cycler

# Okabe and Ito: distinct for colour-blind readers, and dark enough on white.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]


def apply_style() -> None:
    """SVG figures on white, text as paths, no date; warnings are errors."""
    warnings.simplefilter("error", UserWarning)
    warnings.simplefilter("error", RuntimeWarning)
    matplotlib.rcdefaults()
    matplotlib.rcParams.update({
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlesize": 11,
        "figure.constrained_layout.use": True,
        "figure.facecolor": "white",
        "figure.figsize": (8, 4),
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "grid.alpha": 0.3,
        "image.cmap": "cividis",
        "legend.fontsize": 9,
        "legend.frameon": False,
        "savefig.facecolor": "white",
        "svg.fonttype": "path",
        "svg.hashsalt": "v4-oracle",
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
    })
    figures_as_svg()


def figures_as_svg() -> None:
    """Tells a notebook's kernel to show figures as SVG; elsewhere there is nothing to tell."""
    from IPython import get_ipython
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    if get_ipython() is not None:
        matplotlib.use("module://matplotlib_inline.backend_inline")
        set_matplotlib_formats("svg", metadata={"Date": None, "Creator": None})
