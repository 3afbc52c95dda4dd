"""One simulated farm for all tests of a file; each has a ledger of its own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from programs import farm


class SharedFarm(NamedTuple):
    """A running farm.

    Attributes:
        control: Address of its control API.
        ledger: Text of its ledger.
    """

    control: str
    ledger: str

    def copy_ledger(self, folder: Path) -> Path:
        """Write its ledger into a folder; returns the file."""
        path = folder / "ledger.csv"
        path.write_text(self.ledger, encoding="utf-8")
        return path


def shared_farm(*, units: int) -> Any:
    """Return a fixture of a module: a farm of `units` for tests that leave its units as they are."""

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SharedFarm]:
        folder = tmp_path_factory.mktemp("farm")
        async with farm(folder, units=units) as control:
            yield SharedFarm(control, (folder / "ledger.csv").read_text(encoding="utf-8"))

    return running
