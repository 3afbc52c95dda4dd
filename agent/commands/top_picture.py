"""Pictures of `hashsight top`: the view as lines of text for a terminal of any size. No I/O."""

from collections import Counter
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from rich.text import Text

from agent.commands.machine_output import visible
from agent.commands.top_answers import Answers, Container, Group, LossLine, Owner
from agent.commands.top_state import View
from agent.commands.top_table import NARROW_COLUMNS, Column, cut, header, line, row
from agent.commands.top_units import unit_lines
from agent.site.reasons import REASONS, Meaning, Reason
from agent.site.status import EXPLAINING_CAUSES, Cause
from agent.text.losses import CAUSE_WORDS, units_text
from agent.text.numbers import ABSENT, SURE_COVERAGE_RATIO, duration_text, hashrate_text, ratio_text, watts_text

LEAST_COLUMNS, LEAST_ROWS = 40, 8
DARK_BELOW_RATIO = 0.1
LEAST_UNITS_DARK = 4
LEAST_ROWS_WITH_OWNERS = 20
KEYS = "h help  q quit  s order  l loss  c container  t state  / find  p pause"
HELP = (
    "s      next order: worst, shortfall, place, since, hashrate, celsius, unit",
    "r      the other way round",
    "l      only units with the next loss, largest first",
    "c      only units of the next container",
    "o      only units of the next owner, where the ledger names any",
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
    # Rows beyond the last one would scroll the first away.
    above = [*head, *body] if rows is None else [*head, *body][: rows - 1]
    lines = [*above, *_footer(view, columns, rows)]
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
    yield line(_second(view, answers, figures, columns, clock_s), columns, "dim")
    for words in _warnings(answers, figures):
        yield line(words, columns, "bold yellow")


def _headline(name: str, figures: Group, columns: int, *, is_doubted: bool) -> Text:
    ratio = figures.operational_efficiency_ratio
    rates = f"{hashrate_text(figures.operating_hs)} of {hashrate_text(figures.deployed_hs)}"
    text = Text(f"{name}: ", "bold")
    is_sure = _is_sure(figures)
    colour = "yellow" if not is_sure or ratio is None else "green" if ratio > 0.9 else "red"
    text.append(f"{ratio_text(ratio)}", "" if is_doubted else f"bold {colour}")
    text.append(f"  {rates}", "bold")
    if columns >= NARROW_COLUMNS:
        text.append(f"  {_known_text(figures)}", "bold")
    return cut(text, columns)


def _is_sure(figures: Group) -> bool:
    return figures.coverage_ratio is not None and figures.coverage_ratio >= SURE_COVERAGE_RATIO


def _known_text(figures: Group) -> str:
    known = f"coverage {ratio_text(figures.coverage_ratio, 1)}"
    doubt = figures.operational_efficiency_ratio is not None and not _is_sure(figures)
    return f"{known}  as far as is known" if doubt else known


def _second(view: View, answers: Answers, figures: Group, columns: int, clock_s: float) -> str:
    site = answers.site
    parts = [_known_text(figures)] if columns < NARROW_COLUMNS else []
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
    if figures.units < LEAST_UNITS_DARK or figures.operational_efficiency_ratio is None:
        return False
    # Units on their way into a curtailment or out of it start again; the alerts wait for them too.
    is_restoring = figures.curtailment_nameplate_hs > 0 or figures.units_by_reason.get(Reason.WAKING, 0) > 0
    starting_hs = figures.losses_hs.get(Cause.STARTING, 0.0) if is_restoring else 0.0
    return figures.operating_hs + _explained_hs(figures) + starting_hs < DARK_BELOW_RATIO * figures.deployed_hs


def _shares(answers: Answers, rows: int) -> tuple[int, int, int]:
    """Return how many losses, containers and owners fit on `rows` lines that units share with them."""
    site = answers.site
    losses, containers, owners = (len(each or []) for each in (site.losses, site.containers, site.owners))
    if rows < 8:
        return min(losses, 1), 0, 0
    most = max(1, rows // (6 if owners else 5))
    return min(losses, most), min(containers, most), min(owners, most) if rows >= LEAST_ROWS_WITH_OWNERS else 0


def _unit_rows(answers: Answers, rows: int) -> int:
    shares = _shares(answers, rows)
    advice = len(_advice(answers, _advice_rows(rows)))
    # Each part has a line with its names.
    return max(1, rows - sum(shares) - sum(1 for share in shares if share) - 1 - advice)


def _body(view: View, answers: Answers, columns: int, rows: int | None) -> Iterable[Text]:
    site = answers.site
    losses, containers = site.losses or [], sorted(site.containers or [], key=_worst)
    owners = sorted(site.owners or [], key=_worst)
    shown = (len(losses), len(containers), len(owners)) if rows is None else _shares(answers, rows)
    units = answers.units.units if rows is None else answers.units.units[: _unit_rows(answers, rows)]
    advice = _advice(answers, len(REASONS) if rows is None else _advice_rows(rows))
    yield from _losses(losses[: shown[0]], len(losses) - shown[0], columns)
    named = [(each.container, each.figures) for each in containers[: shown[1]]]
    yield from _groups("container", named, len(containers) - shown[1], columns)
    named = [(each.owner, each.figures) for each in owners[: shown[2]]]
    yield from _groups("owner", named, len(owners) - shown[2], columns)
    yield from (line(words, columns, "bold") for words in advice)
    yield from unit_lines(view, answers, units, columns)


def _advice(answers: Answers, most: int) -> list[str]:
    """Return what to check first for the reasons that most units have, as ``check power: no answer (107 units)``."""
    figures = answers.site.figures
    units_by_reason = Counter(figures.units_by_reason if figures else {})
    for loss in answers.site.losses or ():
        if loss.cause in EXPLAINING_CAUSES:
            units_by_reason -= Counter(loss.reasons)
    counts = sorted(units_by_reason.items(), key=lambda item: -item[1])
    known = [(REASONS[Reason(name)], units) for name, units in counts if name in set(Reason)]
    asked = [(meaning, units) for meaning, units in known if _asks_for_a_look(meaning)]
    return [f"{meaning.words} ({units_text(units)}): check {meaning.check_first}" for meaning, units in asked[:most]]


def _asks_for_a_look(meaning: Meaning) -> bool:
    return meaning is not REASONS[Reason.MAINTENANCE] and not meaning.check_first.startswith("nothing")


def _advice_rows(rows: int) -> int:
    """Return how many lines of advice fit on `rows` lines that units share with them."""
    return 0 if rows < 10 else 1 if rows < 19 else 2


def _worst(each: Container | Owner) -> float:
    return each.figures.operating_hs + _explained_hs(each.figures) - each.figures.deployed_hs


def _explained_hs(figures: Group) -> float:
    return sum(figures.losses_hs.get(cause, 0.0) for cause in EXPLAINING_CAUSES)


def _losses(lines: Sequence[LossLine], left: int, columns: int) -> Iterable[Text]:
    if not lines:
        return
    table = (
        Column("lost", 11, is_number=True),
        *(() if columns < NARROW_COLUMNS else (Column("share", 7, is_number=True),)),
        Column("loss", 0),
    )
    yield header(table, columns, f"and {left} more" if left > 0 else "")
    for each in lines:
        cells = {
            "lost": hashrate_text(each.hashrate_hs),
            "share": ratio_text(each.deployed_share_ratio, 1),
            "loss": visible(_loss_words(each)),
        }
        yield row(table, tuple(cells[column.name] for column in table), columns)


def _loss_words(loss: LossLine) -> str:
    """Return ``stopped (asleep): 9 units, 4 in C2, 3 in C3``."""
    # The sentence begins with a hashrate of two words, and ends with times that the units' own rows have.
    words = loss.words.split(" ", 2)[-1].partition(": ")[0]
    if not loss.units:
        return f"{words}: units that changed since these figures"
    places = "".join(f", {place.units:,} in {place.container}" for place in loss.places if place.container)
    return f"{words}: {units_text(loss.units)}{places}"


def _groups(kind: str, groups: Sequence[tuple[str, Group]], left: int, columns: int) -> Iterable[Text]:
    if not groups:
        return
    table = (
        Column(kind, 12),
        *(Column(name, 11, is_number=True) for name in ("operating", "deployed") if columns >= NARROW_COLUMNS),
        Column("share", 8, is_number=True),
        Column("not hashing", 0),
    )
    yield header(table, columns, f"and {left} more" if left > 0 else "")
    for name, figures in groups:
        # A container is dark; an owner's units are off, each where it stands.
        has_gone_dark = kind == "container" and is_dark(figures)
        others = [
            f"{units:,} {state}" for state, units in figures.units_by_state.items() if units and state != "hashing"
        ]
        words = ", ".join(others) or "all hash"
        cells = {
            kind: visible(name) or ABSENT,
            "operating": hashrate_text(figures.operating_hs),
            "deployed": hashrate_text(figures.deployed_hs),
            "share": ratio_text(figures.operational_efficiency_ratio),
            "not hashing": f"DARK: {words}" if has_gone_dark else words,
        }
        yield row(table, tuple(cells[column.name] for column in table), columns, "bold red" if has_gone_dark else "")


def _footer(view: View, columns: int, rows: int | None) -> list[Text]:
    if rows is None:
        return []
    if view.typed is not None:
        return [line(f"/{view.typed}_   Enter searches, Esc drops it", columns - 1, "reverse")]
    query = view.query
    cause = None if query.cause is None else CAUSE_WORDS[query.cause]
    filters = [str(each) for each in (query.container, query.owner, cause, query.state) if each]
    filters += [f'"{query.text}"'] if query.text else []
    parts = ["PAUSED"] if view.is_paused else []
    parts += [f"only {', '.join(filters)} (x: all)"] if filters else []
    parts.append(KEYS)
    return [line(visible("  ".join(parts)), columns - 1, "reverse")]
