"""What settings mean: the comments beside the fields of their dataclasses."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

_FIELD = re.compile(r"^    (\w+): [^#\n]*(?:# (.*))?$", re.MULTILINE)


def explained(schema: type[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields the keys of a configuration in their order, such as agent.n_step, and what is said of each.

    Args:
        schema: The dataclass of the configuration; its fields may be dataclasses.
        prefix: What the keys begin with.
    """
    comments = dict(_FIELD.findall(inspect.getsource(schema)))
    for each in fields(schema):
        if is_dataclass(each.type):
            assert isinstance(each.type, type)
            yield from explained(each.type, f"{prefix}{each.name}.")
        else:
            options = each.type.__members__ if isinstance(each.type, type) and issubclass(each.type, Enum) else ()
            said = [comments.get(each.name, ""), f"({', '.join(options)})" if options else ""]
            yield prefix + each.name, " ".join(filter(None, said))
