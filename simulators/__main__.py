"""Command line `hashsight-sim`: a simulated farm, one unit, or recorded replies, on real sockets."""

import asyncio
import contextlib
import ipaddress
import random
import signal
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from simulators.builds import Line
from simulators.clock import SimClock
from simulators.control import serve_control
from simulators.farm import Farm
from simulators.faults import vocabulary
from simulators.models import ModelError
from simulators.plan import HEALTHY_FARM, FarmError, FarmPlan, Troubles, read_mix, read_share
from simulators.replay import CaptureError, RecordedUnit, read_captures
from simulators.server import ServeError, serve_farm, serve_stations
from simulators.unit import Unit
from simulators.webserver import serve_hash_side, serve_web

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2

app = typer.Typer(
    help="Simulated Antminers on real sockets.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)
_screen = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)

SeedOption = Annotated[int | None, typer.Option(help="Seed of everything random; drawn and printed when left out.")]
BaseOption = Annotated[str, typer.Option(help="First IPv4 address; the others follow it.")]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="TCP port of every unit; 0 takes a free one.")]
HttpPortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="TCP port of every unit's web pages, 80 on real ones; 0 for a free one."),
]
PowerPortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="TCP port of every unit's /miner_power, 6060 where real ones have it at all."),
]
PowerLinesOption = Annotated[str, typer.Option(help="Firmware lines that have /miner_power.")]
ControlOption = Annotated[str, typer.Option(help="HOST:PORT of the control API; empty for none.")]
LedgerOption = Annotated[Path | None, typer.Option(help="Write the farm's ledger for an agent to this CSV file.")]
RemoteOption = Annotated[bool, typer.Option(help="Also answer clients that are not on this machine.")]


@app.command()
def farm(
    *,
    units: Annotated[int, typer.Option(min=1, help="How many units.")] = 300,
    seed: SeedOption = None,
    base: BaseOption = "127.10.0.1",
    port: PortOption = 4028,
    http_port: HttpPortOption = None,
    power_port: PowerPortOption = None,
    power_lines: PowerLinesOption = "A,B,C",
    control: ControlOption = "",
    mix: Annotated[str, typer.Option(help="Models with their bins (TH/s) and shares.")] = "S21:200=60%,T21:190=40%",
    containers: Annotated[int, typer.Option(min=1, help="Into how many containers the units go.")] = 3,
    off: Annotated[str, typer.Option(help="Share of units without power.")] = "4%",
    asleep: Annotated[str, typer.Option(help="Share of units asleep.")] = "3%",
    starting: Annotated[str, typer.Option(help="Share of units switched on within the last minutes.")] = "1%",
    missing_board: Annotated[str, typer.Option(help="Share of units with a board gone.")] = "5%",
    missing_chips: Annotated[str, typer.Option(help="Share of units with a quarter of a board's chips gone.")] = "3%",
    slow: Annotated[str, typer.Option(help="Share of units an eighth below their rate.")] = "3%",
    ledger_out: LedgerOption = None,
    allow_remote: RemoteOption = False,
) -> None:
    """Serve a farm until stopped."""
    with _clear_errors():
        plan = FarmPlan(
            units=units,
            seed=_seed(seed),
            base=base,
            mix=read_mix(mix),
            containers=containers,
            troubles=Troubles(
                off=read_share(off),
                asleep=read_share(asleep),
                starting=read_share(starting),
                missing_board=read_share(missing_board),
                missing_chips=read_share(missing_chips),
                slow=read_share(slow),
            ),
        )
        ports = _Ports(api=port, http=http_port, power=power_port, power_lines=_read_lines(power_lines))
        _run(_serve_farm(plan, ports=ports, control=control, ledger_out=ledger_out, allow_remote=allow_remote))


@app.command()
def one(
    *,
    model: Annotated[str, typer.Option(help="Model, with its bin in TH/s: S21:200.")] = "S21:200",
    seed: SeedOption = None,
    base: BaseOption = "127.10.0.1",
    port: PortOption = 4028,
    http_port: HttpPortOption = None,
    power_port: PowerPortOption = None,
    power_lines: PowerLinesOption = "A,B,C",
    control: ControlOption = "",
    ledger_out: LedgerOption = None,
    allow_remote: RemoteOption = False,
) -> None:
    """Serve one healthy unit until stopped."""
    with _clear_errors():
        plan = FarmPlan(
            units=1, seed=_seed(seed), base=base, mix=read_mix(f"{model}=100%"), containers=1, troubles=HEALTHY_FARM
        )
        ports = _Ports(api=port, http=http_port, power=power_port, power_lines=_read_lines(power_lines))
        _run(_serve_farm(plan, ports=ports, control=control, ledger_out=ledger_out, allow_remote=allow_remote))


@app.command()
def replay(
    captures: Annotated[list[Path], typer.Argument(help="Capture directories, or recorded replies themselves.")],
    *,
    base: BaseOption = "127.10.0.1",
    port: PortOption = 4028,
    allow_remote: RemoteOption = False,
) -> None:
    """Serve recorded replies byte for byte until stopped; each capture directory is one unit."""
    with _clear_errors():
        _run(_serve_replay(read_captures(captures, base), port=port, allow_remote=allow_remote))


