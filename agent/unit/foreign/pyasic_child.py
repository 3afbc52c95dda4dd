"""A program of its own: pyasic. The only file that imports it.

`process` starts it. Each line of standard input is a request, each line of standard output an answer (`protocol`), in
the order in which they are done. It ends when its input does.

Two functions of pyasic are called, `get_miner` and `get_data`; `gate` lets nothing but reports out. Each has a deadline
of ours: pyasic waits up to 100 s for one reply, and asks field by field again (Documented (D261)).
"""

import asyncio
import json
import logging
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pyasic  # type: ignore[import-untyped,import-not-found,unused-ignore]
from pyasic import settings  # type: ignore[import-untyped,import-not-found,unused-ignore]

from agent.unit.foreign import gate
from agent.unit.foreign.protocol import (
    CONNECT_S,
    IDENTIFY_S,
    LONGEST_S,
    READ_S,
    STARTED,
    MakeLogin,
    encode_answer,
)

_NICE: Final = 5
_AGAIN_S: Final = 3600.0
# Twice what it ever took; beyond it, an allocation fails, and the unit that caused it with it.
_MOST_MEMORY: Final = 1024 * 1024 * 1024
# Ports on which makes of this lane answer. Documented (D180): pyasic identifies on these and on 4433.
_PORTS: Final = (4028, 80, 443)
# Documented (D266): without `config`, which costs a second round of requests and raises where the rest succeeds, and
# without what is not believed: fewer requests, and fewer getters that may raise for all.
_WANTED: Final = (
    *("serial_number", "mac", "api_ver", "fw_ver"),
    *("hashrate", "hashboards", "wattage", "fans", "uptime", "pools"),
)
# Read by readers of their own; pyasic would only try their factory passwords.
_OWN_FIRMWARE: Final = ("vnish", "braiins", "bosminer", "luxos", "luxminer")

Address = tuple[str, int]
_known: dict[Address, tuple[Any, float]] = {}
# Logins that a unit did not take, and when: it is not tried again at every poll, which locks accounts.
_refused: dict[tuple[Address, MakeLogin], float] = {}


def _told(value: Any) -> str | None:
    return None if value is None else str(getattr(value, "value", value))


def _names(miner: Any) -> dict[str, str | None]:
    words = (("make", "make"), ("model", "raw_model"), ("firmware", "firmware"))
    return {key: _told(getattr(miner, name, None)) for key, name in words}


def _own(names: dict[str, str | None]) -> str | None:
    """Return the firmware of a unit that this agent reads without pyasic; None for another's."""
    firmware = (names["firmware"] or "").casefold().replace(" ", "")
    if any(word in firmware for word in _OWN_FIRMWARE):
        return names["firmware"]
    is_stock = "antminer" in (names["make"] or "").casefold() and firmware in {"", "stock"}
    return "an Antminer with stock firmware" if is_stock else None


async def _unreachable(host: str) -> str | None:
    """Return ``silent`` or ``refused`` if no port of a unit accepts; None if one does."""

    async def connect(port: int) -> bool | None:
        try:
            _, writer = await asyncio.wait_for(gate.open_connection(host, port), CONNECT_S)
        except TimeoutError:
            return None
        except OSError as error:
            return False if isinstance(error, ConnectionRefusedError) else None
        writer.close()
        return True

    found: set[bool | None] = set()
    for accepts in asyncio.as_completed([asyncio.ensure_future(connect(port)) for port in _PORTS]):
        found.add(await accepts)
        if True in found:
            return None
    return "refused" if False in found else "silent"


async def _whatsminer_rate(miner: Any) -> dict[str, Any] | None:
    """Return the real-time rate of a Whatsminer whose `summary` has no rate of a minute.

    Documented (D264): newer builds have ``HS RT`` and ``MHS av`` alone; pyasic 0.79 finds no rate in them. Documented
    (D263): both are MH/s.
    """
    if "whatsminer" not in str(_told(miner.make)).casefold() or miner.rpc is None:
        return None
    try:
        row = (await miner.rpc.send_command("summary"))["SUMMARY"][0]
        return {"unit": {"value": 1e6}, "rate": float(row["HS RT"])}
    except Exception:  # noqa: BLE001 - Not told.
        return None


def _once_each(miner: Any) -> None:
    """Let a miner's API be asked each command once a poll, alone.

    Documented (D267): pyasic joins commands, which Whatsminers may refuse; it then has no figure and no error. What a
    unit refused, each getter asks for again.
    """
    rpc = miner.rpc
    if rpc is None:
        return
    ask: Callable[..., Awaitable[Any]] = type(rpc).send_command.__get__(rpc)
    asked: dict[str, asyncio.Future[Any]] = {}

    async def send_command(command: Any, *args: Any, **options: Any) -> Any:
        key = json.dumps([str(command), args, options], default=str)
        if key not in asked:
            asked[key] = asyncio.ensure_future(ask(command, *args, **options))
        return await asked[key]

    async def multicommand(*commands: Any, **_: Any) -> dict[str, Any]:
        told: dict[str, Any] = {"multicommand": True}
        for command in commands:
            try:
                told[command] = [await send_command(command)]
            except Exception:  # noqa: BLE001, S112 - One report that fails is one report less.
                continue
        return told

    rpc.send_command, rpc.multicommand = send_command, multicommand


