"""What holds for tests of roles."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def logs_closed() -> Iterator[None]:
    """Closes the logs of roles that a test makes in its own process."""
    ours = logging.getLogger("trailkit")
    before = list(ours.handlers)
    yield
    for handler in set(ours.handlers) - set(before):
        ours.removeHandler(handler)
        handler.close()
