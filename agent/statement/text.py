"""A statement as text: a table for terminals, Markdown, and CSV for spreadsheets. Pure.

All hashrates of one statement have the same unit, so that a column can be added up by eye. It is the largest unit in
which deployed is at least 1. CSV is in base units and unrounded.
"""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import NamedTuple

import msgspec

from agent.history.export import csv_cell
from agent.site.status import Cause
from agent.statement.before import sentence
from agent.statement.figures import StatementFigures
from agent.statement.gates import PUBLISHED_WATCHED_RATIO
from agent.statement.nameplates import nameplate_lines
from agent.statement.notes import SIMULATED, span_text
from agent.statement.parts import titled
from agent.statement.period import local_text, utc_text
from agent.statement.statement import Statement
from agent.text.numbers import ABSENT, TARGET_RATIO, ratio_text

_PREFIXES = ((1e18, "EH/s"), (1e15, "PH/s"), (1e12, "TH/s"), (1e9, "GH/s"), (1e6, "MH/s"), (1e3, "kH/s"))
_ENERGY = ((3.6e15, "TWh"), (3.6e12, "GWh"), (3.6e9, "MWh"), (3.6e6, "kWh"))

WIDTH = 100


class Line(NamedTuple):
    """One line of the table.

    Attributes:
        name: Name of the figure; indented if it is a part of the line above.
        value: The figure with its unit.
        share: Share of mean deployed, or another ratio.
        note: A remark.
    """

    name: str
    value: str
    share: str = ""
    note: str = ""


class Scale:
    """The common unit of all hashrates of a statement.

    Args:
        largest_hs: The largest of them, H/s.

    Attributes:
        unit: Its name: ``EH/s``.
    """

    def __init__(self, largest_hs: float) -> None:
        self._factor, self.unit = next(
            ((factor, unit) for factor, unit in _PREFIXES if largest_hs >= factor * 0.999_995), (1.0, "H/s")
        )

    def __call__(self, hashrate_hs: float | None) -> str:
        """Return a hashrate with its unit; a dash for None."""
        return ABSENT if hashrate_hs is None else f"{self.number(hashrate_hs)} {self.unit}"

    def number(self, hashrate_hs: float, digits: int = 2) -> str:
        """Return a hashrate without its unit."""
        return f"{hashrate_hs / self._factor:.{digits}f}"


def scale_of(statement: Statement) -> Scale:
    """Return the unit of a statement's hashrates."""
    return Scale(max(statement.figures.deployed_hs, statement.figures.deployed_end_hs))


def title(statement: Statement) -> str:
    """Return the headline with sites and period."""
    sites = titled(", ".join(part.site for part in statement.parts), statement.parts[0].owner)
    zones = ", ".join(sorted({part.zone for part in statement.parts}))
    draft = "Draft statement" if statement.is_draft else "Statement"
    draft += " (lower bound)" if statement.figures.is_lower_bound else ""
    return f"{draft} of {sites}, {statement.period} ({statement.days} days, {zones})"


