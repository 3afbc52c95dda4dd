"""Every assumption of docs/assumptions.md: a check, or the reason why no recording settles it."""

from collections.abc import Mapping
from typing import Final

from agent.hil.assumptions import aftermarket, figures, identity, sleep, starts, wire
from agent.hil.assumptions.check import Check, Finding, Verdict, found
from agent.hil.assumptions.recorded import Recorded
from agent.hil.assumptions.view import View

CHECKS: Final[Mapping[str, Check]] = {
    check.id: check
    for check in sorted(
        (*wire.CHECKS, *identity.CHECKS, *figures.CHECKS, *sleep.CHECKS, *starts.CHECKS, *aftermarket.CHECKS),
        key=lambda check: (int(check.id[1:]), check.id),
    )
}
"""Checks by id."""

_POOL = "about a pool, which is no unit"
_METER: Final = "needs a power meter"
_THERMOMETER: Final = "needs a thermometer beside the unit"
_WRITE: Final = "needs a write, and a recording only reads"
_BUTTON: Final = "about datagrams of the report button, which no poll sees"

NOT_BY_A_RECORDING: Final[Mapping[str, str]] = {
    "A02": "needs a second client that stays silent",
    "A03": "a recording asks in JSON alone",
    "A08": "a recording sends whole commands alone",
    "A110": "needs the unit's shares while its port is opened and closed",
    "A120": _BUTTON,
    "A130": _BUTTON,
    "A131": "about units of other makes",
    "A132": _BUTTON,
    "A211": "about what the simulators show; its replies are in the fact",
    "A212": "about what the simulators show; its replies are in the fact",
    "A213": "about what the simulators show; its replies are in the fact",
    "A214": "about what some server may do",
    "A215": "needs a switch of the unit's pools",
    "A216": "needs a turn of the maker's pool",
    "A210": "about units of other makes",
    "A140": "a recording sends nothing behind a request",
    "A155": "about units of firmware that the simulators do not know",
    "A156": "about the rating of a bin that no source tells",
    "A157": _THERMOMETER,
    "A158": _METER,
    "A173": "a unit that hides its label looks like the others",
    "A174": "about what the simulators show; its replies are in the fact",
    "A176": "no reply tells the chips of the design",
    "A177": _METER,
    "A179": "about codes that are not known",
    "A180": "no reply tells whether a unit was paused or failed",
    "A181": "no reply tells whether a connector is empty",
    "A184": "about what the simulators show; its replies are in the fact",
    "A195": "about the ratings of models whose maker's page was not seen",
    "A197": "about machines without a description",
    "A199": "no page tells whether a unit was ordered to idle",
    "A200": "about the label on a unit, which no recording shows",
    "A220": _POOL,
    "A221": _POOL,
    "A222": _POOL,
    "A223": _POOL,
    "A224": _POOL,
    "A225": _POOL,
    "A226": _POOL,
    "A230": "needs a unit whose firmware writes a bin behind the model's name, beside its label",
    "A227": "needs two looks a day apart",
    "A228": "needs a switch of the unit's pools",
    "A24": _WRITE,
    "A27": "needs the flow of the coolant",
    "A28": "the modes on offer stand in a script of the settings page, which is no reply",
    "A32": _THERMOMETER,
    "A42": "about prose; read the page log beside simulators/firmware/pages",
    "A44": "needs the inlet air of a hot day",
    "A47": _METER,
    "A48": f"{_METER} and a thermometer",
    "A49": _THERMOMETER,
    "A50": _METER,
    "A55": _WRITE,
    "A60": _METER,
    "A61": _METER,
    "A75": "no reply tells whether a sensor is broken",
    "A76": _METER,
    "A77": "needs the rating of another bin",
    "A81": _THERMOMETER,
    "A98": _THERMOMETER,
}
"""Assumptions that no recording of one unit settles, by id, with the reason."""


def judge(recorded: Recorded) -> tuple[Finding, ...]:
    """Return what a recording says of every assumption that a recording can settle, by id; never raises.

    The recording is of one unit: *confirmed* means this model with this firmware, at these moments.
    """
    view = View(recorded)
    return tuple(found(check, view) for check in CHECKS.values())


def of_verdict(findings: tuple[Finding, ...], verdict: Verdict) -> tuple[Finding, ...]:
    """Return the findings of one verdict."""
    return tuple(finding for finding in findings if finding.verdict is verdict)
