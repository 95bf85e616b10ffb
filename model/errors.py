"""The error that the trainer shows to its user."""


class TrainingError(Exception):
    """A problem that the user can mend: what is wrong and where, and what to do about it.

    Args:
        message: What is wrong and where.
        hint: What to do about it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message