def lines(statement: Statement) -> Iterator[Line]:
    """Yield the figures in reading order."""
    figures = statement.figures
    hashrate = scale_of(statement)
    ends = [part.inputs.last_at for part in statement.parts]
    end = local_text(ends[0], statement.parts[0].zone) if len(ends) == 1 else "each site's last row"
    yield Line("Deployed at the end", hashrate(figures.deployed_end_hs), "", f"{figures.units_end:,.0f} units; {end}")
    units = f"{figures.units:,.1f} units"
    if hashrate(figures.deployed_hs) == hashrate(figures.deployed_whole_hs):
        yield Line("Deployed, mean", hashrate(figures.deployed_hs), ratio_text(1.0), units)
    else:
        yield Line("Deployed, mean", hashrate(figures.deployed_whole_hs), "", "over all the time, watched or not")
        yield Line("  while watched", hashrate(figures.deployed_hs), ratio_text(1.0), units)
    yield Line("Average operating", hashrate(figures.operating_hs), ratio_text(figures.operational_efficiency_ratio))
    yield Line(
        "Lost", hashrate(figures.lost_hs), ratio_text(figures.lost_ratio), "deployed - lost + uplift = operating"
    )
    for cause in sorted(Cause, key=lambda cause: -figures.losses_hs[cause]):
        if figures.losses_hs[cause]:
            name = f"  {cause.replace('_', ' ')}"
            yield Line(name, hashrate(figures.losses_hs[cause]), ratio_text(figures.losses_ratio[cause]))
    if figures.uplift_hs:
        net_hs = figures.lost_hs - figures.uplift_hs
        share = ratio_text(net_hs / figures.deployed_hs) if figures.deployed_hs else ABSENT
        yield Line("Uplift above nameplate", hashrate(figures.uplift_hs), ratio_text(figures.uplift_ratio))
        yield Line("Lost, less uplift", hashrate(net_hs), share, "deployed - operating")
    yield Line("Operating at the end", hashrate(figures.operating_end_hs), "", "a snapshot, not an average")
    yield Line("Operational efficiency", ratio_text(figures.operational_efficiency_ratio), "", verdict(statement))
    yield from _bounds(figures)
    yield Line("  over deployed at the end", ratio_text(figures.operational_efficiency_end_ratio))
    yield Line("  excluding curtailment", ratio_text(figures.operational_efficiency_excluding_curtailment_ratio))
    yield Line(
        "Coverage", ratio_text(figures.coverage_ratio), "", f"watched {ratio_text(figures.watched_ratio)} of the time"
    )
    # Zero means that there was no power figure: even a sleeping site powers its control boards.
    energy = _energy(figures.joules) if figures.joules else ABSENT
    yield Line("Energy", energy, "", "of the time that was watched")
    for source, joules in figures.joules_by_source.items():
        if joules:
            yield Line(f"  {source}", _energy(joules), ratio_text(joules / figures.joules))
    efficiency = figures.energy_efficiency_j_per_th
    yield Line(
        "Energy efficiency",
        ABSENT if efficiency is None else f"{efficiency:.2f} J/TH",
        "",
        f"over {ratio_text(figures.energy_coverage_ratio)} of deployed",
    )
    delivered = (
        "" if figures.delivered_hs is None else f"over {ratio_text(figures.delivered_coverage_ratio)} of deployed"
    )
    yield Line("Delivered to pools", hashrate(figures.delivered_hs), "", delivered)
    if figures.diverted_hs is not None:
        minutes = sum(part.mean.judged_s for part in statement.parts) / 60.0
        note = f"of operating; judged {minutes:,.0f} minutes, {ratio_text(figures.judged_ratio)} of the time watched"
        yield Line("Diverted to other pools", hashrate(figures.diverted_hs), ratio_text(figures.diverted_ratio), note)
    if figures.credited_hs is not None:
        covered = f"over {ratio_text(figures.credited_covered_ratio)} of the time"
        difference = _credited_difference(figures)
        yield Line("Credited by the pool", hashrate(figures.credited_hs), "", covered + difference)
    if figures.recovered_hs is not None:
        yield _recovered(statement, hashrate)
    yield Line("Reach uptime", ratio_text(figures.reach_uptime_ratio), "", "units answer")
    yield Line("Hashing uptime", ratio_text(figures.hashing_uptime_ratio), "", "units answer and hash")


def _recovered(statement: Statement, hashrate: Scale) -> Line:
    """Return the line of what units' counters prove of gaps: its mean over their time, and its share of deployed."""
    found = [part.recovered for part in statement.parts if part.recovered.facts]
    seconds, hashes = sum(each.seconds for each in found), sum(each.hashes for each in found)
    deployed, units = sum(each.deployed for each in found), sum(each.unit_seconds for each in found) / seconds
    of_units = sum(each.of_unit_seconds for each in found) / seconds
    note = f"over {span_text(seconds)} of gaps, by units' own counters; {units:,.0f} of {of_units:,.0f} units hashed"
    share = ratio_text(hashes / deployed if deployed else None)
    return Line("Recovered after gaps", hashrate(hashes / seconds), share, f"{note} through; not in the floor")


