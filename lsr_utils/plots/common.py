"""What several figures need."""

from .. import style


def look_of_arm(arm, place):
    """Colour and marker: those of eps on the course's grid, else of the place.

    arm : an eps, as a number or named "ε = 0.1", or any other name
    """
    named = {f"ε = {eps:g}": eps for eps in style.EPS_COLORS}
    arm = named.get(arm, arm)
    if isinstance(arm, float) and arm in style.EPS_COLORS:
        return style.EPS_COLORS[arm], style.EPS_MARKERS[arm]
    colors, markers = style.CLASS_COLORS, style.CLASS_MARKERS
    turn, place = divmod(place, len(colors))  # another marker in every turn
    return colors[place], markers[(place + turn) % len(markers)]


def label_end(axis, x, y, text, color):
    """Name a curve at its right end, where the eye is, rather than in a legend."""
    axis.annotate(
        text, (x, y), (6, 0), textcoords="offset points", color=color, va="center"
    )
