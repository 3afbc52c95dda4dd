"""A redacted capture is read like the capture: only serial numbers, accounts and hosts of pools differ."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from capture_files import FILES, FOLDERS, is_whole
from planting import capture_of, redacted

from agent.hil.redaction.redactor import Redactor
from agent.unit.antminer.stats import read_stats
from agent.unit.cgminer.pools import read_pools
from agent.unit.cgminer.summary import read_summary
from agent.unit.cgminer.version import read_version

AT = 1763674560.0
READERS: dict[str, Callable[[bytes], Any]] = {
    "stats": lambda data: read_stats(data, unit_id="u1", at=AT),
    "summary": lambda data: read_summary(data, at=AT)._asdict(),
    "pools": read_pools,
    "version": read_version,
}
TELLING = {"serial", "serials", "miner_id", "hardware_id", "user", "url", "host", "hosts"}


def command_of(path: Path) -> str:
    """Return the command that a capture answers."""
    return path.name.split(".")[0].split("-")[1]


READ = [path for path in FILES if is_whole(path) and command_of(path) in READERS and path.name != "http-summary.json"]


def differences(one: Any, other: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of values that differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from differences(one[key], other[key], (*path, str(key)))
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for inner, outer in zip(one, other, strict=True):
            yield from differences(inner, outer, path)
    elif one != other:
        yield path


@pytest.mark.parametrize("path", READ, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_reading_stays(path: Path) -> None:
    """Model, firmware, boards, rates, temperatures, states and errors are those of the capture."""
    read = READERS[command_of(path)]
    after = redacted(capture_of(path.parent))[path.name]
    before = msgspec.to_builtins(read(path.read_bytes()))
    found = {keys[-1] for keys in differences(before, msgspec.to_builtins(read(after)))}
    assert found <= TELLING


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_only_what_tells_is_replaced(folder: Path) -> None:
    """The captures here were redacted by hand: nothing but what was redacted then is replaced now.

    Addresses of documentation stand in some of them; they stay, as pseudonyms of themselves.
    """
    redactor = Redactor()
    redacted(capture_of(folder), redactor)
    kinds = {one.kind.name for one in redactor.replaced}
    assert kinds <= {"SERIAL", "IDENTIFIER", "USER", "HOST", "WALLET", "ADDRESS"}
