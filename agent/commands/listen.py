"""`hashsight listen`: a walk along a rack with the units' IP-report buttons."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

import msgspec

from agent.address import parse_address
from agent.commands.machine_output import write
from agent.commands.scan_progress import cancelled_by_signals
from agent.commands.terminal import err, exit_codes, out, usage_error
from agent.hil.listen.places_file import read_spots, write_spots
from agent.hil.listen.receiver import Heard, Receiver, receiving
from agent.hil.listen.walk import Answer, Spot, Walk
from agent.site.ledger.cells import parse_label

# A phone held upright shows 40 columns.
_KEYS = "Enter: u undo, s skip slot, q end"


def listen(
    *,
    rack: str,
    container: str | None,
    first: str | None,
    last: int | None,
    out_file: Path,
    is_undone: bool,
    bind: str,
    as_json: bool,
) -> None:
    """Assign the next slot to each unit whose button is pressed."""
    with exit_codes():
        names = _names(rack, container)
        if first is not None and not re.fullmatch("[0-9]{1,6}", first):
            raise usage_error("listen", "--from", first, "a slot number is expected, such as 1 or 01")
        if not out_file.absolute().parent.is_dir():
            raise usage_error("listen", "--out", str(out_file), "its folder does not exist")
        if first is not None and last is not None and last < int(first):
            raise usage_error("listen", "--to", str(last), f"the last slot is before the first, {first}")
        try:
            parse_address(bind)
        except ValueError as error:
            raise usage_error("listen", "--bind", bind, str(error)) from error
        spots = read_spots(out_file)
        try:
            walk = Walk(*names, None if is_undone else first, last, spots)
        except ValueError as error:
            raise usage_error("listen", "--from", first or "", str(error)) from error
        tell = _tell_json if as_json else _say
        if is_undone:
            _undo(walk, out_file, tell)
            return
        with suppress(asyncio.CancelledError):
            asyncio.run(_listen(walk, out_file, bind, tell))
        here = sum(1 for spot in walk.spots if (spot.place.container, spot.place.rack) == names)
        tell(f"{_rack_text(*names)}: {here} units in {out_file}", "ended", units=here, file=str(out_file))


async def _listen(walk: Walk, out_file: Path, bind: str, tell: "Tell") -> None:
    with cancelled_by_signals():
        await _heard(walk, out_file, bind, tell)


async def _heard(walk: Walk, out_file: Path, bind: str, tell: "Tell") -> None:
    async with receiving(bind) as receiver, _typed() as typed:
        for port, reason in receiver.silent.items():
            err.print(f"note: UDP {port} is not heard: {reason}", markup=False)
        if typed is not None:
            tell(_KEYS)
        await walk_rack(walk, receiver, typed, lambda: write_spots(out_file, walk.spots), tell)


async def walk_rack(
    walk: Walk,
    receiver: Receiver,
    typed: "asyncio.Queue[str] | None",
    save: Callable[[], None],
    tell: "Tell | None" = None,
) -> None:
    """Walk until the rack is full or the walk is ended; report each press.

    Args:
        walk: The rack.
        receiver: The presses.
        typed: Lines that the person types; None without a terminal.
        save: Keeps the places; called after every change.
        tell: Called with each event; None to print it.
    """
    strange: set[str] = set()
    tell = tell or _say
    where = _rack_text(walk.container, walk.rack)
    tell(f"{where}: press slot {walk.slot}", "listening", container=walk.container, rack=walk.rack, next=walk.slot)
    hearing = asyncio.ensure_future(receiver.next())
    typing = None if typed is None else asyncio.ensure_future(typed.get())
    try:
        while walk.slot is not None:
            waiting = {future for future in (hearing, typing) if future is not None}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if typed is not None and typing is not None and typing.done():
                word, typing = typing.result(), asyncio.ensure_future(typed.get())
                if word == "q":
                    return
                _obey(word, walk, save, tell)
            if hearing.done():
                heard, hearing = hearing.result(), asyncio.ensure_future(receiver.next())
                _hear(heard, walk, save, strange, tell)
    finally:
        for future in (hearing, typing):
            if future is not None:
                future.cancel()


def _hear(heard: Heard, walk: Walk, save: Callable[[], None], strange: set[str], tell: "Tell") -> None:
    """Take one datagram, and report its effect."""
    if heard.report is None:
        if heard.sender not in strange and len(strange) < 100:
            strange.add(heard.sender)
            tell(f"{heard.sender} sent no report; ignored", "ignored", sender=heard.sender)
        return
    outcome = walk.press(heard.report, heard.at)
    spot = outcome.spot
    if outcome.answer is Answer.PLACED and spot is not None:
        save()
        text = f"{spot.place.slot:>3} {spot.host:<15} {spot.mac}"
        if outcome.twin is not None:
            text += f"\n  same address as {_where(outcome.twin, walk)}"
        if heard.sender != spot.host:
            text += f"\n  sent by {heard.sender}"
        twin = None if outcome.twin is None else outcome.twin.mac
        tell(text, "placed", **_fields(spot), sender=heard.sender, same_address_as=twin, next=walk.slot)
    elif outcome.answer is Answer.AGAIN and spot is not None:
        tell(f"already {_where(spot, walk)}: {spot.mac}", "again", **_fields(spot), sender=heard.sender)


def _obey(word: str, walk: Walk, save: Callable[[], None], tell: "Tell") -> None:
    if word == "u":
        spot = walk.undo()
        if spot is None:
            tell("nothing to take back", "nothing_to_undo")
            return
        save()
        tell(f"took back {_where(spot, walk)}; next: {walk.slot}", "undone", **_fields(spot), next=walk.slot)
    elif word == "s":
        skipped = walk.slot
        walk.skip()
        tell(f"slot {skipped} stays empty", "skipped", slot=skipped, next=walk.slot)
    else:
        tell(_KEYS)


def _undo(walk: Walk, out_file: Path, tell: "Tell") -> None:
    spot = walk.undo()
    if spot is None:
        raise usage_error("listen", "--undo", "", f"no unit is in {out_file}")
    write_spots(out_file, walk.spots)
    text = f"took back {_rack_text(spot.place.container, spot.place.rack)} slot {spot.place.slot}: {spot.mac}"
    tell(text, "undone", **_fields(spot))


def _fields(spot: Spot) -> dict[str, str | None]:
    place = spot.place
    return {
        "mac": spot.mac,
        "host": spot.host,
        "container": place.container,
        "rack": place.rack,
        "slot": place.slot,
    }


def _where(spot: Spot, walk: Walk) -> str:
    place = spot.place
    is_here = (place.container, place.rack) == (walk.container, walk.rack)
    return f"slot {place.slot}" if is_here else f"{_rack_text(place.container, place.rack)} slot {place.slot}"


def _names(rack: str, container: str | None) -> tuple[str, str]:
    """Return container and rack."""
    first, hyphen, second = rack.partition("-")
    names = (container, rack) if container is not None else (first, second) if hyphen else ("", rack)
    for option, name in zip(("--container", "--rack"), names, strict=True):
        try:
            parse_label(name)
        except ValueError as error:
            raise usage_error("listen", option, name, str(error)) from error
    if not names[1]:
        raise usage_error("listen", "--rack", rack, "a rack is expected, such as C1-R01")
    return names


def _rack_text(container: str, rack: str) -> str:
    return "-".join(name for name in (container, rack) if name)


class Tell(Protocol):
    """Tells what happens on a walk."""

    def __call__(self, text: str, event: str = "", /, **fields: object) -> None:
        """Tell one event.

        Args:
            text: For people.
            event: For programs; empty for a hint that only people need.
            fields: What belongs to it.
        """


def _say(text: str, _event: str = "", /, **_: object) -> None:
    for line in text.split("\n"):
        out.print(line, markup=False)


def _tell_json(_text: str, event: str = "", /, **fields: object) -> None:
    if event:
        write((msgspec.json.encode({"event": event, **fields}), b"\n"))


@asynccontextmanager
async def _typed() -> AsyncIterator["asyncio.Queue[str] | None"]:
    """Yield the lines that are typed while the block runs; None without a terminal."""
    if not sys.stdin.isatty():
        yield None
        return
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(sys.stdin.fileno(), lambda: lines.put_nowait(sys.stdin.readline().strip().lower()))
    try:
        yield lines
    finally:
        loop.remove_reader(sys.stdin.fileno())
