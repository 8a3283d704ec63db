"""The page that `trailkit compare RUN... out=NAME.html` writes: everything about runs in one file, without a server."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff }
body { max-width: 1100px; margin: 0 auto; padding: 16px }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em; border-bottom: 1px solid #ddd }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 13px; white-space: nowrap }
th, td { padding: 4px 10px; border-bottom: 1px solid #eee; text-align: left }
.wide img { min-width: 760px; width: 100%; height: auto } p.finding { border-left: 4px solid #d33; padding-left: 10px }
p.verdict { border-left: 4px solid #36c; padding-left: 10px } p.well { border-left: 4px solid #3a3; padding-left: 10px }
figure { display: inline-block; margin: 0 12px 12px 0; max-width: 100% } video { max-width: 100%; width: 480px }
figcaption { font-size: 13px; color: #555 }
"""


class Page:
    """Collects the parts of a page, in order."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        """Starts a section."""
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def paragraph(self, text: str, kind: str) -> None:
        """Adds a paragraph: a finding, a verdict, or that everything is well."""
        self._parts.append(f'<p class="{kind}">{escape(text)}</p>')

    def table(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Adds a table; the keys of the first row are its header."""
        head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(value)}</td>" for value in row.values()) + "</tr>" for row in rows
        )
        self._parts.append(f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>')

    def picture(self, png: bytes, says: str) -> None:
        """Adds a picture."""
        self._parts.append(f'<div class="wide"><img alt="{escape(says)}" src="{_data(png, "image/png")}"></div>')

    def videos(self, paths: Sequence[tuple[str, Path]]) -> None:
        """Adds videos, each with a caption."""
        for caption, path in paths:
            source = _data(path.read_bytes(), "video/mp4")
            video = f'<video controls muted loop playsinline preload="metadata" src="{source}"></video>'
            self._parts.append(f"<figure>{video}<figcaption>{escape(caption)}</figcaption></figure>")

    def __str__(self) -> str:
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="icon" href="data:,"><title>{escape(self._title)}</title>'
            f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(self._parts) + "\n</body></html>\n"
        )


def newest_videos(folder: Path, most: int = 2, largest: int = 8_000_000) -> Iterator[Path]:
    """The first videos of a run's newest step that has any, except those that would make a page too large."""
    folders = sorted({path.parent for path in folder.glob(f"videos/{9 * '[0-9]'}/*.mp4")})
    if folders:
        fitting = (path for path in sorted(folders[-1].glob("*.mp4")) if path.stat().st_size <= largest)
        yield from list(fitting)[:most]


def _data(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
