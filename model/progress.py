"""What a person sees of a run: one moving line on a terminal, plain lines elsewhere."""

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

_PLAIN_SECONDS = 10.0


class ProgressLine:
    """Shows steps done, loss, tokens per second, share of the peak and time left.

    Args:
        console: Where to; a line that moves if it is a terminal.
        steps: Steps of the run.
        step: Steps done already.
    """

    def __init__(self, console: Console, steps: int, step: int) -> None:
        self._console = console
        self._steps = steps
        self._step_seconds: float | None = None
        self._next_line = 0.0
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("step {task.completed}/{task.total}"),
                BarColumn(bar_width=20),
                TextColumn("{task.description}"),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=steps, completed=step)
            self._bar.start()

    def update(self, step: int, loss: float, seconds: float, tokens: int, share: float) -> None:
        """Shows a step.

        Args:
            step: Steps done.
            loss: Nats per token of this step.
            seconds: Time of this step.
            tokens: Tokens of this step.
            share: Its share of the device's peak, between 0 and 1.
        """
        # The average forgets slowly, so that the time left does not jump with every step.
        previous = self._step_seconds if self._step_seconds is not None else seconds
        self._step_seconds = 0.9 * previous + 0.1 * seconds
        text = (
            f"loss {loss:.3f} · {tokens / seconds:,.0f} tokens/s · {share:.0%} of peak · "
            f"{duration(self._step_seconds * (self._steps - step))} left"
        )
        if self._bar is not None:
            self._bar.update(self._task, completed=step, description=text)
        elif time.monotonic() >= self._next_line or step == self._steps:
            self._next_line = time.monotonic() + _PLAIN_SECONDS
            self.note(f"step {step}/{self._steps} · {text}")

    def note(self, text: str) -> None:
        """Prints a line that stays."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Takes the moving line away."""
        if self._bar is not None:
            self._bar.stop()


def duration(seconds: float) -> str:
    """Returns a time as people say it: `45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
