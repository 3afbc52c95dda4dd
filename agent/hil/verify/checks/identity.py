"""Checks of the unit's own identity, which all its replies must agree on; its age, and its mode."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from agent.hil.verify.observed import (
    POOLS,
    STATS,
    STATS_NEW_API,
    SUMMARY,
    SUMMARY_NEW_API,
    VERSION,
    Observed,
    number,
    shown,
)
from agent.hil.verify.verdict import Finding, UnansweredError
from agent.unit.model_names import base_key
from agent.unit.reading import Mode, UnitReading

# Observed (O82): programs that stand for a build date, under their own names.
_PROGRAMS: Final = ("BOSer", "BOSminer+", "BOSminer", "LUXminer", "Cgminer")
_MODELS: Final = ("Type", "type")
_BUILDS: Final = ("CompileTime", *_PROGRAMS)
_UPTIMES: Final = ("Elapsed", "elapsed")
UPTIME_APART_S: Final = 3.0
"""Whole seconds of two replies, and the time in which the program renews them."""
STANDSTILL_S: Final = 15.0
"""Assumed (A16): firmware renews `Elapsed` within this time."""
# A tuple: what a unit sends instead may be a list, which no set can be asked for.
_POOL_WORDS: Final = ("Alive", "Dead", "Deed", "Disabled", "Rejecting")
# Documented (D42, D45), observed (O60): the numbers of each dialect; 0 in legacy on builds of May 2026.
_NEW_MODES: Final = frozenset({0.0, 1.0, 2.0, 3.0})
_LEGACY_MODES: Final = frozenset({0.0, 1.0, 2.0})
_ASLEEP: Final = 1.0


def names_model_and_firmware(look: Observed) -> Iterator[Finding]:
    """`version` or `stats` names the model, and a build date or the program's version. Observed (O11)."""
    if not any(_is_answered(look, request) for request in (VERSION, STATS, STATS_NEW_API)):
        raise UnansweredError("neither version nor stats was answered")
    models, builds = list(look.said(*_MODELS)), list(look.said(*_BUILDS))
    if not any(base_key(text) for _, text in models):
        told = shown(models[0][1] if models else None)
        yield Finding(path=f"{VERSION}: VERSION[0].Type", found=told, expected="a model")
    if not builds:
        yield Finding(path=f"{VERSION}: VERSION[0].CompileTime", found="none", expected="a build date or a program")


def replies_agree_on_identity(look: Observed) -> Iterator[Finding]:
    """All replies of one look name the same model and the same build."""
    is_any = False
    for keys in (_MODELS, ("CompileTime",)):
        # Observed (O15, O16): one blank or two before a day of one digit.
        told = [(path, " ".join(text.split())) for path, text in look.said(*keys)]
        if len(told) < 2:
            continue
        is_any = True
        first_path, first = told[0]
        for path, text in told[1:]:
            if text != first:
                yield Finding(path=path, found=text, expected=f"{first}, as {first_path}")
    if not is_any:
        raise UnansweredError("fewer than two replies name the identity")


def uptime_is_told(look: Observed) -> Iterator[Finding]:
    """`stats` and `summary` tell the age of the miner process in whole seconds. Observed (O17, O26)."""
    for path, figures in look.each_figures(STATS_NEW_API, STATS, SUMMARY_NEW_API, SUMMARY):
        value = next((figures[key] for key in _UPTIMES if key in figures), None)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            yield Finding(path=f"{path}.Elapsed", found=shown(value), expected="whole seconds")


def replies_agree_on_uptime(look: Observed) -> Iterator[Finding]:
    """By the unit's own clock, all replies of one look put the start of the process at one moment."""
    _require_awake(look)
    told: list[tuple[str, float, float]] = []
    for request in (STATS_NEW_API, STATS, SUMMARY_NEW_API, SUMMARY):
        found = _age(look, request)
        if found is not None:
            told.append((request, *found))
    pairs = [(one, other) for at, one in enumerate(told) for other in told[at + 1 :] if abs(one[1] - other[1]) <= 60.0]
    if not pairs:
        raise UnansweredError("no two replies of one minute have the uptime")
    for (first, when, age), (request, later, other) in pairs:
        if abs((later - other) - (when - age)) > UPTIME_APART_S:
            yield Finding(
                path=f"{request}: Elapsed",
                found=f"{other:.0f} s",
                expected=f"{age + later - when:.0f} s, by that of {first}",
            )


