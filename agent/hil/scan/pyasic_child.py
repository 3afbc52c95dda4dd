"""A program of its own: identify addresses with pyasic. The only file that imports it.

It runs as ``python -I pyasic_child.py``. A line of standard input is an address; for each, one line of JSON goes to
standard output, in the order in which they are done: ``{"host", "make", "model", "firmware"}``, with nulls for what
pyasic does not know, or ``{"host", "error"}``. It ends when its input does.

pyasic's factory is called and nothing else. Documented (D180): pyasic 0.79 `miners/factory.py`: that asks `version` and
`devdetails` on 4028, GET / on 80 and 443, and 4433; then the pages of the make that it takes the unit for, for some
makes with their factory password. No request of it changes a unit.
"""

import asyncio
import json
import logging
import sys
from typing import Any

import pyasic  # type: ignore[import-untyped,import-not-found,unused-ignore]

IN_FLIGHT = 32
DEADLINE_S = 8.0


async def _identify(host: str) -> dict[str, Any]:
    try:
        miner = await asyncio.wait_for(pyasic.get_miner(host), DEADLINE_S)
    except Exception as error:  # noqa: BLE001 - A client's bug or a unit's bytes: one line, and the next address.
        return {"host": host, "error": f"{type(error).__name__}: {error}"[:200]}
    if miner is None:
        return {"host": host, "make": None, "model": None, "firmware": None}
    make, model, firmware = (getattr(miner, name, None) for name in ("make", "raw_model", "firmware"))
    words = (None if each is None else str(getattr(each, "value", each)) for each in (make, model, firmware))
    return {"host": host, **dict(zip(("make", "model", "firmware"), words, strict=True))}


async def _work(hosts: "asyncio.Queue[str | None]", out: Any) -> None:
    while (host := await hosts.get()) is not None:
        out.write(json.dumps(await _identify(host)) + "\n")
        out.flush()


async def _main() -> None:
    logging.disable()
    # A client that prints must not break the lines.
    out, sys.stdout = sys.stdout, sys.stderr
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    hosts: asyncio.Queue[str | None] = asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(IN_FLIGHT):
            tasks.create_task(_work(hosts, out))
        while line := await lines.readline():
            hosts.put_nowait(line.decode().strip())
        for _ in range(IN_FLIGHT):
            hosts.put_nowait(None)


if __name__ == "__main__":
    asyncio.run(_main())
