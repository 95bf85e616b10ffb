"""The charts of the report, drawn as SVG: stacked bars, and histograms with their bounds."""

import math
from collections.abc import Callable
from typing import Any

from pipeline.report_markup import Markup, element, number

WIDTH, HEIGHT, TOP, LEFT = 320.0, 78.0, 18.0, 4.0  # a histogram's plot, in SVG units


def bar(whole: float, *parts: tuple[str, float], title: str | None = None) -> Markup:
    """Draws a bar of stacked parts.

    Args:
        whole: What the full width stands for.
        parts: CSS class and amount of each part.
        title: Read out by screen readers; without one the bar repeats numbers beside it.
    """
    rects, start = [], 0.0
    for kind, amount in parts:
        width = 100 * amount / whole if whole else 0.0
        width = max(width, 0.5) if amount else 0.0
        rect = element("rect", x=f"{start:.2f}", width=f"{width:.2f}", height=10, class_=kind)
        rects.append(rect if amount else "")
        start += width
    seen = {"role": "img", "aria_label": title} if title else {"aria_hidden": "true"}
    return element(
        "svg",
        element("title", title) if title else "",
        *rects,
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        class_="bar",
        **seen,
    )


def histogram(
    data: dict[str, Any],
    rule: dict[str, Any],
    title: str,
    what: str = "documents",
    bound: str | None = None,
    dropped: str = "filtered",
) -> Markup:
    """Draws a distribution, its bounds, and the side of each that is dropped.

    Heights grow with the square root of the count, so that thin tails can be seen.

    Args:
        data: One of the report's histograms.
        rule: The rule of the same name.
        title: Read out by screen readers.
        what: What is counted.
        bound: What a bound is called; minimum or maximum if None.
        dropped: CSS class of the bars on the dropped side.
    """
    edges, counts = data["edges"], data["counts"]
    ratios = data["scale"] == "log"

    def x(value: float) -> float:
        low, high, at = edges[0], edges[-1], min(max(value, edges[0]), edges[-1])
        if ratios:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return LEFT + float((at - low) / (high - low)) * (WIDTH - 2 * LEFT)

    base = TOP + HEIGHT
    marks, bars = _bounds(rule, x, base, bound), []
    low, high = _kept_between(rule)
    for start, end, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            height = max(1.0, math.sqrt(count / max(counts)) * (HEIGHT - 4))
            kind = "kept" if low <= (start + end) / 2 <= high else dropped
            bars.append(
                element(
                    "rect",
                    element("title", f"{number(start)} to {number(end)}: {count:,} {what}"),
                    x=f"{x(start) + 0.3:.1f}",
                    y=f"{base - height:.1f}",
                    width=f"{max(x(end) - x(start) - 0.6, 0.8):.1f}",
                    height=f"{height:.1f}",
                    class_=kind,
                )
            )
    ends = []
    if data["smallest"] is not None and data["smallest"] < edges[0]:
        ends.append(_label(LEFT, base + 29, f"◂ and beyond, to {number(data['smallest'])}"))
    if data["largest"] is not None and data["largest"] > edges[-1]:
        note = f"and beyond, to {number(data['largest'])} ▸"
        ends.append(_label(WIDTH - LEFT, base + 29, note, "end"))
    return element(
        "svg",
        element("title", title),
        *marks[0],
        *bars,
        element("line", x1=LEFT, x2=WIDTH - LEFT, y1=base, y2=base, class_="axis"),
        *_ticks(edges[0], edges[-1], ratios, x, base),
        *marks[1],
        *ends,
        viewBox=f"0 0 {WIDTH:g} {base + 33:g}",
        role="img",
        aria_label=title,
        class_="histogram",
    )


def _kept_between(rule: dict[str, Any]) -> tuple[float, float]:
    low = -math.inf if rule["minimum"] is None else rule["minimum"]
    return low, math.inf if rule["maximum"] is None else rule["maximum"]


def _bounds(
    rule: dict[str, Any], x: Callable[[float], float], base: float, called: str | None
) -> tuple[list[Markup], list[Markup]]:
    """Returns what lies under the bars, the dropped sides, and over them, the bounds."""
    under, over = [], []
    for key, sign in (("minimum", -1), ("maximum", 1)):
        bound = rule[key]
        if bound is None or not math.isfinite(bound):
            continue
        at = x(bound)
        start, end = sorted([at, WIDTH - LEFT if sign > 0 else LEFT])
        under.append(
            element(
                "rect",
                x=f"{start:.1f}",
                y=TOP,
                width=f"{end - start:.1f}",
                height=HEIGHT,
                class_="dropped",
            )
        )
        over.append(
            element("line", x1=f"{at:.1f}", x2=f"{at:.1f}", y1=TOP - 4, y2=base, class_="bound")
        )
        # A label stands over the kept side, unless there is no room for it.
        room = at - LEFT if sign > 0 else WIDTH - LEFT - at
        anchor = "end" if (sign > 0) == (room > 84) else "start"
        over.append(_label(at, TOP - 7, f"{called or key} {number(bound)}", anchor, "bound-label"))
    return under, over


def _ticks(
    low: float, high: float, ratios: bool, x: Callable[[float], float], base: float
) -> list[Markup]:
    """Returns the axis labels: powers of ten, or about five round values."""
    if ratios:
        values = [10.0**power for power in range(-12, 19) if low <= 10.0**power <= high]
    else:
        rough = (high - low) / 5
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= rough)
        first = math.ceil(low / step - 1e-9)
        values = [step * k for k in range(first, math.floor(high / step + 1e-9) + 1)]
    ticks = []
    for value in values:
        at = x(value)
        words = f"{value:,.10g}"
        half = 3.3 * len(words)
        anchor = "start" if at < half else "end" if at > WIDTH - half else "middle"
        ticks.append(
            element("line", x1=f"{at:.1f}", x2=f"{at:.1f}", y1=base, y2=base + 3, class_="axis")
        )
        ticks.append(_label(at, base + 14, words, anchor))
    return ticks


def _label(at: float, y: float, words: str, anchor: str = "start", kind: str = "tick") -> Markup:
    return element("text", words, x=f"{at:.1f}", y=f"{y:g}", text_anchor=anchor, class_=kind)
