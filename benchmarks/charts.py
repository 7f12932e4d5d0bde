"""Charts as SVG: horizontal bars with aims, stacked bars, and lines. They follow the reader's light or dark scheme."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

_WIDTH: Final = 760
_LEFT: Final = 190
_PLOT: Final = 480
_BAR: Final = 13
_GAP: Final = 12
_TOP: Final = 64
_PLOT_HEIGHT: Final = 240
# Distinguishable by people who confuse red and green (Okabe and Ito), on white and on black.
_COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")
_STYLE: Final = """<style>
text{font:13px sans-serif;fill:#1f2328}.title{font-weight:bold}.small{font-size:12px}
.page{fill:#fff}.grid{stroke:#d1d9e0}.aim{stroke:#1f2328;stroke-width:2}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.grid{stroke:#30363d}.aim{stroke:#e6edf3}}
</style>"""


@dataclass(frozen=True, slots=True)
class Bars:
    """A group of bars, one for each series, with a label and an aim if there is one."""

    label: str
    values: tuple[float, ...]
    aim: float | None = None


def draw_bars(title: str, series: Sequence[str], groups: Sequence[Bars], show: Callable[[float], str]) -> str:
    """Draw groups of horizontal bars from 0, each with its value, and the aims as vertical marks."""
    highest = max(max(*it.values, it.aim or 0) for it in groups)
    scale, parts, top = _PLOT / highest, [], _TOP
    for group in groups:
        height = _BAR * len(group.values)
        parts.append(_text(_LEFT - 8, top + height / 2 + 4, group.label, anchor="end"))
        for place, value in enumerate(group.values):
            parts.append(_rect(_LEFT, top + place * _BAR, value * scale, _BAR - 2, place))
            beside = (
                max(value, group.aim or 0) if group.aim is None or value * scale + 50 > group.aim * scale else value
            )
            parts.append(_text(_LEFT + beside * scale + 6, top + place * _BAR + 10, show(value), "small"))
        if group.aim is not None:
            parts.append(f'<path class="aim" d="M{_LEFT + group.aim * scale:.1f} {top - 3}v{height + 4}"/>')
        top += height + _GAP
    legend = [*series, *(["| aim"] if any(it.aim is not None for it in groups) else [])]
    return _svg(title, legend, parts, top)


def draw_stacks(title: str, parts: Sequence[str], stacks: Mapping[str, Sequence[float]], unit: str) -> str:
    """Draw a horizontal bar for each stack, divided into its parts, with the sum at its end."""
    scale, drawn, top = _PLOT / max(map(sum, stacks.values())), [], _TOP
    for label, values in stacks.items():
        at = float(_LEFT)
        drawn.append(_text(_LEFT - 8, top + 18, label, anchor="end"))
        for place, value in enumerate(values):
            drawn.append(_rect(at, top, value * scale, 26, place))
            at += value * scale
        drawn.append(_text(at + 6, top + 18, f"{sum(values):,.0f} {unit}", "small"))
        top += 26 + _GAP
    return _svg(title, parts, drawn, top)


def draw_lines(
    title: str, lines: Mapping[str, Sequence[tuple[float, float]]], across: str, show: Callable[[float], str]
) -> str:
    """Draw a line for each series over a logarithmic axis `across`. The vertical axis begins at 0."""
    points = [point for line in lines.values() for point in line]
    low, high = math.log(min(x for x, _ in points)), math.log(max(x for x, _ in points))
    step = _round_step(max(y for _, y in points))
    highest = step * math.ceil(max(y for _, y in points) / step)

    def place(x: float, y: float) -> tuple[float, float]:
        return 90 + 590 * (math.log(x) - low) / (high - low), _TOP + _PLOT_HEIGHT * (1 - y / highest)

    parts = []
    for number in range(round(highest / step) + 1):
        y = place(points[0][0], number * step)[1]
        parts += [f'<path class="grid" d="M90 {y:.1f}h590"/>', _text(82, y + 4, show(number * step), anchor="end")]
    for x in sorted({x for x, _ in points}):
        at = place(x, 0)[0]
        parts.append(f'<path class="grid" d="M{at:.1f} {_TOP}v{_PLOT_HEIGHT}"/>')
        parts.append(_text(at, _TOP + _PLOT_HEIGHT + 18, f"{x:,.0f}", anchor="middle"))
    parts.append(_text(385, _TOP + _PLOT_HEIGHT + 38, across, anchor="middle"))
    for number, line in enumerate(lines.values()):
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{_COLOURS[number]}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{_COLOURS[number]}"/>' for x, y in _spots(drawn)]
    return _svg(title, list(lines), parts, _TOP + _PLOT_HEIGHT + 46)


def _spots(drawn: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (spot.split(",") for spot in drawn.split())]


def _round_step(highest: float) -> float:
    """Return a round distance of which three to eight reach up to `highest`."""
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step for step in (power / 5, power / 2, power, 2 * power) if highest / step <= 8)


def _svg(title: str, legend: Sequence[str], parts: Sequence[str], height: float) -> str:
    size = f'width="{_WIDTH}" height="{height:.0f}"'
    head = [_text(16, 24, title, "title")]
    at = 16.0
    for place, name in enumerate(legend):
        if name.startswith("| "):
            head.append(f'<path class="aim" d="M{at + 6:.1f} 38v14"/>')
        else:
            head.append(_rect(at, 40, 12, 12, place))
        head.append(_text(at + 18, 50, name.removeprefix("| "), "small"))
        at += 40 + 7 * len(name)
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_WIDTH} {height:.0f}">'
    return "\n".join(
        [
            opening,
            f"<title>{escape(title)}</title>",
            _STYLE,
            f'<rect class="page" {size}/>',
            *head,
            *parts,
            "</svg>",
            "",
        ]
    )


def _rect(x: float, y: float, width: float, height: float, colour: int) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" fill="{_COLOURS[colour]}"/>'


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    chosen = (f' class="{style}"' if style else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{chosen}>{escape(text)}</text>'
