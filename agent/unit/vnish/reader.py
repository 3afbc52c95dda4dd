"""The reader of VNish firmware, and how it is told."""

import re
from collections.abc import Mapping
from typing import Final

from agent.unit.choice import Told
from agent.unit.reader import Reader
from agent.unit.vnish.conversation import Memory, converse
from agent.unit.vnish.stats import NAME
from agent.unit.vnish.words import label_of

READER: Final = Reader(name=NAME, new_memory=Memory, converse=converse)

# As bytes, because an older build leaves out a comma, and only the model is looked for.
_TYPE: Final = re.compile(rb'"Type"\s*:\s*"([^"\\]{1,64})"')


def is_spoken(told: Told) -> bool:
    """Return True if a unit runs VNish: the model it reports ends in its name and version, in brackets.

    Observed (O86, O171): since 1.2.6 `version` is refused with code 0, and the model stands in `stats`; older builds
    answer `version` with it.
    """
    found = _TYPE.search(told.stats)
    if found is not None:
        return label_of(found[1].decode("ascii", "replace")) is not None
    rows = None if told.version is None else told.version.body.get("VERSION")
    row = rows[0] if isinstance(rows, list) and rows else None
    return isinstance(row, Mapping) and label_of(row.get("Type")) is not None
