"""One line in a small drawing, with its axes: as SVG, which needs no library."""

from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 720, 280
_LEFT, _TOP, _RIGHT, _BOTTOM = 56, 36, 20, 40
_TICKS = 4

_STYLE = (
    "text{font:12px sans-serif;fill:#777}.title{font-size:14px}.axis{stroke:#999}.grid{stroke:#9994}"
    ".line{fill:none;stroke:#2a78c8;stroke-width:1.5}"
)


def svg(points: Sequence[tuple[float, float]], title: str, x_unit: str, y_unit: str) -> str:
    """Draw values over time; both axes begin at zero.

    Parameters:
        points: Times and values.
        title: Written above.
        x_unit: Of the times.
        y_unit: Of the values.
    """
    x_end = _round_up(max(x for x, _ in points))
    y_end = _round_up(max(y for _, y in points))
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    found = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="{_LEFT}" y="20">{escape(title)}</text>',
        f'<path class="axis" fill="none" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>',
    ]
    for tick in range(_TICKS + 1):
        x = _LEFT + (right - _LEFT) * tick / _TICKS
        y = bottom - (bottom - _TOP) * tick / _TICKS
        found.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>')
        found.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{y_end * tick / _TICKS:g}</text>')
        found.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{x_end * tick / _TICKS:g}</text>')
    found.append(f'<text x="{_LEFT - 6}" y="{_TOP - 8}" text-anchor="end">{y_unit}</text>')
    found.append(f'<text x="{right}" y="{bottom + 34}" text-anchor="end">{x_unit}</text>')
    line = " ".join(
        f"{_LEFT + (right - _LEFT) * x / x_end:.1f},{bottom - (bottom - _TOP) * y / y_end:.1f}" for x, y in points
    )
    return "\n".join([*found, f'<polyline class="line" points="{line}"/>', "</svg>"]) + "\n"


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 4, 6, 8 or 10 with some zeros."""
    power = 1.0
    while value > 10 * power:
        power *= 10
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if value <= step * power)
