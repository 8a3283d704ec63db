"""Bounds of numbers in settings."""

from trailkit.envs.errors import UserError


def at_least(minimum: float, **values: float | None) -> None:
    """Refuses values below a minimum; two underscores stand for a dot of a key.

    Raises:
        UserError: Naming the key.
    """
    for name, value in values.items():
        if value is not None and not value >= minimum:
            raise UserError(f"{name.replace('__', '.')}={value}: it must be at least {minimum:g}")


def above(bound: float, **values: float | None) -> None:
    """Refuses values that do not exceed a bound, as `at_least` does."""
    for name, value in values.items():
        if value is not None and not value > bound:
            raise UserError(f"{name.replace('__', '.')}={value}: it must be more than {bound:g}")
