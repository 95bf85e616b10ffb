import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report_charts import HEIGHT, LEFT, TOP, WIDTH, bar, histogram

RULE = {"minimum": 50, "maximum": 100_000}


def data(edges, counts, scale="linear", smallest=None, largest=None):
    return {
        "edges": edges,
        "counts": counts,
        "scale": scale,
        "smallest": edges[0] if smallest is None else smallest,
        "largest": edges[-1] if largest is None else largest,
    }


def rects(svg: str, kind: str) -> list[dict[str, float]]:
    found = re.findall(rf'<rect ([^>]*) class="{kind}">', svg)
    return [
        {key: float(value) for key, value in re.findall(r'(\w+)="([\d.]+)"', attributes)}
        for attributes in found
    ]


def test_bars_are_as_long_as_their_parts():
    drawn = bar(200, ("kept", 50), ("filtered", 100), ("error", 0))
    assert rects(drawn, "kept")[0]["width"] == 25
    assert rects(drawn, "filtered")[0] == {"x": 25, "width": 50, "height": 10}
    assert not rects(drawn, "error")
    assert 'aria-hidden="true"' in drawn


def test_a_part_that_is_there_can_be_seen():
    assert rects(bar(1_000_000, ("kept", 1)), "kept")[0]["width"] == 0.5
    assert "rect" not in bar(0, ("kept", 0))


def test_bar_with_a_title_is_read_out():
    assert 'role="img"' in bar(1, ("kept", 1), title="a < b")
    assert "<title>a &lt; b</title>" in bar(1, ("kept", 1), title="a < b")


def test_histogram_colours_the_dropped_bins_and_shades_their_side():
    edges = [5.0, 50.0, 5_000.0, 100_000.1, 150_000.0]
    drawn = histogram(data(edges, [10, 40, 0, 2], "log", 1.0, 200_000.0), RULE, "words")
    assert len(rects(drawn, "filtered")) == 2
    assert len(rects(drawn, "kept")) == 1
    shaded = rects(drawn, "dropped")
    assert shaded[0]["x"] == LEFT
    assert shaded[1]["x"] + shaded[1]["width"] == pytest.approx(WIDTH - LEFT)
    lines = re.findall(r'<line x1="([\d.]+)"[^>]*class="bound"', drawn)
    assert [float(x) for x in lines] == pytest.approx(
        [LEFT + shaded[0]["width"], shaded[1]["x"]], abs=0.2
    )
    for words in ("minimum 50", "maximum 100,000", "5 to 50: 10 documents"):
        assert words in drawn
    assert "◂ and beyond, to 1<" in drawn
    assert "and beyond, to 200,000 ▸" in drawn


def test_histogram_marks_no_end_that_holds_all():
    drawn = histogram(data([0.0, 0.5, 1.0], [3, 4]), {"minimum": None, "maximum": 0.5}, "x")
    assert "beyond" not in drawn
    assert drawn.count("<title>x</title>") == 1


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=40).filter(any),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
    st.one_of(st.none(), st.floats()),
    st.one_of(st.none(), st.floats()),
)
def test_histogram_stays_inside_its_frame(counts, start, step, minimum, maximum):
    edges = [start + step * n for n in range(len(counts) + 1)]
    rule = {"minimum": minimum, "maximum": maximum}
    drawn = histogram(data(edges, counts), rule, "title")
    drawn_bars = rects(drawn, "kept") + rects(drawn, "filtered")
    assert len(drawn_bars) <= sum(map(bool, counts))
    for rect in drawn_bars + rects(drawn, "dropped"):
        assert LEFT <= rect["x"] <= WIDTH - LEFT
        assert rect["x"] + rect["width"] <= WIDTH - LEFT + 1
        assert rect["y"] >= TOP - 0.1
        assert rect["y"] + rect["height"] <= TOP + HEIGHT + 0.1
