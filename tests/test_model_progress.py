from io import StringIO

import pytest
from rich.console import Console

from model.progress import ProgressLine, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3600, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_plain_lines_are_few_and_the_last_is_there() -> None:
    screen = StringIO()
    line = ProgressLine(Console(file=screen, width=200), steps=100, step=0)
    for step in range(1, 101):
        line.update(step, 5.0 - step / 100, seconds=2.0, tokens=3000, share=0.25)
    line.close()
    assert screen.getvalue().splitlines() == [
        "step 1/100 · loss 4.990 · 1,500 tokens/s · 25% of peak · 3 min 18 s left",
        "step 100/100 · loss 4.000 · 1,500 tokens/s · 25% of peak · 0 s left",
    ]


def test_a_terminal_gets_one_moving_line() -> None:
    screen = StringIO()
    console = Console(file=screen, width=120, force_terminal=True)
    line = ProgressLine(console, steps=10, step=4)
    for step in range(5, 11):
        line.update(step, 1.25, seconds=0.5, tokens=100, share=0.5)
    line.note("[not markup]")
    line.close()
    text = screen.getvalue()
    assert "10/10" in text
    assert "200 tokens/s" in text
    assert "[not markup]\n" in text
    assert text.count("\n") < 6
