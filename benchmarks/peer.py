"""A script that runs another library in an environment of its own and answers commands."""

import json
import subprocess
from pathlib import Path
from typing import Any


class Peer:
    """The script's process; to be used as a context.

    Args:
        python: The interpreter of the other environment.
        script: The name of a file in this folder, which reads a command in each line and writes a
            line of JSON for each.
        words: Its arguments.
    """

    def __init__(self, python: str, script: str, *words: object) -> None:
        self.process = subprocess.Popen(
            [python, str(Path(__file__).with_name(script)), *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def ask(self, command: str) -> Any:
        """Sends a command and waits for the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())
