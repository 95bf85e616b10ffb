"""The errors a user can meet, and how they travel from a Beam worker to the terminal."""

import json
import re
from typing import Any

_MARK = re.compile(r"gristmill-error:([0-9a-f]+):")


class UserError(Exception):
    """A problem that the user can mend: what is wrong and where, and what to do about it.

    Args:
        message: What is wrong and where. Never holds document text.
        hint: What to do about it; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(UserError):
    """A wrong option, recipe or output directory: nothing was run."""

    exit_code = 2


class VerificationError(UserError):
    """The output does not add up, or is not what its manifest says."""

    exit_code = 3


class Interrupted(UserError):  # noqa: N818 - what the user did is no error
    """The user pressed Ctrl-C; the message says what is kept and how to go on."""

    exit_code = 130


_CLASSES = {cls.__name__: cls for cls in (UserError, UsageError, VerificationError)}


class WorkerError(RuntimeError):
    """Carries a UserError out of a worker.

    Runners hand a worker's failure on as text, with its traceback, quoted once or more, or as a
    pickle. The marked hexadecimal digits in the text let `from_worker` find the error again.
    """

    def __init__(self, error: UserError) -> None:
        fields = {"class": type(error).__name__, "message": error.message, "hint": error.hint}
        super().__init__(f"{error}\ngristmill-error:{json.dumps(fields).encode().hex()}:")

    def __reduce__(self) -> tuple[type[RuntimeError], tuple[Any, ...]]:
        return RuntimeError, self.args  # unpickling would call __init__ with the text


def from_worker(failure: BaseException) -> UserError | None:
    """Returns the UserError that a runner's failure carries, or None if it carries none."""
    if isinstance(failure, UserError):
        return failure
    marked = _MARK.findall(str(failure))
    if not marked:
        return None
    fields = json.loads(bytes.fromhex(marked[-1]))  # what stands before can be the message's own
    return _CLASSES[fields["class"]](fields["message"], fields["hint"])
