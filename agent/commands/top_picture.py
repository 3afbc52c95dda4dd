"""Pictures of `hashsight top`: the view as lines of text for a terminal of any size. No I/O."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.text import Text

from agent.commands.machine_output import visible
from agent.commands.top_answers import Answers, Container, Group, LossLine, Unit
from agent.commands.top_state import View
from agent.commands.top_table import Column, cut, header, line, row
from agent.site.reasons import REASONS, Meaning, Reason
from agent.text.losses import CAUSE_WORDS, units_text
from agent.text.numbers import ABSENT, SURE_COVERAGE_RATIO, duration_text, hashrate_text, ratio_text, watts_text

LEAST_COLUMNS, LEAST_ROWS = 40, 8
WIDE_COLUMNS = 104
"""From this width on, units have their address and model."""
DARK_BELOW_RATIO = 0.1
LEAST_UNITS_DARK = 4
HELP = (
    "s      next order: shortfall, place, since, hashrate, celsius, unit",
    "r      the other way round",
    "l      only units with the next loss, largest first",
    "c      only units of the next container",
    "t      only units in the next state",
    "/      search for words of address, model, place or reason; Esc drops it",
    "x      show all units again",
    "arrows, page keys, Home: move through the units",
    "p      pause, and go on",
    "q      quit",
    "",
    "STALE  no answer from the agent: its last figures, not those of now",
    "any key goes back",
)


def picture(view: View, *, columns: int, rows: int | None, clock_s: float) -> list[Text]:
    """Return the lines to show.

    Args:
        view: What to show.
        columns: Width of the terminal.
        rows: Its height; None for as many lines as there is to say.
        clock_s: The monotonic clock, s.
    """
    if rows is not None and (columns < LEAST_COLUMNS or rows < LEAST_ROWS):
        return [line(f"at least {LEAST_COLUMNS} x {LEAST_ROWS} needed", columns)]
    if view.is_helping:
        return [line(words, columns) for words in HELP][: rows or len(HELP)]
    if view.answers is None:
        waiting = view.trouble or f"asking {view.source}"
        return [line(visible(waiting), columns), *_footer(view, columns, rows)]
    past_s = view.past_s(clock_s)
    head = list(_head(view, view.answers, columns, clock_s, past_s))
    body = _body(view, view.answers, columns, None if rows is None else rows - len(head) - 1)
    lines = [*head, *body, *_footer(view, columns, rows)]
    if past_s is not None and not view.is_paused:
        # Nothing of the past has the colours of the present.
        lines = [lines[0], *(Text(each.plain, "dim") for each in lines[1:-1]), lines[-1]]
    return lines


def page_rows(view: View, *, columns: int, rows: int) -> int:
    """Return how many units fit on the terminal."""
    if view.answers is None:
        return max(1, rows - 6)
    head = len(list(_head(view, view.answers, columns, view.answered_s, None)))
    return _unit_rows(view.answers, rows - head - 1)


def _head(view: View, answers: Answers, columns: int, clock_s: float, past_s: float | None) -> Iterable[Text]:
    site, figures = answers.site, answers.site.figures
    name = visible(site.site)
    if past_s is not None and not view.is_paused:
        why = f": {visible(view.trouble)}" if view.trouble else ""
        yield line(f" STALE for {duration_text(past_s)}{why} ", columns, "bold white on red")
        name = f"{name}, as last heard"
    if figures is None:
        yield line(f"{name}: {site.units:,} units, {hashrate_text(site.deployed_hs)} deployed", columns, "bold")
        yield line(f"no figures: {visible(site.not_ready_reason or 'none yet')}", columns, "bold yellow")
        return
    is_doubted = past_s is not None or not site.is_ready or site.late_reason is not None
    yield _headline(name, figures, columns, is_doubted=is_doubted)
    yield line(_second(view, answers, figures, clock_s), columns, "dim")
    for words in _warnings(answers, figures):
        yield line(words, columns, "bold yellow")


def _headline(name: str, figures: Group, columns: int, *, is_doubted: bool) -> Text:
    ratio, coverage = figures.operational_efficiency_ratio, figures.coverage_ratio
    rates = f"{hashrate_text(figures.operating_hs)} of {hashrate_text(figures.deployed_hs)}"
    text = Text(f"{name}: ", "bold")
    is_sure = coverage is not None and coverage >= SURE_COVERAGE_RATIO
    colour = "yellow" if not is_sure or ratio is None else "green" if ratio > 0.9 else "red"
    text.append(f"{ratio_text(ratio)}", "" if is_doubted else f"bold {colour}")
    text.append(f"  {rates}  coverage {ratio_text(coverage, 1)}", "bold")
    if ratio is not None and not is_sure:
        text.append("  as far as is known")
    return cut(text, columns)


def _second(view: View, answers: Answers, figures: Group, clock_s: float) -> str:
    site = answers.site
    parts = []
    watts = sum(figures.watts_by_source.values())
    if watts:
        sources = "+".join(source for source, each in figures.watts_by_source.items() if each)
        parts.append(f"{watts_text(watts)} {sources}")
    if figures.energy_efficiency_j_per_th is not None:
        parts.append(f"{figures.energy_efficiency_j_per_th:.2f} J/TH")
    age_s = (site.figures_age_s or 0.0) + max(0.0, clock_s - view.answered_s)
    at = site.now.astimezone(_zone(site.zone))
    parts.append(f"figures {duration_text(age_s)} old at {at:%H:%M:%S %Z}" if view.is_paused else f"{at:%H:%M:%S %Z}")
    if not view.is_paused:
        parts.append(f"figures {duration_text(age_s)} old")
    parts.append(visible(view.source))
    return "; ".join(parts)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")


def _warnings(answers: Answers, figures: Group) -> Iterable[str]:
    site = answers.site
    if site.role == "standby":
        yield "this agent stands by for another one"
    if site.late_reason:
        yield f"LATE: {visible(site.late_reason)}"
    elif not site.is_ready:
        yield f"NOT READY: {visible(site.not_ready_reason or 'the agent does not say why')}"
    if site.restored_units:
        yield f"{site.restored_units:,} units as before the agent's last start, not asked since"
    dark = [each for each in site.containers or [] if is_dark(each.figures)]
    if dark:
        names = ", ".join(f"{visible(each.container)} ({each.figures.units:,} units)" for each in dark)
        yield f"DARK: {names}"
    if figures.curtailment_nameplate_hs:
        more = f", {figures.stragglers:,} still hash" if figures.stragglers else ""
        yield f"CURTAILED: {hashrate_text(figures.curtailment_nameplate_hs)} inside events{more}"
    if figures.unrestored:
        yield f"{figures.unrestored:,} units did not come back from a curtailment"


def is_dark(figures: Group) -> bool:
    """Return True if next to nothing of a container hashes, and neither a curtailment nor maintenance explains it."""
    explained_hs = sum(figures.losses_hs.get(cause, 0.0) for cause in ("curtailed", "maintenance"))
    if figures.units < LEAST_UNITS_DARK or figures.operational_efficiency_ratio is None:
        return False
    return figures.operating_hs + explained_hs < DARK_BELOW_RATIO * figures.deployed_hs


def _shares(answers: Answers, rows: int) -> tuple[int, int]:
    """Return how many losses and containers fit on `rows` lines that units share with them."""
    losses, containers = len(answers.site.losses or []), len(answers.site.containers or [])
    most = max(1, rows // 5)
    if rows < 8:
        return min(losses, 1), 0
    return min(losses, most), min(containers, most)


def _unit_rows(answers: Answers, rows: int) -> int:
    losses, containers = _shares(answers, rows)
    advice = len(_advice(answers, _advice_rows(rows)))
    # Each part has a line with its names.
    return max(1, rows - losses - containers - (losses > 0) - (containers > 0) - 1 - advice)


def _body(view: View, answers: Answers, columns: int, rows: int | None) -> Iterable[Text]:
    site = answers.site
    losses, containers = site.losses or [], sorted(site.containers or [], key=_worst)
    shown = (len(losses), len(containers)) if rows is None else _shares(answers, rows)
    units = answers.units.units if rows is None else answers.units.units[: _unit_rows(answers, rows)]
    advice = _advice(answers, len(REASONS) if rows is None else _advice_rows(rows))
    yield from _losses(losses[: shown[0]], len(losses) - shown[0], columns)
    yield from _containers(containers[: shown[1]], len(containers) - shown[1], columns)
    yield from (line(words, columns, "bold") for words in advice)
    yield from _units(view, answers, units, columns)


def _advice(answers: Answers, most: int) -> list[str]:
    """Return what to check first for the reasons that most units have, as ``check power: no answer (107 units)``."""
    figures = answers.site.figures
    counts = sorted((figures.units_by_reason if figures else {}).items(), key=lambda item: -item[1])
    known = [(REASONS[Reason(name)], units) for name, units in counts if name in set(Reason)]
    asked = [(meaning, units) for meaning, units in known if _asks_for_a_look(meaning)]
    return [f"{meaning.words} ({units_text(units)}): check {meaning.check_first}" for meaning, units in asked[:most]]


def _asks_for_a_look(meaning: Meaning) -> bool:
    return meaning is not REASONS[Reason.MAINTENANCE] and not meaning.check_first.startswith("nothing")


def _advice_rows(rows: int) -> int:
    """Return how many lines of advice fit on `rows` lines that units share with them."""
    return 0 if rows < 10 else 1 if rows < 19 else 2


def _worst(each: Container) -> float:
    return each.figures.operating_hs - each.figures.deployed_hs


def _losses(lines: Sequence[LossLine], left: int, columns: int) -> Iterable[Text]:
    if not lines:
        return
    table = (Column("lost", 11, is_number=True), Column("share", 7, is_number=True), Column("loss", 0))
    yield header(table, columns, f"and {left} more" if left > 0 else "")
    for each in lines:
        cells = (hashrate_text(each.hashrate_hs), ratio_text(each.deployed_share_ratio, 1), visible(_loss_words(each)))
        yield row(table, cells, columns)


def _loss_words(loss: LossLine) -> str:
    """Return ``stopped (asleep): 9 units, 4 in C2, 3 in C3``."""
    # The sentence begins with a hashrate of two words, and ends with times that the units' own rows have.
    words = loss.words.split(" ", 2)[-1].partition(": ")[0]
    places = "".join(f", {place.units:,} in {place.container}" for place in loss.places if place.container)
    return f"{words}: {units_text(loss.units)}{places}"


def _containers(containers: Sequence[Container], left: int, columns: int) -> Iterable[Text]:
    if not containers:
        return
    table = (
        Column("container", 12),
        Column("operating", 11, is_number=True),
        Column("deployed", 11, is_number=True),
        Column("share", 8, is_number=True),
        Column("not hashing", 0),
    )
    yield header(table, columns, f"and {left} more" if left > 0 else "")
    for each in containers:
        figures = each.figures
        others = [
            f"{units:,} {state}" for state, units in figures.units_by_state.items() if units and state != "hashing"
        ]
        words = ", ".join(others) or "all hash"
        cells = (
            visible(each.container) or ABSENT,
            hashrate_text(figures.operating_hs),
            hashrate_text(figures.deployed_hs),
            ratio_text(figures.operational_efficiency_ratio),
            f"DARK: {words}" if is_dark(figures) else words,
        )
        yield row(table, cells, columns, "bold red" if is_dark(figures) else "")


def _units(view: View, answers: Answers, units: Sequence[Unit], columns: int) -> Iterable[Text]:
    is_wide = columns >= WIDE_COLUMNS
    longest = max((cell_len(each.unit_id) for each in units), default=4)
    table = (
        Column("unit", min(max(longest, 4), columns // 3)),
        *((Column("address", 15),) if is_wide else ()),
        Column("place", 14 if is_wide else 10),
        *((Column("model", 10),) if is_wide else ()),
        Column("hashrate", 11, is_number=True),
        Column("short", 7, is_number=True),
        Column("why", 0),
    )
    first, total = answers.units.offset, answers.units.total
    span = f"{first + 1:,} to {first + len(units):,} of {total:,}" if units else "none"
    yield header(table, columns, f"{span}, by {view.order}")
    if not units:
        yield line("no unit fits the filters; x shows all", columns)
    for unit in units:
        share = unit.shortfall_hs / unit.nameplate_hs if unit.shortfall_hs is not None and unit.nameplate_hs else None
        cells = {
            "unit": visible(unit.unit_id),
            "address": visible(unit.host),
            "place": visible(" ".join(part for part in (unit.container, _rack(unit), unit.slot) if part)),
            "model": visible(unit.model),
            "hashrate": hashrate_text(unit.hashrate_hs),
            "short": ratio_text(share, 1),
            "why": visible(_why(unit)),
        }
        yield row(table, tuple(cells[column.name] for column in table), columns, _colour(unit))


def _rack(unit: Unit) -> str:
    """Return the rack's name without the container's, which stands before it."""
    rest = unit.rack.removeprefix(unit.container)
    return (
        rest[1:] if unit.container and rest != unit.rack and rest[:1] in set("-_./ ") and len(rest) > 1 else unit.rack
    )


def _why(unit: Unit) -> str:
    if unit.state is None:
        return "not asked yet"
    why = unit.why or ""
    words = why if why.startswith(unit.state) else f"{unit.state}: {why}" if why else unit.state
    since = f" for {duration_text(unit.state_age_s)}" if unit.state not in {"hashing", "maintenance"} else ""
    late = "not asked lately; " if unit.is_overdue else ""
    return f"{late}{words}{since if unit.state_age_s is not None else ''}{''.join(f'; {each}' for each in unit.also)}"


def _colour(unit: Unit) -> str:
    if unit.state in {"unreachable", "unreadable", "stopped"}:
        return "red"
    if unit.state in {"curtailed", "maintenance", "starting"}:
        return "cyan"
    return "yellow" if unit.shortfall_hs and unit.shortfall_hs > 0.1 * unit.nameplate_hs else ""


def _footer(view: View, columns: int, rows: int | None) -> list[Text]:
    if rows is None:
        return []
    if view.typed is not None:
        return [line(f"/{view.typed}_   Enter searches, Esc drops it", columns - 1, "reverse")]
    query = view.query
    cause = None if query.cause is None else CAUSE_WORDS[query.cause]
    filters = [str(each) for each in (query.container, cause, query.state) if each]
    filters += [f'"{query.text}"'] if query.text else []
    parts = ["PAUSED"] if view.is_paused else []
    parts += [f"only {', '.join(filters)} (x: all)"] if filters else []
    parts.append("h help  q quit  s order  l loss  c container  t state  / find  p pause")
    return [line(visible("  ".join(parts)), columns - 1, "reverse")]
