"""Recordings of one unit for the checks of assumptions: replies written by hand, and simulated units over time."""

import json
from collections.abc import Iterable
from typing import Any

from sim_cases import START, make_unit

from agent.hil.assumptions.recorded import Exchange, Recorded
from simulators.firmware.antminer import api_program
from simulators.unit.conditions import Condition
from simulators.unit.unit import Unit

REPORTS = ("stats new_api", "stats", "summary new_api", "summary", "pools", "pools new_api", "version", "rate new_api")
BOARD = {
    "index": 0,
    "freq_avg": 490,
    "rate_real": 67000.0,
    "asic_num": 108,
    "temp_pcb": [54, 54],
    "temp_chip": [59, 60],
}


def recorded(*exchanges: Exchange, **facts: Any) -> Recorded:
    """Return a recording, its exchanges in time order."""
    return Recorded(exchanges=tuple(sorted(exchanges, key=lambda each: each.at_s)), **facts)


def raw(request: str, reply: bytes, at_s: float = 0.0, **more: Any) -> Exchange:
    """Return an exchange with these bytes."""
    return Exchange(request=request, reply=reply, at_s=at_s, **more)


def silence(request: str = "stats new_api", at_s: float = 0.0) -> Exchange:
    """Return a request that nobody answered."""
    return Exchange(request=request, at_s=at_s)


def new(report: str, row: Any, at_s: float = 0.0, *, state: str | None = None, info: Any = None) -> Exchange:
    """Return a reply in the new dialect with one element."""
    body = {"STATUS": {"STATUS": "S", "when": 1, "Msg": report, "api_version": "1.0.0"}, "INFO": info or {}}
    body[report.upper()] = [row]
    return raw(f"{report} new_api", json.dumps(body).encode(), at_s, state=state)


def stats(at_s: float = 0.0, *, state: str | None = None, boards: Any = None, info: Any = None, **row: Any) -> Exchange:
    """Return new-dialect `stats` of a unit that hashes; other values of its element as keywords, ``_`` for ``-``."""
    whole = {"elapsed": 1000 + int(at_s), "rate_5s": 200000.0 + at_s, "rate_avg": 200000.0, "rate_ideal": 200000.0}
    whole |= {"fan": [6000, 6000], "chain": [BOARD] * 3 if boards is None else boards, "miner-mode": 0}
    return new(
        "stats",
        whole | {key.replace("_mode", "-mode"): value for key, value in row.items()},
        at_s,
        state=state,
        info=info,
    )


def board(**values: Any) -> dict[str, Any]:
    """Return a board with other values."""
    return BOARD | values


def legacy(report: str, *rows: Any, at_s: float = 0.0, state: str | None = None) -> Exchange:
    """Return a legacy reply as the firmware prints it, without blanks."""
    body = {"STATUS": [{"STATUS": "S", "When": 1, "Code": 70, "Msg": report, "Description": "cgminer 1.0.0"}]}
    body[report.upper()] = list(rows)
    return raw(report, json.dumps(body, separators=(",", ":")).encode(), at_s, state=state)


def version(**values: Any) -> Exchange:
    """Return `version` of an S21 of line A, or with other values."""
    row = {
        "API": "3.1",
        "Miner": "uart_trans.1.3",
        "CompileTime": "Thu Jul 11 16:38:25 CST 2024",
        "Type": "Antminer S21",
    }
    return legacy("version", row | values)


def page(name: str, **values: Any) -> Exchange:
    """Return a page of one key a line, without blanks."""
    lines = ",\n".join(f'"{key}":{json.dumps(value)}' for key, value in values.items())
    return raw(f"page {name}", f"\n\n{{\n{lines}\n}}\n".encode())


def asked(unit: Unit, at: float, *, state: str | None = None, reports: Iterable[str] = REPORTS) -> list[Exchange]:
    """Return what a simulated unit answers to every report, `at` seconds after `START`."""
    found = []
    for report in reports:
        command, _, new_api = report.partition(" ")
        request: dict[str, Any] = {"command": command} | ({"new_api": True} if new_api else {})
        reply = api_program.answer(unit, api_program.read_request(json.dumps(request).encode()), START + at)
        found.append(raw(report, reply, at, state=state, has_nul=True))
    return found


def simulated(model: str = "S21", *, at: Iterable[float] = (0.0,), state: str | None = None, **unit: Any) -> Recorded:
    """Return a recording of a simulated unit at these times."""
    faults: tuple[Condition, ...] = tuple(unit.pop("faults", ()))
    made = make_unit(model, faults=faults, **unit)
    return recorded(*(exchange for moment in at for exchange in asked(made, moment, state=state)))
