"""Power meters of the site, a container or a unit, read over HTTP or from a file.

A reading counts for `max_age_s`. After that the meter has no value, never its last one. Several meters of one thing add
up, and only while all of them count: half a sum is no sum. The value of a file is as old as the file, however often it
is read.
"""

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import structlog

from agent.config.json_pointer import number_in, parse_pointer, resolve
from agent.config.mistakes import clip
from agent.config.sections import MeterSection
from agent.errors import ConfigError, MeterError, excerpt
from agent.files.text import read_text
from agent.http_client import bounded_body, new_session
from agent.site.metered import MeterState, MeterWatts
from agent.tls import client_context

log = structlog.get_logger("agent.meters")

MAX_REPLY_BYTES = 64 << 10
# 10 GW, more than any site: a larger number is a counter or a mistake in `scale`.
MAX_WATTS = 1e10


class Measurement(NamedTuple):
    """One reading of a meter.

    Attributes:
        watts: Power, with the meter's scale applied.
        clock_s: Monotonic time of the measurement, s.
    """

    watts: float
    clock_s: float


class Meters:
    """All HTTP and file meters of the configuration.

    Args:
        sections: Their configuration.
        clock: Monotonic time, s.
        wall: Unix time, s; the age of a file is measured by it.
    """

    def __init__(
        self,
        sections: Iterable[MeterSection],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._sections = tuple(sections)
        self._clock, self._wall = clock, wall
        self._latest: dict[str, Measurement] = {}
        self._readings: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._failing: set[str] = set()
        self._replaced = asyncio.Event()
        # A thread for files: a network share that hangs delays other files, and nothing else.
        self._files = ThreadPoolExecutor(max_workers=1, thread_name_prefix="meter files")

    def replace(self, sections: Iterable[MeterSection]) -> None:
        """Use another configuration; an unchanged meter keeps its latest reading."""
        before = {section.name: section for section in self._sections}
        sections = tuple(sections)
        if sections == self._sections:
            return
        self._sections = sections
        kept = {section.name for section in self._sections if before.get(section.name) == section}
        self._latest = {name: measured for name, measured in self._latest.items() if name in kept}
        self._replaced.set()

    async def run(self) -> None:
        """Read meters until cancelled."""
        async with new_session() as session:
            while True:
                self._replaced.clear()
                async with asyncio.TaskGroup() as tasks:
                    running = [
                        tasks.create_task(self._read_forever(session, section), name=f"meter {section.name}")
                        for section in self._sections
                        if section.watts is None
                    ]
                    await self._replaced.wait()
                    for task in running:
                        task.cancel()

    async def read_once(self) -> None:
        """Read every meter once; failures are counted."""
        async with new_session() as session, asyncio.TaskGroup() as tasks:
            for section in self._sections:
                tasks.create_task(self._read(session, section), name=f"meter {section.name}")

    def readings(self) -> Iterator[MeterWatts]:
        """Yield the value of each meter now."""
        for section in self._sections:
            yield MeterWatts(section.container, section.unit, self._watts(section))

    def states(self) -> Iterator[MeterState]:
        """Yield each meter's state."""
        for section in self._sections:
            name = section.name
            yield MeterState(name, self._watts(section), self._readings[name], self._failures[name])

    def _watts(self, section: MeterSection) -> float | None:
        if section.watts is not None:
            return section.watts
        measured = self._latest.get(section.name)
        if measured is None or self._clock() - measured.clock_s > section.max_age_s:
            return None
        return measured.watts

    async def _read_forever(self, session: aiohttp.ClientSession, section: MeterSection) -> None:
        due = self._clock()
        while True:
            await self._read(session, section)
            due = max(due + section.every_s, self._clock())
            await asyncio.sleep(due - self._clock())

    async def _read(self, session: aiohttp.ClientSession, section: MeterSection) -> None:
        name = section.name
        try:
            async with asyncio.timeout(section.timeout_s):
                if section.url is not None:
                    measured = await self._ask(session, section.url, section)
                elif section.file is not None:
                    loop = asyncio.get_running_loop()
                    measured = await loop.run_in_executor(self._files, self._look, section.file, section)
                else:
                    return
        except TimeoutError:
            self._on_failure(name, f"no whole answer in {section.timeout_s:g} s")
        except (aiohttp.ClientError, OSError) as error:
            self._on_failure(name, str(error) or type(error).__name__)
        except MeterError as error:
            self._on_failure(name, str(error))
        except Exception:
            # One meter must not stop the agent; the traceback shows which of our assumptions it broke.
            log.exception("meter not understood", meter=name)
            self._on_failure(name, "not understood")
        else:
            if section not in self._sections:  # Replaced meanwhile: another meter may have this name now.
                return
            self._latest[name] = measured
            self._readings[name] += 1
            if name in self._failing:
                self._failing.discard(name)
                log.info("meter read again", meter=name, watts=measured.watts)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return client_context()

    async def _ask(self, session: aiohttp.ClientSession, url: str, section: MeterSection) -> Measurement:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        clock_s = self._clock()
        checked = self._tls if url.startswith("https:") else True
        async with session.get(url, headers=headers, allow_redirects=False, ssl=checked) as response:
            if response.status != 200:
                raise MeterError(f"HTTP status {response.status}")
            body = await bounded_body(response, MAX_REPLY_BYTES)
            if body is None:
                raise MeterError(f"an answer longer than {MAX_REPLY_BYTES >> 10} KiB")
        return Measurement(read_watts(body, pointer=section.pointer, scale=section.scale), clock_s)

    def _look(self, path: Path, section: MeterSection) -> Measurement:
        try:
            # The age first: the content may be younger than this age, never older.
            age_s = self._wall() - path.stat().st_mtime
            text = read_text(path, max_bytes=MAX_REPLY_BYTES)
        except OSError as error:
            raise MeterError(f"cannot be read: {error.strerror}") from error
        except ConfigError as error:
            raise MeterError(error.mistakes[0].reason) from error
        if abs(age_s) > section.max_age_s:
            raise MeterError(f"written {age_s:.0f} s ago" if age_s > 0 else f"written {-age_s:.0f} s in the future")
        watts = read_watts(text.encode(), pointer=section.pointer, scale=section.scale)
        return Measurement(watts, self._clock() - max(0.0, age_s))

    def _on_failure(self, name: str, reason: str) -> None:
        self._failures[name] += 1
        if name not in self._failing:
            self._failing.add(name)
            log.warning("meter not read", meter=name, reason=clip(reason))


def read_watts(data: bytes, *, pointer: str = "", scale: float = 1.0) -> float:
    """Return the watts in a meter's answer: a number, or a string that holds one, anywhere in JSON.

    Args:
        data: The answer; a number alone is JSON too.
        pointer: JSON pointer to the value (RFC 6901).
        scale: Watts per unit of the value.

    Raises:
        MeterError: There is no such number, or it is negative or above `MAX_WATTS`.
    """
    try:
        value: Any = resolve(json.loads(data), parse_pointer(pointer))
        number = number_in(value)
        if number is None:
            raise MeterError(f"expected a number, found {clip(json.dumps(value))}")
        watts = number * scale
    except LookupError as error:
        raise MeterError(str(error)) from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise MeterError(f"not JSON: {excerpt(data, size=40)!r}") from error
    if not 0 <= watts <= MAX_WATTS:
        raise MeterError(f"{clip(f'{watts:g}')} W is out of range (0 to 1e10)")
    return float(watts)
