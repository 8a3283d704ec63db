"""Fixtures of the environments' tests."""

from collections.abc import Iterator

import pytest
from environments import Make


@pytest.fixture
def make() -> Iterator[Make]:
    made = Make()
    yield made
    made.close()
