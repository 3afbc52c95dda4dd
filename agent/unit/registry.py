"""All readers by name, and the rules by which a unit's reader is chosen.

A unit is read by the reader that its ledger row names or, without one, by `auto`, which asks the unit. To add a
firmware, write a reader in a folder beside `antminer/`, add it to `_FIRMWARE`, and its rule to `_RULES`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from agent.unit.antminer import webpage
from agent.unit.antminer.reader import READER as ANTMINER
from agent.unit.antminer.reader import reader_with
from agent.unit.antminer.unread_fields import unread_fields
from agent.unit.braiins.reader import READER as BRAIINS
from agent.unit.braiins.reader import is_spoken as is_braiins
from agent.unit.choice import Rule, auto_reader
from agent.unit.coolant import SensorLayouts
from agent.unit.epic.reader import READER as EPIC
from agent.unit.epic.reader import SUMMARY as EPIC_SUMMARY
from agent.unit.epic.reader import is_spoken as is_epic
from agent.unit.foreign.reader import READER as FOREIGN
from agent.unit.luxos.reader import READER as LUXOS
from agent.unit.luxos.reader import is_spoken as is_luxos
from agent.unit.reader import AUTO, AnyReader, FetchSystemInfo
from agent.unit.unread import OnUnread, Unread
from agent.unit.vnish.reader import READER as VNISH
from agent.unit.vnish.reader import is_spoken as is_vnish

_FIRMWARE: Final[Sequence[AnyReader]] = (BRAIINS, LUXOS, VNISH, EPIC)
"""Readers of firmware other than stock."""
_RULES: Final[Sequence[Rule]] = (
    Rule(BRAIINS.name, is_braiins),
    Rule(LUXOS.name, is_luxos),
    Rule(VNISH.name, is_vnish),
    Rule(EPIC.name, is_epic),
)
"""Each of them speaks for one firmware; what none knows is read as stock."""


def readers_with(layouts: SensorLayouts | None = None, on_unread: OnUnread | None = None) -> Mapping[str, AnyReader]:
    """Return all readers by name, `auto` among them.

    Args:
        layouts: A site's own catalogue, by which stock firmware's sensors are told apart; None for the shipped one.
        on_unread: Called with the fields of a stock unit's replies that no reader uses; None looks for none.
    """
    antminer = ANTMINER if layouts is None else reader_with(layouts, on_unread)
    readers = {reader.name: reader for reader in (antminer, *_FIRMWARE)}
    chooser = auto_reader(readers, _RULES, default=antminer.name, page=EPIC_SUMMARY)
    return MappingProxyType({**readers, FOREIGN.name: FOREIGN, AUTO: chooser})


READERS: Final = readers_with()
DEFAULT: Final = READERS["antminer"]
CHOOSING: Final = READERS[AUTO]
FACTORY_LOGIN: Final = webpage.FACTORY_LOGIN
FETCH_SYSTEM_INFO: Final[FetchSystemInfo] = webpage.fetch_system_info


def reader_finder(layouts: SensorLayouts, on_unread: OnUnread | None = None) -> Callable[[str], AnyReader]:
    """Return a function that finds the reader of a ledger row by the name in it; ``auto`` without one.

    Args:
        layouts: As of `readers_with`.
        on_unread: As of `readers_with`.
    """
    readers = readers_with(layouts, on_unread)
    return lambda name: readers[name or AUTO]


def unread_in(replies: Iterable[tuple[str, bytes]], *, with_text: bool = False) -> Unread:
    """Return the fields of one unit's replies that the reader of stock firmware does not read.

    Args:
        replies: Report, such as ``stats new_api`` or ``page get_system_info``, and the reply as received.
        with_text: Show texts as they are, which may be serial numbers or accounts.
    """
    return unread_fields(replies, with_text=with_text)
