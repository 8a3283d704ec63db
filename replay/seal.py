"""A seal on an episode's file: a block of text before its bytes that states their number and their SHA-256.

HDF5 calls this a user block; every HDF5 reader skips it.
"""

import hashlib
import re
from pathlib import Path

SIZE = 512  # bytes, the smallest user block that HDF5 allows
_HDF5 = b"\x89HDF\r\n\x1a\n"  # how an HDF5 file without a user block begins
_TEXT = re.compile(rb"trailkit: (\d{1,15}) bytes of HDF5 follow this block; their SHA-256 is [0-9a-f]{64}\n")


def seal(content: bytes | memoryview) -> bytes:
    """The seal to put before these bytes."""
    digest = hashlib.sha256(content).hexdigest()
    text = f"trailkit: {len(content)} bytes of HDF5 follow this block; their SHA-256 is {digest}\n"
    return text.encode().ljust(SIZE)


def is_unsealed(path: Path) -> bool:
    """Whether a file is HDF5 without a seal, like those of earlier versions and of other programs."""
    with path.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


def flaw(data: bytes) -> str | None:
    """What is wrong with the bytes of a sealed file, as words to follow its name; None if nothing is.

    Files of earlier versions have no seal and always pass.
    """
    if data.startswith(_HDF5):
        return None
    if not data:
        return "is empty: an episode's file is never written in part"
    block, content = data[:SIZE], memoryview(data)[SIZE:]
    if block == seal(content):
        return None
    text = _TEXT.match(block)
    if text is None:
        return "is cut short or no HDF5 file of trailkit's"
    if (expected := int(text[1]) + SIZE) > len(data):
        return f"is cut short: {len(data)} of {expected} bytes are left"
    return "is damaged: its bytes are not those that were written, their SHA-256 differs"