def _give_login(miner: Any, address: Address, login: MakeLogin) -> None:
    """Let a unit of the login's make be logged in to: once a poll at most, and an hour after a refusal.

    pyasic keeps the token that it gets; each of its requests without one would log in by itself.
    """
    if login.make.casefold() not in str(_told(miner.make)).casefold() or miner.web is None:
        return
    gate.LOGIN.set(login)
    web = miner.web
    web.username, web.pwd = login.user, login.password
    ask: Callable[[], Awaitable[Any]] = type(web).auth.__get__(web)
    asked: list[asyncio.Future[Any]] = []

    async def log_in() -> Any:
        if time.monotonic() - _refused.get((address, login), float("-inf")) < _AGAIN_S:
            return None
        web.token = None
        answered: list[str] = []
        gate.ANSWERED.set(answered)
        try:
            await ask()
        except Exception:  # noqa: BLE001 - What it answered is no token.
            web.token = None
        if web.token is not None:
            _refused.pop((address, login), None)
        elif answered:
            _refused[address, login] = time.monotonic()
        return web.token

    async def auth() -> Any:
        if not asked:
            asked.append(asyncio.ensure_future(log_in()))
        return await asked[0]

    web.auth = auth


async def _miner(address: Address) -> Any:
    miner, since_s = _known.get(address, (None, 0.0))
    if miner is None or time.monotonic() - since_s > _AGAIN_S:
        miner = await asyncio.wait_for(pyasic.get_miner(address[0]), IDENTIFY_S)
        if miner is None:
            _known.pop(address, None)
        else:
            _known[address] = miner, time.monotonic()
    return miner


async def _read(address: Address, login: MakeLogin | None) -> dict[str, Any]:
    host = address[0]
    if address not in _known and (why := await _unreachable(host)) is not None:
        return {"error": why, "text": f"{host}, ports {', '.join(map(str, _PORTS))}"}
    miner = await _miner(address)
    if miner is None:
        return {"error": "unknown"}
    names = _names(miner)
    own = _own(names)
    if own is not None:
        return {"error": "own", "text": own}
    _once_each(miner)
    if login is not None:
        _give_login(miner, address, login)
    data = await asyncio.wait_for(miner.get_data(include=list(_WANTED)), READ_S)
    told = json.loads(data.as_json())
    if told.get("hashrate") is None:
        # Not read, or no longer there: who answers is asked again before the next figures.
        _known.pop(address, None)
        if (why := await _unreachable(host)) is not None:
            return {"error": why, "text": f"{host}, ports {', '.join(map(str, _PORTS))}"}
    raw = data.raw_hashrate
    summary = await _whatsminer_rate(miner) if raw is None else json.loads(raw.model_dump_json())
    return {**names, "summary": summary, "data": told, "login_refused": (address, login) in _refused}


async def _identify(host: str) -> dict[str, Any]:
    miner = await asyncio.wait_for(pyasic.get_miner(host), IDENTIFY_S)
    return {"make": None} if miner is None else dict(_names(miner))


async def _answer(request: dict[str, Any]) -> dict[str, Any]:
    host, port = str(request["host"]), int(request["port"])
    gate.ASKED.set(host)
    gate.API_PORT.set(port)
    login = MakeLogin(**request["login"]) if "login" in request else None
    try:
        # Each step has its deadline; what none of them covers has this one.
        async with asyncio.timeout(LONGEST_S):
            answer = await (_read((host, port), login) if request["want"] == "read" else _identify(host))
    except TimeoutError:
        answer = {"error": "deadline", "text": host}
    except Exception as error:  # noqa: BLE001 - A client's bug or a unit's bytes: one line, and the next unit.
        cause = error.__cause__ or error
        words = f"{type(cause).__name__}: {cause}"
        answer = {"error": "failed", "text": (words if login is None else words.replace(login.password, "***"))[:200]}
    if "error" in answer:
        _known.pop((host, port), None)
    return answer


async def _main() -> None:
    # A client that prints must not break the lines.
    out, sys.stdout = sys.stdout, sys.stderr
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    def write(number: int, answer: dict[str, Any]) -> None:
        out.write(encode_answer(number, answer))
        out.flush()

    async def serve(request: dict[str, Any]) -> None:
        write(request["id"], await _answer(request))

    write(STARTED, {})
    running: set[asyncio.Task[None]] = set()
    while line := await lines.readline():
        task = loop.create_task(serve(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


def main() -> None:
    """Answer until standard input ends."""
    logging.disable()
    # The agent's own loop comes first on a busy machine.
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    gate.shut()
    settings.update("factory_get_timeout", 3)
    for name in vars(settings._settings):  # noqa: SLF001 - pyasic lists its factory passwords nowhere else.
        if name.endswith("_password"):
            settings.update(name, "")
    with asyncio.Runner(loop_factory=gate.Loop) as runner:
        runner.run(_main())


if __name__ == "__main__":
    main()
