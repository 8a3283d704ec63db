"""A window on this machine's screen: its content, and the keys held in it."""

import os
from typing import Final

import pygame

from trailkit.demos.teleop.console import Hint, Input, Moment
from trailkit.demos.teleop.panel import Panel
from trailkit.envs.errors import UserError

TITLE: Final = "trailkit record"
_SIZE: Final = (1072, 720)  # pixels, for two images of 512 pixels side by side
_SHORTCUT = pygame.KMOD_CTRL | pygame.KMOD_ALT | pygame.KMOD_META
# Gamepads send these, too. pygame 2.6 raises a SystemError when it reads one from a disconnected gamepad.
_JOYSTICK: Final = (
    *(pygame.JOYAXISMOTION, pygame.JOYBALLMOTION, pygame.JOYHATMOTION, pygame.JOYBUTTONUP, pygame.JOYBUTTONDOWN),
    *(pygame.JOYDEVICEADDED, pygame.JOYDEVICEREMOVED),
)


class Window:
    """One window; a process has only one, since SDL supports only one here.

    When another window gets the focus, SDL reports every key that is down as released, so no key stays held unnoticed.
    """

    def __init__(self, device: str, legend: tuple[tuple[Hint, ...], ...]) -> None:
        """Opens the window; see `Console`.

        Raises:
            UserError: If there is no screen to open it on.
        """
        # Otherwise SDL would draw through OpenGL: many times slower without a GPU, and in conflict with the renderer.
        os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
        try:
            pygame.display.init()
            if pygame.display.get_driver() == "offscreen":  # SDL's fallback if there is no desktop
                raise pygame.error("there is no screen")
            screen = pygame.display.get_desktop_sizes()[0]
            pygame.display.set_caption(TITLE)
            pygame.display.set_mode([min(pair) for pair in zip(_SIZE, screen, strict=True)], pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            raise UserError(
                f"no window can be opened ({error}): {device} needs a desktop; over SSH take device=browser"
            ) from error
        pygame.key.stop_text_input()  # an input method would intercept keys
        self._panel = Panel(device, legend)
        self._held: set[int] = set()

    def poll(self) -> Input:
        """The input since the last call. Auto-repeat of held keys is ignored."""
        pressed: list[int] = []
        pad: list[int] = []
        closed = False
        for event in pygame.event.get(exclude=_JOYSTICK):
            if event.type == pygame.KEYDOWN and not event.mod & _SHORTCUT:
                pressed.append(event.scancode)
                self._held.add(event.scancode)
            elif event.type == pygame.KEYUP:
                self._held.discard(event.scancode)
            elif event.type == pygame.CONTROLLERBUTTONDOWN:
                pad.append(event.button)
            elif event.type == pygame.QUIT:
                closed = True
        pygame.event.clear(pump=False)
        return Input(frozenset(self._held.union(pressed)), tuple(pressed), tuple(pad), closed)

    def show(self, moment: Moment) -> None:
        """Shows a moment."""
        self._panel.draw(pygame.display.get_surface(), moment)
        pygame.display.flip()

    def close(self) -> None:
        """Closes the window. A second call does nothing."""
        pygame.display.quit()
