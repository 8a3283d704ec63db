"""Checks of numeric bounds in settings."""

from trailkit.envs.errors import UserError


def at_least(minimum: float, **values: float | None) -> None:
    """Rejects values below a minimum; two underscores stand for a dot in a key.

    Raises:
        UserError: Names the key.
    """
    for name, value in values.items():
        if value is not None and not value >= minimum:
            raise UserError(f"{name.replace('__', '.')}={value}: it must be at least {minimum:g}")


def above(bound: float, **values: float | None) -> None:
    """Rejects values that do not exceed a bound, like `at_least`."""
    for name, value in values.items():
        if value is not None and not value > bound:
            raise UserError(f"{name.replace('__', '.')}={value}: it must be more than {bound:g}")
