"""The errors a user can meet, and how they travel from a Beam worker to the terminal."""

import json
import re
import traceback
from typing import Any

_MARK = re.compile(r"gristmill-error:([0-9a-f]+):")
# Before the @ of abfs://container@account there is no secret.
_USER_INFO = re.compile(r"(?:(?<=http://)|(?<=https://))[^/?#\s]*@|(?<=://)[^/?#\s]*:[^/?#\s]*@")
_LEFT_OUT = "(its message is left out, since it may hold text of documents)"


def without_user_info(value: Any) -> Any:
    """Removes names and passwords from the URLs in a text, or in all texts of a JSON value."""
    if isinstance(value, str):
        return _USER_INFO.sub("", value)
    if isinstance(value, dict):
        return {without_user_info(key): without_user_info(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_user_info(entry) for entry in value]
    return value


class UserError(Exception):
    """A problem that the user can mend: what is wrong and where, and what to do about it.

    Args:
        message: What is wrong and where. Never holds document text; passwords in URLs are removed.
        hint: What to do about it; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = without_user_info(message)
        self.hint = without_user_info(hint)
        super().__init__(self.message, self.hint)

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


class InternalError(Exception):
    """What nobody foresaw, in a worker: all that is safe to know of an exception.

    Args:
        name: The exception's class.
        place: The module and line that raised it.
        traceback: As `trace` writes it.
    """

    def __init__(self, name: str, place: str, traceback: str) -> None:
        super().__init__(name, place, traceback)
        self.name = name
        self.place = place
        self.traceback = traceback


class WorkerError(RuntimeError):
    """Carries an exception out of a worker, without the message of one that nobody foresaw.

    Runners hand a worker's failure on as text, with its traceback, quoted once or more, or as a
    pickle, and write it to their logs. The marked hexadecimal digits in the text let
    `from_worker` find the error again.
    """

    def __init__(self, error: Exception) -> None:
        if isinstance(error, UserError):
            said = str(error)
            fields = {"class": type(error).__name__, "message": error.message, "hint": error.hint}
        else:
            name, place = type(error).__name__, place_of(error)
            said = f"internal error: {name} in {place}"
            fields = {"name": name, "place": place, "traceback": trace(error)}
        super().__init__(f"{said}\ngristmill-error:{json.dumps(fields).encode().hex()}:")

    def __reduce__(self) -> tuple[type[RuntimeError], tuple[Any, ...]]:
        return RuntimeError, self.args  # unpickling would call __init__ with the text


def from_worker(failure: BaseException) -> UserError | InternalError | None:
    """Returns the error that a runner's failure carries, or None if it carries none."""
    if isinstance(failure, UserError):
        return failure
    marked = _MARK.findall(str(failure))
    if not marked:
        return None
    fields = json.loads(bytes.fromhex(marked[-1]))  # what stands before can be the message's own
    if "name" in fields:
        return InternalError(**fields)
    return _CLASSES[fields["class"]](fields["message"], fields["hint"])


def place_of(error: BaseException) -> str:
    """Returns the module and line where an exception was raised."""
    if isinstance(error, InternalError):
        return error.place
    places = [
        f"{frame.f_globals.get('__name__')}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return places[-1] if places else "?"


def trace(error: BaseException) -> str:
    """Returns an exception's traceback, and those of its causes, as Python writes them.

    Messages are left out, since other people's exceptions quote what they were working on: only a
    UserError's is known to hold no text of a document.
    """
    if isinstance(error, InternalError):
        return error.traceback
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    said = str(error) if isinstance(error, UserError) else _LEFT_OUT
    return (
        (f"{trace(before)}\nThen came:\n\n" if before else "")
        + "Traceback (most recent call last):\n"
        + "".join(traceback.format_tb(error.__traceback__))
        + f"{type(error).__name__} {said}\n"
    )
