"""The terminal of `hashsight top`: keys without Enter, a screen of its own, and the old one back on every exit."""

import asyncio
import codecs
import os
import re
import signal
import sys
import termios
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.text import Text

HOME, ERASE_ROW, ERASE_BELOW = "\x1b[H", "\x1b[2K", "\x1b[J"
ESCAPE_S = 0.05
"""A key sends its bytes at once; an escape that nothing follows for so long is the key Escape."""
_NAMES = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[H": "home",
    "\x1b[1~": "home",
    "\x1bOH": "home",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\b": "backspace",
    "\x1b": "escape",
}
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|(?=\x1b))|\x1b(?![\[O])|[^\x1b]", re.DOTALL)


class Keys:
    """Names keys from the bytes that a terminal sends; a key's bytes may come in pieces."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that are whole: a character, or a name such as ``page up``."""
        text, keys, at = self._pending + self._decoder.decode(data), [], 0
        for found in _SEQUENCE.finditer(text):
            if found.start() != at or (found[0] == "\x1b" and found.end() == len(text)):
                break
            keys.append(_NAMES.get(found[0], found[0]))
            at = found.end()
        self._pending = text[at:][:16]
        return keys

    def flush(self) -> list[str]:
        """Return the key Escape if one was pressed, and drop what no key sends."""
        pending, self._pending = self._pending, ""
        return ["escape"] if pending == "\x1b" else []


class Terminal:
    """A terminal that shows one picture at a time and gives keys.

    Args:
        console: Where the pictures go.
        on_key: Called with each key.
        on_resize: Called when the size changed, and when the picture must be drawn again.
        on_end: Called when a signal or a closed terminal ends the view.
    """

    def __init__(
        self,
        console: Console,
        *,
        on_key: Callable[[str], None],
        on_resize: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._console = console
        self._on_key, self._on_resize, self._on_end = on_key, on_resize, on_end
        self._input = sys.stdin.fileno()
        self._keys = Keys()
        self._saved: list[Any] = []
        self._flushing: asyncio.TimerHandle | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Take the terminal while the block runs; it is given back whatever ends the block."""
        loop = asyncio.get_running_loop()
        signals = {
            signal.SIGWINCH: self._on_resize,
            signal.SIGTSTP: self._stand_aside,
            signal.SIGINT: self._on_end,
            signal.SIGTERM: self._on_end,
            signal.SIGHUP: self._on_end,
        }
        self._saved = termios.tcgetattr(self._input)
        for number, action in signals.items():
            loop.add_signal_handler(number, action)
        loop.add_reader(self._input, self._read)
        try:
            self._take()
            yield
        finally:
            loop.remove_reader(self._input)
            self._give_back()
            for number in signals:
                loop.remove_signal_handler(number)
            if self._flushing is not None:
                self._flushing.cancel()

    def draw(self, lines: Iterable[Text]) -> None:
        """Show a picture of one line a row; no line may be wider than the terminal."""
        with self._console.capture() as captured:
            for line in lines:
                self._console.print(line, no_wrap=True, overflow="crop", crop=True)
        rows = captured.get().removesuffix("\n").split("\n")
        # Each row is erased before it is written: erasing behind a full row would take its last letter.
        picture = HOME + "\r\n".join(f"{ERASE_ROW}{row}" for row in rows) + ERASE_BELOW
        try:
            self._console.file.write(picture)
            self._console.file.flush()
        except OSError:
            self._on_end()

    def _take(self) -> None:
        changed = termios.tcgetattr(self._input)
        # No echo and no waiting for Enter; signals of keys stay.
        changed[3] &= ~(termios.ECHO | termios.ICANON)
        changed[6][termios.VMIN], changed[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._input, termios.TCSADRAIN, changed)
        self._console.set_alt_screen(enable=True)
        self._console.show_cursor(show=False)

    def _give_back(self) -> None:
        # A terminal that was closed takes nothing any more.
        with suppress(OSError):
            self._console.show_cursor(show=True)
            self._console.set_alt_screen(enable=False)
        with suppress(termios.error):
            termios.tcsetattr(self._input, termios.TCSAFLUSH, self._saved)

    def _stand_aside(self) -> None:
        """Stop as Ctrl-Z does, with the terminal as it was, and take it again afterwards."""
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()
        self._on_resize()

    def _read(self) -> None:
        try:
            data = os.read(self._input, 1024)
        except OSError:
            data = b""
        if not data:
            self._on_end()
            return
        if self._flushing is not None:
            self._flushing.cancel()
        self._press(self._keys.feed(data))
        self._flushing = asyncio.get_running_loop().call_later(ESCAPE_S, lambda: self._press(self._keys.flush()))

    def _press(self, keys: list[str]) -> None:
        for key in keys:
            self._on_key(key)
