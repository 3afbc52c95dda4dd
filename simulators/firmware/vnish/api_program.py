"""VNish's API program: it picks the reply of the generation that a unit runs."""

from collections.abc import Callable
from typing import Final

from simulators.firmware.request import Request
from simulators.firmware.vnish import pools, stats
from simulators.firmware.vnish.generation import Generation, generation_of
from simulators.unit.unit import Unit

# Assumed (A174): none of cgminer's commands that change something is taken; a client that sends one meant to.
# Documented (D237): those commands.
WRITE_COMMANDS: Final = frozenset(
    (
        *("addpool", "removepool", "switchpool", "enablepool", "disablepool", "poolpriority", "poolquota"),
        *("quit", "restart", "save", "setconfig", "zero", "debug", "hotplug", "failover-only"),
        *("ascenable", "ascdisable", "ascset"),
    )
)

# Clock over rated clock of its presets, and how many units run them. Observed (O97): one of 0.83 on an S21 Pro and one
# of about 1.03 on an S19 XP.
TUNINGS: Final = ((1.0, 0.3), (0.83, 0.3), (0.92, 0.2), (1.03, 0.2))

REPLIES: Final[dict[str, Callable[[Unit, Generation, float], str]]] = {
    "stats": stats.stats,
    "summary": pools.summary,
    "pools": pools.pools,
    "devdetails": stats.devdetails,
}


def answer(unit: Unit, request: Request, t: float) -> bytes:
    """Return the reply of `unit` at `t`, without the closing NUL.

    Observed (O86): since 1.2.6 `version` is refused like an unknown command. Assumed (A170): joined commands are too.
    """
    generation = generation_of(unit.identity)
    if request.command == "version" and not generation.is_new:
        text = stats.version(unit, generation, t)
    elif request.command in REPLIES:
        text = REPLIES[request.command](unit, generation, t)
    else:
        # Observed (O86): s21pro-vnish-2026, unknown-command: no `id`.
        text = (
            f'{{"STATUS":[{{"STATUS":"E","When":{int(t)},"Code":0,"Msg":"Invalid command",'
            '"Description":"cgminer 4.11.1"}]}'
        )
    return text.encode("ascii", "replace")