def _credited_difference(figures: StatementFigures) -> str:
    """Return how far credited is from operating; nothing where too little of either is known to compare them."""
    covered = min(figures.credited_covered_ratio or 0.0, figures.watched_ratio)
    if figures.credited_hs is None or not figures.operating_hs or covered < PUBLISHED_WATCHED_RATIO:
        return ""
    return f"; {100 * (figures.credited_hs / figures.operating_hs - 1):+.1f} % of operating"


def _bounds(figures: StatementFigures) -> Iterator[Line]:
    """Yield what stands beside the gross ratio: its bounds, and what it is without uplift."""
    floor, ceiling = figures.operational_efficiency_floor_ratio, figures.operational_efficiency_ceiling_ratio
    yield Line("  floor", ratio_text(floor), "", "unwatched time and unknown units as nothing")
    if figures.recovered_hs is not None:
        with_recovered = ratio_text(figures.operational_efficiency_floor_recovered_ratio)
        yield Line("  floor with recovered time", with_recovered, "", "decides nothing; see Recovered after gaps")
    yield Line("  ceiling", ratio_text(ceiling), "", "both as full nameplate")
    capped = ratio_text(figures.operational_efficiency_capped_ratio)
    capped_floor = ratio_text(figures.operational_efficiency_capped_floor_ratio)
    yield Line("  capped per unit", capped, "", f"no unit above its nameplate; floor {capped_floor}")
    own = figures.operational_efficiency_own_ratio
    if own is not None:
        own_floor = ratio_text(figures.operational_efficiency_own_floor_ratio)
        yield Line(
            "  by units' own word", ratio_text(own), "", f"of their nameplates, not their rows'; floor {own_floor}"
        )


def verdict(statement: Statement) -> str:
    """Return whether the floor is above the trade's line, in words."""
    figures = statement.figures
    if figures.is_above_target is None:
        return "nothing was deployed"
    # By the unrounded ratio: 89.996 % is shown as 90.00 % and is not above the line.
    line = f"{'above' if figures.is_above_target else 'not above'} the {ratio_text(TARGET_RATIO, 0)} line"
    capped = figures.operational_efficiency_capped_floor_ratio
    is_uplifted = figures.is_above_target and capped is not None and capped <= TARGET_RATIO
    own = figures.operational_efficiency_own_floor_ratio
    is_own_below = figures.is_above_target and own is not None and own <= TARGET_RATIO
    remarks = ("; not above it capped" if is_uplifted else "") + (
        "; not by the units' own word" if is_own_below else ""
    )
    return f"{line} by the floor, uplift netted{remarks}"


def _energy(joules: float) -> str:
    factor, unit = next(((factor, unit) for factor, unit in _ENERGY if joules >= factor), _ENERGY[-1])
    return f"{joules / factor:.2f} {unit}"


def before(statement: Statement) -> str:
    """Return the sentence on the period before; empty if history shows nothing of it."""
    if statement.before is None:
        return ""
    return sentence(statement.before, statement.figures, statement.parts, period=statement.period)


def gaps(statement: Statement) -> Iterator[str]:
    """Yield each listed gap, with its site, in words."""
    for part in statement.parts:
        for gap in part.unseen.gaps:
            begin, end = local_text(gap.start, part.zone), local_text(gap.end, part.zone)
            yield f"{part.site}: {begin} to {end}, {span_text(gap.seconds)}: {gap.reason}"


def nameplates(statement: Statement) -> Iterator[str]:
    """Yield the groups of units that contradict their rows, in words."""
    for part in statement.parts:
        yield from nameplate_lines(part.site, part.nameplates)


def _inputs(statement: Statement) -> Iterator[str]:
    for part in statement.parts:
        yield (
            f"{part.site}: {part.inputs.rows:,} rows,"
            f" {utc_text(part.inputs.first_at)} to {utc_text(part.inputs.last_at)},"
            f" sha256 {part.inputs.digest}"
        )


