"""How every figure of the course looks: colours, markers, sizes."""

from cycler import cycler

EPS_GRID = (0.0, 0.05, 0.1, 0.2, 0.4)
EPS_COLORS = {
    0.0: "#000000",
    0.05: "#41049d",
    0.1: "#b12a90",
    0.2: "#e56a5d",
    0.4: "#fca636",
}
EPS_MARKERS = {0.0: "o", 0.05: "s", 0.1: "^", 0.2: "D", 0.4: "v"}
EPS_LINES = {0.0: "-", 0.05: (0, (5, 1)), 0.1: "--", 0.2: "-.", 0.4: ":"}

# Okabe and Ito's colours, told apart with the common forms of colour blindness.
CLASS_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
CLASS_MARKERS = ("o", "^", "s", "D", "v", "P")

SINGLE = (6.0, 3.4)  # inches: one pair of axes
PANELS = (9.0, 3.2)  # inches: panels side by side


def eps_style(eps):
    """Colour, line style and marker that stand for ``eps`` throughout the course.

    raises : ValueError when eps is not on the grid 0, 0.05, 0.1, 0.2, 0.4
    """
    if eps not in EPS_COLORS:
        grid = ", ".join(f"{e:g}" for e in EPS_GRID)
        raise ValueError(f"eps must be one of {grid} to have a style, got {eps}.")
    return {
        "color": EPS_COLORS[eps],
        "linestyle": EPS_LINES[eps],
        "marker": EPS_MARKERS[eps],
    }


def use():
    """Set matplotlib's defaults for the course."""
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "figure.figsize": SINGLE,
            "figure.dpi": 110,
            "savefig.dpi": 110,
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#dddddd",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "legend.frameon": False,
            "axes.prop_cycle": cycler(color=CLASS_COLORS),
        }
    )
