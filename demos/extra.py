"""Libraries that only some users want."""

from collections.abc import Iterator
from contextlib import contextmanager

from trailkit.envs.errors import UserError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Turns the want of an optional library into an error that says how to install it.

    Args:
        name: Of the extra that brings the library.

    Raises:
        UserError: If an import within fails.
    """
    try:
        yield
    except ImportError as error:
        raise UserError(f"{error}: pip install 'trailkit[{name}]'") from error
