"""`hashsight read HOST`: everything one unit reports."""

import asyncio
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from agent.address import Endpoint, parse_endpoint
from agent.commands.machine_output import visible, write_json, write_lines
from agent.commands.terminal import FAILED, err, exit_codes, out, sentence, usage_error
from agent.config.file import load_config
from agent.errors import ForeignProtocolError, PollError
from agent.hil.capture.golden import told
from agent.hil.scan.ranges import refuse_public
from agent.site.evidence import alone_findings
from agent.site.mismatch import reported_bin
from agent.site.reasons import REASONS
from agent.site.status import reason_of
from agent.text.numbers import ABSENT, duration_text, hashrate_text
from agent.text.power import unit_power_text
from agent.text.unit_notes import bin_text, coolant_text
from agent.unit import registry
from agent.unit.cgminer.client import Client
from agent.unit.consistency.alone import held_alone
from agent.unit.model_advice import Machine, missing_text
from agent.unit.model_names import base_key, is_board_name, plain_model
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reader import Conversation, read_whole
from agent.unit.reading import BoardReading, Places, UnitReading

DEFAULT_PORT = 4028
_BOARD_COLUMNS = (
    *("slot", "hashrate", "chips", "bad", "clock"),
    *("chip °C", "board °C", "coolant °C", "hw errors", "serial"),
)
_MAY_WRAP = frozenset({"chip °C", "board °C", "coolant °C", "hw errors", "serial"})


def read(host: str, *, config: Path | None, any_address: bool, as_json: bool, raw: bool, timeout_s: float) -> None:
    """Read one unit and print its reading."""
    with exit_codes():
        try:
            address, port = parse_endpoint(host, default_port=DEFAULT_PORT)
            if not any_address:
                refuse_public(address, () if config is None else load_config(config).ledger.networks)
        except ValueError as error:
            raise usage_error("read", "HOST", host, str(error)) from error
        endpoint = Endpoint(str(address), port)
        exchanges: list[tuple[bytes, bytes]] = []
        try:
            reading = asyncio.run(_ask(endpoint, timeout_s, exchanges))
        except PollError as error:
            # What it is if that is known, the failure, then where to look.
            if isinstance(error, ForeignProtocolError) and error.speaker.startswith(("a ", "an ")):
                err.print(f"this is {error.speaker}, which hashsight does not read", markup=False, soft_wrap=True)
            err.print(sentence(error), markup=False, soft_wrap=True)
            err.print(f"check first: {REASONS[reason_of(error)].check_first}", markup=False, soft_wrap=True)
            raise typer.Exit(FAILED) from error
        finally:
            if raw:
                _print_raw(exchanges)
        if raw:
            return
        if as_json:
            write_json(told(reading))
        else:
            _print_tables(endpoint, reading)


async def _ask(endpoint: Endpoint, timeout_s: float, exchanges: list[tuple[bytes, bytes]]) -> UnitReading:
    client = Client(connect_timeout_s=min(2.0, timeout_s), deadline_s=timeout_s)
    conversation = read_whole(registry.CHOOSING, str(endpoint), wall=time.time)
    try:
        with err.status(f"asking {endpoint}"):
            reading = await client.run(endpoint, _overheard(conversation, exchanges))
    finally:
        client.close()
    return held_alone(reading, shipped_catalogue())


def _overheard(
    conversation: Conversation, exchanges: list[tuple[bytes, bytes]]
) -> Generator[bytes, bytes, UnitReading]:
    """Pass a conversation through and append each request with its reply to `exchanges`."""
    try:
        request = next(conversation)
        while True:
            try:
                reply = yield request
            except PollError as error:
                exchanges.append((request, f"({error})".encode()))
                request = conversation.throw(error)
            else:
                exchanges.append((request, reply))
                request = conversation.send(reply)
    except StopIteration as over:
        reading: UnitReading = over.value
        return reading


def _print_raw(exchanges: list[tuple[bytes, bytes]]) -> None:
    """Print what went over the wire, one line per message, with terminal control characters escaped."""
    messages = ((sign, data) for exchange in exchanges for sign, data in zip("><", exchange, strict=True))
    write_lines(f"{sign} {visible(data.decode('utf-8', 'backslashreplace'))}" for sign, data in messages)


def _print_tables(endpoint: Endpoint, reading: UnitReading) -> None:
    facts = Table(title=f"unit at {endpoint}", title_justify="left", show_header=False, box=None)
    for name, value in _facts(reading):
        facts.add_row(name, escape(value))
    out.print(facts)
    if reading.boards:
        out.print(_board_table(reading.boards))
    if reading.pools:
        pools = Table(title="pools", title_justify="left", box=None, padding=(0, 1, 0, 0))
        for column in ("#", "status", "in use", "accepted", "rejected", "stale", "difficulty", "url", "user"):
            pools.add_column(column, overflow="fold", no_wrap=column not in {"in use", "url", "user"})
        for pool in reading.pools:
            cells = (pool.accepted, pool.rejected, pool.stale, pool.difficulty_accepted)
            pools.add_row(
                str(pool.index),
                escape(pool.status or ABSENT),
                {True: "yes", False: "no", None: ABSENT}[pool.is_active],
                *(ABSENT if cell is None else f"{cell:,.0f}" for cell in cells),
                escape(f"{pool.url or ''} (the firmware's own)" if pool.is_fee else pool.url or ""),
                escape(pool.user or ""),
            )
        out.print(pools)
    missing = _missing(reading)
    if missing is not None:
        # Not in a table, whose column would cut the row to add into pieces.
        out.print(missing, markup=False, soft_wrap=True)


