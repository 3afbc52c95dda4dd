"""Words for what a unit does, and their meaning.

| Operating State                 | the unit                                                                        |
|---------------------------------|---------------------------------------------------------------------------------|
| `Mining`                        | is awake                                                                        |
| `Initializing`, `PreInitCooldown` | starts                                                                        |
| `Idling`                        | sleeps, unless it names an error, or idles because it has lost its pools        |
| other                           | has not told                                                                    |

Observed (O190): `Mining`. Documented (D274): the other words. Assumed (A199): `Idling` without an error was ordered.
"""

from typing import Final, NamedTuple

from agent.unit.cgminer.fields import spelled
from agent.unit.epic.reports import SummaryPage
from agent.unit.reading import Fault, Mode

_STARTING: Final = frozenset({"initializing", "preinitcooldown"})


class Words(NamedTuple):
    """Meaning of the words.

    Attributes:
        mode: The work mode; None if they do not tell.
        is_starting: The unit says that it starts.
        is_idle: The unit says that it hashes nothing.
        faults: Why it hashes nothing, as far as it tells.
    """

    mode: Mode | None = None
    is_starting: bool = False
    is_idle: bool = False
    faults: tuple[Fault, ...] = ()


SILENT: Final = Words()
AWAKE: Final = Words(Mode.NORMAL)
STARTING: Final = Words(is_starting=True)
ASLEEP: Final = Words(Mode.SLEEP, is_idle=True)


def words_of(page: SummaryPage) -> Words:
    """Return what the words of a unit mean; `SILENT` without them."""
    status = page.status
    if status is None or status.state is None:
        return SILENT
    word = spelled(status.state)
    if word != "idling":
        return AWAKE if word == "mining" else STARTING if word in _STARTING else SILENT
    if status.last_error:
        return Words(is_idle=True, faults=(Fault.UNNAMED,))
    is_cut_off = page.stratum is not None and page.stratum.is_connected is False
    if page.is_idle_without_pool and is_cut_off:
        return Words(is_idle=True, faults=(Fault.POOLS,))
    return ASLEEP