@app.command()
def faults(
    *, as_json: Annotated[bool, typer.Option("--json", help="As JSON, with types and full text.")] = False
) -> None:
    """List the vocabulary of faults, what each can be given, and what an agent must conclude."""
    entries = vocabulary()
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(entries), indent=1).decode())
        return
    table = Table(box=None, pad_edge=False, show_lines=False, padding=(0, 2, 0, 0))
    for heading in ("fault", "kind", "values", "what happens, and what an agent must conclude"):
        table.add_column(heading)
    for entry in entries:
        values = "\n".join(f"{name}={value}" for name, value in entry.values.items())
        table.add_row(entry.name, entry.kind, values, f"{entry.about} {entry.agent_must}")
    Console(highlight=False).print(table)


def main() -> None:
    """Run the command line."""
    app()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ports:
    """Where the units answer.

    Attributes:
        api: Their API.
        http: Their web pages; None for none.
        power: Their hash side; None for none.
        power_lines: Firmware lines on which the hash side answers.
    """

    api: int
    http: int | None
    power: int | None
    power_lines: frozenset[Line]


async def _serve_farm(
    plan: FarmPlan, *, ports: _Ports, control: str, ledger_out: Path | None, allow_remote: bool
) -> None:
    stopped = _stop_signal()
    host, control_port = _control_address(control)
    built = Farm(plan, SimClock(), watch=partial(_show_progress, plan.units))
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve_farm(built, port=ports.api, is_loopback_only=not allow_remote))
        web = power = None
        if ports.http is not None:
            web = await stack.enter_async_context(serve_web(built, server, port=ports.http))
        if ports.power is not None:
            power = await stack.enter_async_context(serve_hash_side(built, server, ports.power_lines, port=ports.power))
        if ledger_out is not None:
            with ledger_out.open("w", encoding="utf-8", newline="") as file:
                built.write_ledger(file, port=server.port)
        first, last = built.units[0].identity.host, built.units[-1].identity.host
        _screen.print(f"seed {plan.seed}")
        _screen.print(f"{plan.units} units at {first} to {last}, port {server.port}")
        if web is not None:
            _screen.print(f"web pages http://{first}:{web.port}/")
        if power is not None:
            _screen.print(f"power http://{first}:{power.port}/miner_power")
        if control:
            address = await stack.enter_async_context(
                serve_control(built, server.journal, host=host, port=control_port)
            )
            _screen.print(f"control http://{address[0]}:{address[1]}/truth")
        now = built.clock.now()
        _screen.print(
            f"true hashrate {built.operating_hs(now) / 1e15:.3f} of {built.deployed_hs / 1e15:.3f} PH/s deployed, "
            f"{built.operating_hs(now) / built.deployed_hs:.2%}"
        )
        await stopped.wait()


async def _serve_replay(recorded: list[RecordedUnit], *, port: int, allow_remote: bool) -> None:
    stopped = _stop_signal()
    async with serve_stations(
        {unit.host: unit for unit in recorded}, SimClock().now, port=port, is_loopback_only=not allow_remote
    ) as server:
        for unit in recorded:
            _screen.print(f"{unit.host}:{server.port}  {unit.name}  {', '.join(sorted(unit.replies))}")
        await stopped.wait()


def _show_progress(total: int, units: Iterable[Unit]) -> Iterable[Unit]:
    return track(units, "building units", total=total, console=_errors, transient=True, disable=not _errors.is_terminal)


def _stop_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    return stopped


def _run(work: Coroutine[None, None, None]) -> None:
    """Run on uvloop where it is installed."""
    try:
        import uvloop  # noqa: PLC0415  optional; the standard loop serves as well
    except ImportError:
        asyncio.run(work)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)


def _seed(seed: int | None) -> int:
    return random.SystemRandom().randrange(1_000_000) if seed is None else seed


def _read_lines(text: str) -> frozenset[Line]:
    try:
        return frozenset(Line(name.strip()) for name in text.split(","))
    except ValueError:
        raise FarmError(f"firmware lines {text!r} are not a list of {', '.join(Line)}") from None


def _control_address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not text:
        return "127.0.0.1", 0
    with contextlib.suppress(ValueError):
        ipaddress.IPv4Address(host)
        if colon and 0 <= int(port) <= 65535:
            return host, int(port)
    raise FarmError(f"control address {text!r} is not IPV4:PORT")


@contextlib.contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn what the user can mend into one line and an exit code."""
    try:
        yield
    except (FarmError, ModelError, CaptureError) as error:
        _errors.print(f"hashsight-sim: {error}")
        raise typer.Exit(EXIT_BAD_INPUT) from error
    except ServeError as error:
        _errors.print(f"hashsight-sim: {error.strerror}")
        raise typer.Exit(EXIT_FAILED) from error
    except OSError as error:
        _errors.print(f"hashsight-sim: {error}")
        raise typer.Exit(EXIT_FAILED) from error


if __name__ == "__main__":
    main()
