"""The one error type that is meant for users.

Raise `UserError` for anything that a user of the command or of the library did wrong or can fix: the
command prints the message as one line and exits with code 2, without a traceback.
"""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """What was wrong, what was expected and what to do about it, in one line."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Builds the error for an unknown name, with the closest known names."""
    names = sorted(str(each) for each in known)  # a member of a StrEnum prints as its value
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"choose from {', '.join(names)}"
    return UserError(f"unknown {kind} {name!r}: {hint}")
