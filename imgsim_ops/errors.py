"""The errors that imgsim raises for a user's input.

Every message is one line in the form ``operator or command: rule (got value)``. All of them are
``ValueError``s, so that code that knows nothing of imgsim can still catch them.
"""

from collections.abc import Iterable


class ImgsimError(ValueError):
    """A user's input breaks a rule; the message is one line that names the rule and the value got."""


class WeightsError(ImgsimError):
    """A backbone's weights cannot be had or do not fit; the message names the ways out."""


class ImageError(ImgsimError):
    """A file cannot be read as a picture.

    Attributes:
        code: The code of an ``imgsim_ops.files.reasons.Reason``, for example ``truncated``.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


def nearest(name: str, names: Iterable[str]) -> str:
    """The names most like one, as the end of a message that it is none of them; empty where none is like it."""
    import difflib  # which costs every start some milliseconds, and few a mistake

    found = difflib.get_close_matches(name, list(names), cutoff=0.5)
    return f"; did you mean {' or '.join(found)}?" if found else ""