def _board_table(boards: Sequence[BoardReading]) -> Table:
    """Return the boards as a table that fits 80 columns; a column that no board fills is left out."""
    table = Table(title="boards", title_justify="left", box=None, padding=(0, 1, 0, 0))
    rows = [_board_cells(board) for board in boards]
    shown = [index for index in range(len(_BOARD_COLUMNS)) if any(row[index] != ABSENT for row in rows)]
    for index in shown:
        column = _BOARD_COLUMNS[index]
        table.add_column(column, overflow="fold", no_wrap=column not in _MAY_WRAP)
    for row in rows:
        table.add_row(*(row[index] for index in shown))
    return table


def _facts(reading: UnitReading) -> Iterator[tuple[str, str]]:
    yield from _identity_facts(reading)
    yield "mode", reading.mode or "not reported"
    found = alone_findings(reading)
    yield "reason", "; ".join(finding.why for finding in found)
    if REASONS[found[0].reason].check_first:
        yield "check first", REASONS[found[0].reason].check_first
    yield "up", duration_text(reading.uptime_s)
    yield from _rate_facts(reading)
    yield "power", unit_power_text(reading.power_watts, reading.power_kind)
    if reading.fan_rpm:
        yield "fans", ", ".join(ABSENT if rpm is None else f"{rpm:.0f}" for rpm in reading.fan_rpm) + " rpm"
    if reading.is_chip_computed:
        yield "chip °C", "worked out by the firmware, not measured"
    coolant = coolant_text(reading)
    if coolant is not None:
        yield "coolant", coolant
    if reading.shares is not None:
        shares = reading.shares
        counts = (("accepted", shares.accepted), ("rejected", shares.rejected), ("stale", shares.stale))
        yield "shares", ", ".join(f"{count:,} {word}" for word, count in counts if count is not None) or ABSENT
        if shares.difficulty_accepted is not None and reading.uptime_s:
            delivered_hs = shares.difficulty_accepted * 2**32 / reading.uptime_s
            yield "delivered since start", hashrate_text(delivered_hs)
    if reading.faults:
        yield "faults it names", ", ".join(fault.replace("_", " ") for fault in reading.faults)
    if reading.repairs:
        yield "repairs", ", ".join(reading.repairs)


def _rate_facts(reading: UnitReading) -> Iterator[tuple[str, str]]:
    yield f"hashrate {duration_text(reading.short_window_s)}", hashrate_text(reading.hashrate_5s_hs)
    if reading.stand_in_hs is not None:
        window_s = reading.stand_in_window_s
        window = "window not told" if window_s is None else f"over {duration_text(window_s)}"
        yield "stands in for it", f"{hashrate_text(reading.stand_in_hs)}, {window}"
    yield "hashrate 30 min", hashrate_text(reading.hashrate_30m_hs)
    yield "hashrate average", hashrate_text(reading.hashrate_avg_hs)
    yield "firmware's ideal", hashrate_text(reading.hashrate_ideal_hs)
    if reading.hashrate_sale_hs is not None:
        yield "sold as", f"{hashrate_text(reading.hashrate_sale_hs)} (rate_sale)"


def _identity_facts(reading: UnitReading) -> Iterator[tuple[str, str]]:
    identity, info = reading.identity, reading.system_info
    yield "model", identity.model or ABSENT
    yield "firmware", identity.firmware or ABSENT
    if info is not None:
        yield "MAC", info.mac or ABSENT
        yield "serial", info.serial or ABSENT
    yield "API", f"{identity.api or ABSENT}, {reading.dialect} dialect"


def _missing(reading: UnitReading) -> str | None:
    """Return what to add to a site's catalogue before this unit can stand in its ledger; None if it can already."""
    model, reported = reading.identity.model, reported_bin(reading)
    catalogue = shipped_catalogue()
    if model is None or not base_key(model) or is_board_name(model):
        return None
    is_known = bool(catalogue.bins_hs(model))
    if (reported is None and is_known) or (
        reported is not None and catalogue.find(model, reported.hashrate_hs) is not None
    ):
        return None
    machine = Machine(
        model=model,
        hashrate_hs=None if reported is None else reported.hashrate_hs,
        boards=len(reading.boards) or None,
        chips_per_board=max((board.chips or 0 for board in reading.boards), default=0) or None,
        source="this unit's own reply",
    )
    said = f"this {plain_model(model)}" + ("" if reported is None else f" {bin_text(reported)}")
    return f"{said}: {missing_text(catalogue, machine)}"


def _board_cells(board: BoardReading) -> list[str]:
    def celsius(values: Places) -> str:
        return " ".join(ABSENT if value is None else f"{value:.0f}" for value in values) or ABSENT

    return [
        str(board.slot),
        hashrate_text(board.hashrate_hs) + (" (mean)" if board.is_average else ""),
        ABSENT if board.chips is None else str(board.chips),
        ABSENT if board.bad_chips is None else str(board.bad_chips),
        ABSENT if board.frequency_hz is None else f"{board.frequency_hz / 1e6:.0f} MHz",
        celsius(board.chip_celsius),
        celsius(board.pcb_celsius),
        celsius(board.coolant_celsius),
        ABSENT if board.hw_errors is None else str(board.hw_errors),
        escape(board.serial or ABSENT),
    ]
