"""Optional dependencies."""

from collections.abc import Iterator
from contextlib import contextmanager

from trailkit.envs.errors import UserError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Turns the lack of an optional library into an error that says how to install it.

    Args:
        name: The extra that contains the library.

    Raises:
        UserError: If an import inside the block fails.
    """
    try:
        yield
    except ImportError as error:
        raise UserError(f"{error}: pip install 'trailkit[{name}]'") from error
