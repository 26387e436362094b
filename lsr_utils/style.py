"""How every figure of the course looks: colours, markers, sizes, seaborn's theme."""

import contextlib
import warnings
from pathlib import Path

import matplotlib
import seaborn as sns

EPS_GRID = (0.0, 0.05, 0.1, 0.2, 0.4)
_HEX = "#000000 #41049d #b12a90 #e56a5d #fca636"
EPS_COLORS = dict(zip(EPS_GRID, _HEX.split(), strict=True))
EPS_MARKERS = dict(zip(EPS_GRID, "os^Dv", strict=True))
_DASHES = {0: "", 0.05: (5, 1), 0.1: (4, 2), 0.2: (6, 1.5, 1, 1.5), 0.4: (1, 1.5)}
# sns.lineplot(table, x="step", y="loss", hue="eps", style="eps", **style.EPS)
EPS = {"palette": EPS_COLORS, "markers": EPS_MARKERS, "dashes": _DASHES}

# Okabe and Ito's colours, told apart with the common forms of colour blindness.
CLASS_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
CLASS_MARKERS = ("o", "^", "s", "D", "v", "P")

LOOKS = Path(__file__).with_name("course.mplstyle")
SINGLE, PANELS = (6.0, 3.4), (9.0, 3.2)  # inches: one pair of axes, several


def eps_style(eps):
    """Colour, line style and marker of ``eps``; KeyError for one not in EPS_GRID."""
    eps = round(float(eps), 6)  # also of a float32, or a tensor of one number
    dashes = (0, _DASHES[eps]) if eps else "-"
    return {"color": EPS_COLORS[eps], "linestyle": dashes, "marker": EPS_MARKERS[eps]}


def class_style(k):
    """Colour and marker of class ``k``; no two of the first 36 have both in common."""
    turn, place = divmod(int(k), 6)
    return {"color": CLASS_COLORS[place], "marker": CLASS_MARKERS[(place + turn) % 6]}


def use():
    """Set seaborn's theme, and with it matplotlib's defaults, for the course."""
    looks = matplotlib.rc_params_from_file(LOOKS, use_default_template=False)
    sns.set_theme("paper", "ticks", CLASS_COLORS, "DejaVu Sans", rc=looks)
    # A grid of seaborn's (relplot, catplot) lays itself out, and need not say so.
    warnings.filterwarnings("ignore", "The figure layout has changed to tight")


@contextlib.contextmanager
def used():
    """The course's looks for one figure, whatever style the reader has set."""
    with matplotlib.rc_context():
        use()
        yield
