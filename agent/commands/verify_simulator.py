"""A simulated unit of a capture's model and firmware, as a program of its own on loopback."""

import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from agent.address import Endpoint
from agent.commands.demo_programs import DemoError, run_program, until_logged
from agent.commands.terminal import usage_error
from agent.errors import PollError
from agent.hil.capture.form import Capture
from agent.hil.verify.observed import looks_of
from agent.unit.model_names import plain_model
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import Mode, UnitReading

# Far from the simulated sites of other commands.
_BASE: Final = "127.10.77.1"
_READY: Final = r"^1 unit at (\S+), port (\d+)$"


async def simulated(programs: AsyncExitStack, capture: Capture) -> Endpoint:
    """Start a simulated unit of the model, bin and firmware of a capture, asleep if the captured one only sleeps.

    Args:
        programs: Stops it on exit.
        capture: What it is to be like.

    Returns:
        Its address.

    Raises:
        ConfigError: The capture names no model, or the simulator has none of its model or firmware.
    """
    readings = [look.reading for look in looks_of(capture)]
    known = [reading for reading in readings if isinstance(reading, UnitReading)]
    reading = next((reading for reading in known if reading.rate_hs), known[0] if known else None)
    if reading is None:
        error = next(read for read in readings if isinstance(read, PollError))
        raise usage_error("verify", "--against", "simulator", f"{capture.name} cannot be read: {error}")
    if reading.identity.model is None or reading.identity.firmware is None:
        reason = f"{capture.name} names no {'model' if reading.identity.model is None else 'firmware'} to simulate"
        raise usage_error("verify", "--against", "simulator", reason)
    folder = Path(programs.enter_context(tempfile.TemporaryDirectory()))
    log_file = folder / "simulator.log"
    arguments = ["one", *_kind_of(reading), "--base", _BASE, "--port", "0", "--no-pages", "--seed", "1"]
    if reading.mode is Mode.SLEEP:
        arguments.append("--asleep")
    command = [sys.executable, "-m", "simulators", *arguments]
    process = await programs.enter_async_context(run_program(command, log_file))
    try:
        ready = await until_logged(_READY, process, log_file)
    except DemoError as error:
        if process.returncode != _BAD_INPUT:
            raise
        raise usage_error("verify", "--against", "simulator", _reason(log_file)) from error
    return Endpoint(ready[1], int(ready[2]))


_BAD_INPUT: Final = 2
_STOCK: Final = "antminer"


def _kind_of(reading: UnitReading) -> list[str]:
    """Return the options for model and firmware: of stock firmware its build, of others their name."""
    if reading.reader != _STOCK:
        return ["--model", f"{_bin_of(reading)}/{reading.reader}"]
    return ["--model", _bin_of(reading), "--build", reading.identity.firmware or ""]


def _bin_of(reading: UnitReading) -> str:
    """Return ``S21:200``: the model, and the bin that its ideal rate is, if the catalogue has it."""
    name = plain_model(reading.identity.model or "")
    ideal_hs = reading.hashrate_sale_hs or reading.hashrate_ideal_hs
    if ideal_hs is None or shipped_catalogue().find(name, ideal_hs) is None:
        return name
    return f"{name}:{ideal_hs / 1e12:g}"


def _reason(log_file: Path) -> str:
    lines = log_file.read_text(encoding="utf-8", errors="replace").split("\n")
    return " ".join(" ".join(lines).split()) or "hashsight-sim refused it"
