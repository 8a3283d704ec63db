"""What a recording window shows: the images, the state of the session, and the key map."""

import pygame

from trailkit.demos.teleop.base import Phase, Picture
from trailkit.demos.teleop.console import Hint, Moment

_Colour = tuple[int, int, int]

_GROUND, _PANEL, _LINE = (20, 23, 28), (29, 34, 42), (49, 56, 68)
_TEXT, _DIM = (232, 235, 240), (152, 162, 179)
_GO, _WAIT, _ACCENT = (69, 192, 131), (232, 176, 74), (73, 107, 153)
_GAP = 16  # pixels between elements
_HEADER, _BAR = 56, 24  # heights, pixels
_SMALL, _LARGE = 22, 28  # font sizes in pixels at which this font looks good

_MESSAGES = {
    Phase.READY: "Move to begin the episode.",
    Phase.PLAYING: "Recording.",
    Phase.PAUSED: "Paused: move to go on.",
    Phase.JUDGING: "Time is up. Keep this episode?",
    Phase.FINISHED: "The recording has ended.",
}
_NOT_STORED = "Not stored: keep this episode again?"
_COLOURS = {Phase.PLAYING: _GO, Phase.PAUSED: _WAIT, Phase.JUDGING: _WAIT}
_FINGERS = {0.0: "fingers at rest", 1.0: "fingers closing", -1.0: "fingers opening"}


class Panel:
    """Draws moments onto a surface of any size."""

    def __init__(self, device: str, legend: tuple[tuple[Hint, ...], ...]) -> None:
        """Loads the fonts; see `Console`."""
        pygame.font.init()
        self._fonts = {size: pygame.font.Font(None, size) for size in (_SMALL, _LARGE)}
        self._gone = f"The {device} is gone: connect it again."
        self._legend = legend
        self._key_map = pygame.Surface((0, 0))

    def draw(self, surface: pygame.Surface, moment: Moment) -> None:
        """Draws a moment over the old content of the surface."""
        surface.fill(_GROUND)
        width, height = surface.get_size()
        if self._key_map.get_width() != width - 2 * _GAP:
            self._key_map = self._draw_key_map(surface, width - 2 * _GAP)
        bottom = height - self._key_map.get_height() - _GAP
        surface.blit(self._key_map, (_GAP, bottom))
        self._draw_header(surface, moment)
        self._draw_time(surface, moment, pygame.Rect(_GAP, bottom - _GAP - _BAR, width - 2 * _GAP, _BAR))
        cell = (width - _GAP) / max(1, len(moment.pictures))
        for index, (camera, picture) in enumerate(moment.pictures.items()):
            place = pygame.Rect(0, _HEADER + _GAP, round(cell) - _GAP, bottom - _BAR - _HEADER - 3 * _GAP)
            self._draw_picture(surface, camera, picture, place.move(_GAP + round(index * cell), 0))

    def _draw_header(self, surface: pygame.Surface, moment: Moment) -> None:
        status, width = moment.status, surface.get_width()
        middle, light = _HEADER // 2, _GO if status.solved else _DIM
        pygame.draw.line(surface, _LINE, (0, _HEADER), (width, _HEADER))
        pygame.draw.circle(surface, _COLOURS.get(status.phase, _DIM), (_GAP + 8, middle), 7)
        said = _NOT_STORED if status.trouble else _MESSAGES[status.phase]
        message = said if moment.connected else self._gone
        self._write(surface, message, _LARGE, _TEXT if moment.connected else _WAIT, midleft=(_GAP + 26, middle))
        place = self._write(surface, "solved", _SMALL, light, midright=(width - _GAP, middle))
        pygame.draw.circle(surface, _GO if status.solved else _LINE, (place.left - 16, middle), 9)
        count = f"{status.kept} of {status.wanted} episodes"
        place = self._write(surface, count, _SMALL, _TEXT, midright=(place.left - 52, middle))
        self._write(surface, _FINGERS[moment.grip], _SMALL, _DIM, midright=(place.left - 28, middle))

    def _draw_time(self, surface: pygame.Surface, moment: Moment, place: pygame.Rect) -> None:
        """A bar that shrinks with the episode's remaining time, or an error message if there is one."""
        if moment.status.trouble:
            self._write(surface, moment.status.trouble, _SMALL, _WAIT, midleft=place.midleft)
            return
        seconds = max(0.0, moment.status.time_left)
        pygame.draw.rect(surface, _PANEL, place, border_radius=_BAR // 2)
        left = pygame.Rect(place.topleft, (round(place.width * seconds / moment.status.duration), place.height))
        pygame.draw.rect(surface, _ACCENT, left, border_radius=_BAR // 2)
        self._write(surface, f"{seconds:.1f} s", _SMALL, _TEXT, center=place.center)

    def _draw_picture(self, surface: pygame.Surface, camera: str, picture: Picture, place: pygame.Rect) -> None:
        """Draws an image as large as its place allows, keeping its aspect ratio."""
        if place.width < 1 or place.height < 1:
            return  # the window is too small for images
        height, width = picture.shape[:2]
        size = pygame.Rect(0, 0, width, height).fit(place)
        drawn = pygame.Surface((width, height), 0, surface)  # scaling requires the format of the target surface
        drawn.blit(pygame.image.frombuffer(picture.tobytes(), (width, height), "RGB"), (0, 0))
        pygame.transform.smoothscale(drawn, size.size, surface.subsurface(size))
        label = self._fonts[_SMALL].render(f" {camera} ", True, _TEXT, _GROUND)
        surface.blit(label, (size.left + 8, size.top + 8))

    def _draw_key_map(self, surface: pygame.Surface, width: int) -> pygame.Surface:
        """The rows of the key map, wrapped if they are too long."""
        row_height = self._fonts[_SMALL].get_height() + 18
        places: list[tuple[pygame.Surface, tuple[int, int]]] = []
        y = 0
        for row in self._legend:
            x = 0
            for hint in (self._draw_hint(surface, each) for each in row):
                if x and x + hint.get_width() > width:
                    x, y = 0, y + row_height
                places.append((hint, (x, y)))
                x += hint.get_width() + 20
            y += row_height
        key_map = pygame.Surface((max(0, width), y), 0, surface)
        key_map.fill(_GROUND)
        key_map.blits(places)
        return key_map

    def _draw_hint(self, surface: pygame.Surface, hint: Hint) -> pygame.Surface:
        """Keys and their meaning."""
        font = self._fonts[_SMALL]
        caps = [font.render(key, True, _TEXT) for key in hint.keys]
        meaning = font.render(hint.meaning, True, _DIM)
        height = font.get_height() + 10
        width = sum(cap.get_width() + 16 for cap in caps) + 4 + meaning.get_width()
        drawn = pygame.Surface((width, height), 0, surface)
        drawn.fill(_GROUND)
        x = 0
        for cap in caps:
            key = pygame.Rect(x, 0, cap.get_width() + 12, height)
            pygame.draw.rect(drawn, _PANEL, key, border_radius=5)
            pygame.draw.rect(drawn, _LINE, key, width=1, border_radius=5)
            drawn.blit(cap, (x + 6, 6))
            x += key.width + 4
        drawn.blit(meaning, (x + 4, 6))
        return drawn

    def _write(
        self, surface: pygame.Surface, text: str, size: int, colour: _Colour, **anchor: tuple[int, int]
    ) -> pygame.Rect:
        """Writes a line with one of its anchors (named as in `pygame.Rect`) at a place; returns the covered area."""
        written = self._fonts[size].render(text, True, colour)
        return surface.blit(written, written.get_rect(**anchor))