def uptime_advances(looks: Sequence[Observed]) -> Iterator[Finding]:
    """From look to look the uptime advances as the unit's clock does, unless the process restarted. Observed (O162)."""
    is_any = False
    for request in (STATS_NEW_API, STATS, SUMMARY):
        told = [found for look in looks if (found := _awake_age(look, request)) is not None]
        for (when, age), (later, older) in pairwise(told):
            passed = later - when
            if passed < STANDSTILL_S:
                continue
            is_any = True
            is_restarted = older < age and older <= passed + UPTIME_APART_S
            if not is_restarted and abs((older - age) - passed) > UPTIME_APART_S:
                yield Finding(
                    path=f"{request}: Elapsed",
                    found=f"{age:.0f} s, then {older:.0f} s",
                    expected=f"{passed:.0f} s more by the unit's clock",
                )
    if not is_any:
        raise UnansweredError(f"no report was asked twice, {STANDSTILL_S:g} s apart, of a unit that is awake")


def mode_is_known(look: Observed) -> Iterator[Finding]:
    """The work mode is a number of its dialect. Documented (D42), observed (O48, O60)."""
    is_any = False
    for path, figures in look.each_figures(STATS_NEW_API, STATS):
        for key, known in (("miner-mode", _NEW_MODES), ("Mode", _LEGACY_MODES)):
            if key in figures:
                is_any = True
                if number(figures[key]) not in known:
                    modes = ", ".join(f"{mode:g}" for mode in sorted(known))
                    yield Finding(path=f"{path}.{key}", found=shown(figures[key]), expected=f"one of {modes}")
    if not is_any:
        raise UnansweredError("no mode is reported")


def mode_fits_the_rate(look: Observed) -> Iterator[Finding]:
    """A unit that says that it sleeps has no rate. Documented (D50) otherwise, until a reboot."""
    is_any = False
    for path, figures in look.each_figures(STATS_NEW_API, STATS):
        for key in ("miner-mode", "Mode"):
            if key not in figures:
                continue
            is_any = True
            rate = number(figures.get("rate_5s", figures.get("GHS 5s")))
            if number(figures[key]) == _ASLEEP and rate:
                yield Finding(path=f"{path}.{key}", found=f"asleep, and {rate:,.0f} GH/s", expected="asleep, and 0")
    if not is_any:
        raise UnansweredError("no mode is reported")


def pools_are_listed(look: Observed) -> Iterator[Finding]:
    """Each pool has a known status, and at most one is in use. Observed (O35, O36), documented (D31)."""
    rows = look.rows(POOLS)
    active = 0
    for at, row in enumerate(rows[:16]):
        if row.get("Status") not in _POOL_WORDS:
            yield Finding(
                path=f"{POOLS}: POOLS[{at}].Status",
                found=shown(row.get("Status")),
                expected=", ".join(_POOL_WORDS),
            )
        active += row.get("Stratum Active") is True
    if active > 1:
        yield Finding(path=f"{POOLS}: POOLS", found=f"{active} in use", expected="one in use")


def _is_answered(look: Observed, request: str) -> bool:
    try:
        return not look.is_refusal(request)
    except UnansweredError:
        return False


def _age(look: Observed, request: str) -> tuple[float, float] | None:
    """Return the unit's clock, Unix s, and the uptime in a reply, s; None if it tells one of them only."""
    try:
        when, (_, figures) = look.when(request), look.figures(request)
    except UnansweredError:
        return None
    age = next((number(figures[key]) for key in _UPTIMES if key in figures), None)
    return None if when is None or age is None else (when, age)


def _awake_age(look: Observed, request: str) -> tuple[float, float] | None:
    try:
        _require_awake(look)
    except UnansweredError:
        return None
    return _age(look, request)


def _require_awake(look: Observed) -> None:
    """Refuse a sleeping unit. Observed (O62): its `Elapsed` stands at 1; documented (D46): at 0.

    Raises:
        UnansweredError: It sleeps.
    """
    if isinstance(look.reading, UnitReading) and look.reading.mode is Mode.SLEEP:
        raise UnansweredError("the unit sleeps")
