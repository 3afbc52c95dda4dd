"""A site in which every text is hostile: what ledger, units, configuration and operators may bring onto a page.

A browser that runs one of the texts calls ``canary``; one that takes it for markup makes an element of that class.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, cycle
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from discovery_cases import figures as look_figures
from discovery_cases import seen
from exporter_cases import AT, S21, board, entry, reading, status
from page_apis import curtailments_over, repairs_over
from web_site import source

from agent.address import Endpoint
from agent.errors import MalformedReplyError
from agent.exporters.web import server as web
from agent.hil.discovery.figures import Machine, MachineKind
from agent.history.state_changes import Change
from agent.site.curtailment.events import Event, Scope
from agent.site.identity.whereabouts import Sighting, Standing, Whereabouts
from agent.site.ledger.entries import Place
from agent.site.mismatch import BinSource, Mismatch, ReportedBin
from agent.site.reasons import Finding
from agent.site.repairs.entries import MAX_NOTE, RepairEntry, Said
from agent.site.repairs.symptoms import Symptom
from agent.site.status import UnitStatus
from agent.site.unread import Firmware, FirmwareFields, UnreadFigures, UnreadName
from agent.unit.reading import Identity, Mode, PoolReading, SystemInfo
from agent.unit.unread import UnreadField

PAYLOADS = (
    '<script>canary("script")</script>',
    '"><img src=x onerror=canary("img") class=canary>',
    "'><svg onload=canary('svg') class=canary>",
    'javascript:canary("address")',
    '</style><iframe srcdoc="<script>parent.canary()</script>" class=canary>',
    '</title></textarea></script><b class=canary onclick=canary("b")>b</b>',
    '" autofocus onfocus=canary("focus") class="canary',
    "--><a class=canary href=javascript:canary()>a</a><!--",
    "&lt;b class=canary&gt;&#60;b class=canary&#62;",
    "\u202eevil\u2066\u200b\u200d\ufeff\u2028\u0085 <b class=canary>",
    "=cmd|' /C calc'!A0",
    "\x00\x07\x1b[31m<b class=canary>",
)
LONG = '<b class=canary title="' + "W" * 4096 + '">'
LABEL_CHARACTERS = 64
HOSTILE_UNITS = 48


def texts() -> Iterator[str]:
    """Yield the payloads again and again, each with its own number and every few the long one."""
    for number, payload in zip(count(), cycle(PAYLOADS)):
        yield LONG if number % 31 == 30 else f"{payload}{number}"


def label(text: str) -> str:
    """Return a text as long as a name in the ledger may be, and without a slash, as in an id."""
    return text.replace("/", "\u2215")[:LABEL_CHARACTERS]


def hostile_source(folder: Path, **changes: Any) -> web.Source:
    """Return a source whose every text is hostile, ready unless `changes` says otherwise."""
    text = texts()
    statuses = [_unit(number, text) for number in range(HOSTILE_UNITS)]
    by_id = {one.entry.unit_id: one for one in statuses}
    entries = [_repair(number, one, text) for number, one in enumerate(statuses)]
    shown: dict[str, Any] = {
        "name": next(text),
        "lateness": lambda: PAYLOADS[1],
        "unreadiness": lambda: PAYLOADS[2],
        "illness": lambda: PAYLOADS[4],
        "history_trouble": lambda: PAYLOADS[5],
        "standby": lambda: PAYLOADS[7],
        "discovery": lambda: look_figures(*(_machine(number, texts()) for number in range(12))),
        "unread": lambda: _unread(texts()),
        "unit_changes": lambda unit_id, _: _changes(unit_id, texts()),
        "whereabouts": lambda unit_id: _whereabouts(unit_id, texts()),
        "repairs": repairs_over(lambda: entries, by_id.get, lambda: AT, ZoneInfo("UTC")),
        "curtailments": curtailments_over(folder, [_event(text) for _ in range(6)], lambda: statuses, lambda: AT),
    }
    return source(statuses, **shown | changes)


def _unit(number: int, text: Iterator[str]) -> UnitStatus:
    container = ("<script>canary()</script>", '"><img src=x onerror=canary() class=canary>', "C1")[number % 3]
    declared = entry(
        f"u{number}" if number % 2 else label(f"{number}{next(text)}"),
        place=Place(container=container, rack=label(next(text)), slot=label(next(text))),
        nameplate=replace(S21, model=label(next(text))),
        host=next(text)[:200],
        serial=label(next(text)),
        mac=next(text)[:200],
    )
    if number % 8 == 0:
        return _with_words(status(declared, error=MalformedReplyError(next(text))), text)
    boards = tuple(board(slot, serial=next(text)) for slot in range(2 if number % 4 == 0 else 3))
    latest = reading(
        declared.unit_id,
        identity=Identity(model=next(text), firmware=next(text), api=next(text), miner=next(text)),
        boards=boards,
        pools=tuple(
            PoolReading(index=index, status=next(text), is_active=index == 0, url=next(text), user=next(text))
            for index in range(3)
        ),
        hashrate_5s_hs=66e12 * len(boards) if number % 5 else 0.0,
        mode=Mode.SLEEP if number % 10 == 0 else Mode.NORMAL,
        repairs=(next(text),),
    )
    return _with_words(status(declared, latest), text)


def _with_words(shown: UnitStatus, text: Iterator[str]) -> UnitStatus:
    """Return a status with hostile words for its reason; its state and losses stay."""
    mismatch = Mismatch(model=next(text), bin=ReportedBin(190e12, BinSource.RATE_SALE))
    also = (Finding(shown.reason, next(text)),)
    return msgspec.structs.replace(shown, why=next(text), also=also, mismatch=mismatch)


def _event(text: Iterator[str]) -> Event:
    scope = Scope(container="C1", unit=next(text))
    return Event(id=next(text), start=AT - 60.0, end=None, target_ratio=0.0, scope=scope, source=next(text))


def _repair(number: int, shown: UnitStatus, text: Iterator[str]) -> RepairEntry:
    symptoms = tuple(Symptom)
    return RepairEntry(
        id=number + 1,
        symptom=symptoms[number % len(symptoms)],
        unit_id=shown.entry.unit_id,
        place=shown.entry.place,
        words=next(text),
        since=AT - 600.0,
        opened_at=AT - 300.0,
        lost_hashes=1e18,
        before=number % 3,
        note=Said(next(text)[:LABEL_CHARACTERS], AT, next(text)[:MAX_NOTE]),
        seen=Said(next(text)[:LABEL_CHARACTERS], AT),
    )


def _changes(unit_id: str, text: Iterator[str]) -> list[Change]:
    return [
        Change(unit_id=unit_id, state=next(text), why=next(text), since=AT - 60.0 * age, until=AT - 60.0 * age + 50.0)
        for age in range(1, 8)
    ]


def _whereabouts(unit_id: str, text: Iterator[str]) -> Whereabouts:
    home, place = Endpoint("10.0.0.9", 4028), Endpoint("10.0.0.8", 4028)
    info = SystemInfo(model=next(text), firmware=next(text), mac=next(text), serial=next(text))
    seen_there = Sighting(endpoint=place, info=info, unit_id=next(text), is_unknown=False, at=AT)
    return Whereabouts(
        unit_id=unit_id, standing=Standing.MOVED, home=home, place=place, seen=seen_there, occupant=seen_there
    )


def _machine(number: int, text: Iterator[str]) -> Machine:
    what = seen(f"10.0.1.{number + 1}", model=next(text), firmware=next(text), mac=next(text), serial=next(text))
    if number % 2:
        what = msgspec.structs.replace(what, is_identified=False, looks_like=next(text))
    kinds = tuple(MachineKind)
    return Machine(seen=what, kind=kinds[number % len(kinds)], unit_id=next(text))


def _unread(text: Iterator[str]) -> UnreadFigures:
    def named() -> UnreadName:
        unread = UnreadField(report=next(text), path=next(text), times=1, form=next(text), example=next(text))
        return UnreadName(field=unread, units=3, first_seen_at=AT)

    names = tuple(named() for _ in range(9))
    fields = FirmwareFields(of=Firmware(next(text), next(text)), units=3, names=names, more=2)
    return UnreadFigures(firmwares=(fields, fields))
