"""All readers by name, and what units are assumed to be until they say otherwise.

A new firmware is a folder beside `antminer/` and a line in `READERS`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from agent.unit.antminer import webpage
from agent.unit.antminer.reader import READER as ANTMINER
from agent.unit.reader import AnyReader, FetchSystemInfo

READERS: Final[Mapping[str, AnyReader]] = MappingProxyType({reader.name: reader for reader in (ANTMINER,)})
DEFAULT: Final[AnyReader] = ANTMINER
FACTORY_LOGIN: Final = webpage.FACTORY_LOGIN
FETCH_SYSTEM_INFO: Final[FetchSystemInfo] = webpage.fetch_system_info