def _notes(statement: Statement, remarks: Sequence[str]) -> Iterator[str]:
    """Yield all there is to read before the figures; simulated units come first of all."""
    whole = (*statement.notes, *remarks)
    yield from (note for note in whole if note.startswith(SIMULATED))
    yield from (note for note in whole if not note.startswith(SIMULATED))


def table(statement: Statement, *, remarks: Sequence[str] = (), rest: Sequence[str] = ()) -> str:
    """Return the statement as plain text for a terminal.

    Args:
        statement: The statement.
        remarks: Those of its document, to stand among the notes.
        rest: What its figures rest on, in words.
    """
    shown = list(lines(statement))
    names, values, shares = (max(len(line[column]) for line in shown) for column in range(3))
    return "\n".join(
        (
            title(statement),
            *(f"! {note}" for note in _notes(statement, remarks)),
            "",
            *(
                f"{line.name:<{names}}  {line.value:>{values}}  {line.share:>{shares}}  {line.note}".rstrip()
                for line in shown
            ),
            "",
            *((*wrap(before(statement), WIDTH), "") if statement.before else ()),
            *(f"Gap of {gap}" for gap in gaps(statement)),
            *([""] if any(part.unseen.gaps for part in statement.parts) else []),
            *(f"Nameplates of {line}" for line in nameplates(statement)),
            *([""] if any(nameplates(statement)) else []),
            *(line for each in rest for line in wrap(each, WIDTH, subsequent_indent="  ", break_long_words=False)),
            *([""] if rest else []),
            *wrap(statement.method, WIDTH),
            "",
            *_inputs(statement),
            f"Computed {utc_text(statement.computed_at)}.",
            "",
        )
    )


def markdown(statement: Statement, *, remarks: Sequence[str] = (), rest: Sequence[str] = ()) -> str:
    """Return the statement as Markdown; arguments as of `table`."""
    return "\n".join(
        (
            f"# {title(statement)}",
            "",
            *(line for note in _notes(statement, remarks) for line in (f"> **{note}**", "")),
            "| | | of deployed | |",
            "|:--|--:|--:|:--|",
            *(
                f"| {line.name.replace('  ', '&emsp;')} | {line.value} | {line.share} | {line.note} |"
                for line in lines(statement)
            ),
            "",
            *((before(statement), "") if statement.before else ()),
            f"*Method.* {statement.method}",
            "",
            *(f"- Gap of {gap}" for gap in gaps(statement)),
            *(f"- Nameplates of {line}" for line in nameplates(statement)),
            *(f"- {line}" for line in rest),
            *(f"- {line}" for line in _inputs(statement)),
            f"- Computed {utc_text(statement.computed_at)}.",
            "",
        )
    )


def csv(statement: Statement, *, remarks: Sequence[str] = (), rest: Sequence[str] = ()) -> str:
    """Return every figure in base units, unrounded, one ``name,value`` a line; arguments as of `table`."""
    rows: list[tuple[str, object]] = [
        ("sites", " ".join(part.site for part in statement.parts)),
        *([("owner", owner)] if (owner := statement.parts[0].owner) is not None else []),
        ("period", statement.period),
        ("days", statement.days),
        ("is_draft", statement.is_draft),
        ("computed_at", utc_text(statement.computed_at)),
    ]
    for name in statement.figures.__struct_fields__:
        value = getattr(statement.figures, name)
        if isinstance(value, dict):
            rows += [(f"{name}.{key}", each) for key, each in value.items()]
        else:
            rows.append((name, value))
    for part in statement.parts:
        rows += [(f"digest.{part.site}", part.inputs.digest), (f"rows.{part.site}", part.inputs.rows)]
        if part.recovered.facts:
            recovered = msgspec.structs.asdict(part.recovered)
            rows += [(f"recovered.{part.site}.{name}", value) for name, value in recovered.items()]
    rows += [("gap", gap) for gap in gaps(statement)]
    rows += [("nameplates", line) for line in nameplates(statement)]
    rows += [("note", note) for note in _notes(statement, remarks)]
    rows += [("rests_on", line) for line in rest]
    return "name,value\n" + "".join(f"{name},{_cell(value)}\n" for name, value in rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return csv_cell(value)
    return repr(value)
