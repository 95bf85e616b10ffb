"""The errors a user can meet, and how they travel from a Beam worker to the terminal."""

import json
import re

_MARK = re.compile(r"gristmill-error(\{.*?\})gristmill-end", re.DOTALL)


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


_CLASSES = {cls.__name__: cls for cls in (UserError, UsageError, VerificationError)}


class WorkerError(RuntimeError):
    """Carries a UserError out of a worker.

    Runners hand a worker's failure on as text, with its traceback; the marked JSON in the
    text lets `from_worker` find the error again on any runner.
    """

    def __init__(self, error: UserError) -> None:
        fields = {"class": type(error).__name__, "message": error.message, "hint": error.hint}
        super().__init__(f"gristmill-error{json.dumps(fields)}gristmill-end")


def from_worker(failure: BaseException) -> UserError | None:
    """Returns the UserError that a runner's failure carries, or None if it carries none."""
    if isinstance(failure, UserError):
        return failure
    found = _MARK.search(str(failure))
    if found is None:
        return None
    try:
        fields = json.loads(found.group(1))
    except ValueError:  # a runner that quotes the text once more
        fields = json.loads(found.group(1).encode().decode("unicode_escape"))
    return _CLASSES[fields["class"]](fields["message"], fields["hint"])
