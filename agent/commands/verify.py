"""`hashsight verify`: captures and units held against each other, or against what is known to be right."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import typer

from agent.address import Endpoint, Network, parse_endpoint
from agent.commands.machine_output import write_json
from agent.commands.terminal import FAILED, err, exit_codes, usage_error
from agent.commands.verify_simulator import simulated
from agent.commands.verify_text import print_verification
from agent.config.file import load_config
from agent.errors import ConfigError, Mistake
from agent.files.regular import open_regular
from agent.hil.capture import form
from agent.hil.capture.exchange import Patience
from agent.hil.capture.folder import read_capture
from agent.hil.capture.form import Capture
from agent.hil.scan.ranges import refuse_public
from agent.hil.verify.against import held_against
from agent.hil.verify.alone import held_to_checks, held_to_golden
from agent.hil.verify.differences import Verification
from agent.hil.verify.looking import Series, look_at

SIMULATOR: Final = "simulator"
DEFAULT_PORT: Final = 4028
MAX_GOLDEN_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looks:
    """How live units are looked at."""

    series: Series
    networks: Sequence[Network]
    any_address: bool


def verify(
    subject: str,
    *,
    against: str | None,
    polls: int,
    every_s: float,
    config: Path | None,
    any_address: bool,
    timeout_s: float,
    show_all: bool,
    as_json: bool,
) -> None:
    """Verify a capture or a unit and print the differences."""
    with exit_codes():
        looks = _Looks(
            series=Series(
                polls=polls,
                every_s=every_s,
                patience=Patience(connect_s=min(4.0, timeout_s), deadline_s=timeout_s),
            ),
            networks=() if config is None else load_config(config).ledger.networks,
            any_address=any_address,
        )
        found = asyncio.run(_verified(subject, against, looks))
        if as_json:
            write_json({**msgspec.to_builtins(found), "changes_meaning": found.changes_meaning})
        else:
            print_verification(found, show_all=show_all)
        if found.changes_meaning:
            raise typer.Exit(FAILED)


async def _verified(subject: str, against: str | None, looks: _Looks) -> Verification:
    first = _named(subject, "DIR|HOST", looks)
    second = None if against is None or against == SIMULATOR else _named(against, "--against", looks)
    if against is None:
        if isinstance(first, Capture):
            return _of_folder(Path(subject), first)
        return held_to_checks(await _looked(first, looks))
    if against == SIMULATOR:
        capture = first if isinstance(first, Capture) else await _looked(first, looks)
        async with AsyncExitStack() as programs:
            endpoint = await simulated(programs, capture)
            return held_against(capture, await _looked(endpoint, looks, name=f"simulator at {endpoint}"))
    assert second is not None  # noqa: S101  for the type checker
    # The older one is the reference: a capture before a unit, or the folder named by --against.
    captured = [await _looked(each, looks) if isinstance(each, Endpoint) else each for each in (second, first)]
    is_turned = isinstance(first, Capture) and isinstance(second, Endpoint)
    reference, other = reversed(captured) if is_turned else captured
    return held_against(reference, other)


def _named(text: str, where: str, looks: _Looks) -> Capture | Endpoint:
    """Return the capture in a folder, or the unit at an address.

    Raises:
        ConfigError: It is neither, or may not be asked.
    """
    path = Path(text)
    if path.exists() or "/" in text:
        return read_capture(path)
    try:
        address, port = parse_endpoint(text, default_port=DEFAULT_PORT)
        if not looks.any_address:
            refuse_public(address, looks.networks)
    except ValueError as error:
        reason = f"{error}; nor is there a folder of this name"
        raise usage_error("verify", where, text, reason) from error
    return Endpoint(str(address), port)


async def _looked(endpoint: Endpoint, looks: _Looks, *, name: str = "") -> Capture:
    recorded_at = datetime.now(UTC).isoformat(timespec="seconds")
    lasts = f", for {looks.series.polls * looks.series.every_s:.0f} s" if looks.series.polls else ""
    with err.status(f"asking {endpoint}{lasts}"):
        capture = await look_at(endpoint, looks.series, clock=time.monotonic, recorded_at=recorded_at)
    return msgspec.structs.replace(capture, name=name) if name else capture


def _of_folder(folder: Path, capture: Capture) -> Verification:
    path = folder / form.GOLDEN
    if not path.exists():
        reason = f"there is no {form.GOLDEN}: only its replies were checked"
        return held_to_checks(capture, left_out=(reason,))
    return held_to_golden(capture, _golden(path))


def _golden(path: Path) -> dict[str, Any]:
    """Return a golden reading.

    Raises:
        ConfigError: It cannot be read, or is no golden reading.
    """
    with open_regular(path) as file:
        data = file.read(MAX_GOLDEN_BYTES + 1)
    try:
        golden = msgspec.json.decode(data, type=dict[str, dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = f"is no golden reading: {error}"
        raise ConfigError([Mistake(file=str(path), where="file", value="", reason=reason)]) from error
    return golden
