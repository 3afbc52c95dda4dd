"""`config`: the unit's own words on its work state, held against its rate.

| CurtailMode | supply | rate | the unit                                                                     |
|-------------|--------|------|------------------------------------------------------------------------------|
| `Sleep`     | off    | any  | sleeps; a rate told within two minutes of it is the one before               |
| `Sleep`     | other  | 0    | sleeps                                                                       |
| `Sleep`     | other  | -    | has not told: a rate that is missing is no rate of 0                         |
| `Sleep`     | other  | some | hashes: the word is stale (Documented (D243))                                |
| `WakeUp`    | any    | any  | starts, and says so (Documented (D242))                                      |
| `None`      | any    | any  | is awake, whether it hashes or not: a failure never sleeps                   |
| other       | any    | any  | has not told                                                                 |
"""

from typing import Final, NamedTuple

from agent.unit.cgminer.fields import spelled
from agent.unit.luxos.reports import ConfigRow
from agent.unit.reading import Mode

# Assumed (A178): the first minute's word in another project's imitation of LuxOS. Recorded is only Normal (O176).
_STARTING: Final = frozenset({"initializing", "starting", "booting"})


class Words(NamedTuple):
    """Meaning of the words.

    Attributes:
        mode: The work mode; None if they do not tell, or if the rate refutes them.
        is_starting: The unit says that it starts.
        is_off: It sleeps with its supply off, so that no rate can be its own.
        is_refuted: It says that it sleeps, and hashes with its supply on.
    """

    mode: Mode | None = None
    is_starting: bool = False
    is_off: bool = False
    is_refuted: bool = False


SILENT: Final = Words()
AWAKE: Final = Words(Mode.NORMAL)
STARTING: Final = Words(is_starting=True)


def words_of(config: ConfigRow | None, *, is_hashing: bool | None) -> Words:
    """Return what a unit's words mean; `SILENT` if they do not tell.

    Args:
        config: The words; None if they could not be read.
        is_hashing: By the rate that it tells; None if it tells none.
    """
    if config is None or config.CurtailMode is None:
        return SILENT
    word = spelled(config.CurtailMode)
    if word == "sleep":
        is_off = config.IsPowerSupplyOn is False
        if is_off or is_hashing is False:
            return Words(Mode.SLEEP, is_off=is_off)
        return Words(is_refuted=True) if is_hashing else SILENT
    if word == "wakeup":
        return STARTING
    if word != "none":
        return SILENT
    status = config.SystemStatus
    return STARTING if status is not None and spelled(status) in _STARTING else AWAKE
