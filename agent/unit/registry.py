"""All readers by name, and the defaults for units.

Every unit is read by `DEFAULT`, and asked for its identity with `FETCH_SYSTEM_INFO`.

To add a firmware, write a reader in a folder beside `antminer/` and add it to `READERS`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from agent.unit.antminer import webpage
from agent.unit.antminer.reader import READER as ANTMINER
from agent.unit.antminer.reader import reader_with
from agent.unit.coolant import SensorLayouts
from agent.unit.reader import AnyReader, FetchSystemInfo

READERS: Final[Mapping[str, AnyReader]] = MappingProxyType({reader.name: reader for reader in (ANTMINER,)})
DEFAULT: Final = READERS["antminer"]
FACTORY_LOGIN: Final = webpage.FACTORY_LOGIN
FETCH_SYSTEM_INFO: Final[FetchSystemInfo] = webpage.fetch_system_info


def default_with(layouts: SensorLayouts) -> AnyReader:
    """Return the default reader, telling sensors apart by a site's own catalogue."""
    return reader_with(layouts)
