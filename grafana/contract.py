"""A lint of the metric contract, and the page that shows it.

`promtool check metrics` lets ``_terahashes``, ``_percent``, ``_milliwatts`` and a label called ``type`` pass (promtool
2.42, tried); these rules do not. They are those of Prometheus' guides on naming and writing exporters, and this
project's vocabulary.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from agent.exporters.prometheus.store import ContractRow, contract
from agent.exporters.prometheus.unit_families import BOARDS_SHOWN, FANS_SHOWN, SERIES_PER_UNIT
from agent.site.status import Cause, UnitState

# What a name may end in, its kind's suffix apart: a base unit, what is counted in the plural, or what is 0 or 1.
UNITS = (
    *("hashes_per_second", "watts", "joules", "celsius", "rpm", "hertz", "seconds", "bytes", "ratio"),
    # The one exception to base units: the field's own word, and an intensity that nobody adds up.
    "j_per_th",
)
COUNTED = (
    *("units", "chips", "polls", "repairs", "shares", "errors", "readings", "changes", "checks", "messages"),
    *("connections", "alive", "in_flight", "pending", "written", "dropped", "skipped", "stragglers", "restored"),
    *("accepted", "rejected"),
)
FLAGS = ("up", "active", "successful", "state", "kept", "changed", "connected", "silent", "build")
# Somebody's habit and no base unit, wherever it stands in a name.
HABITS = re.compile(
    r"(?:^|_)((?:giga|tera|peta|exa)\w*|[gtpe]hs?|percent\w*|pct|milli\w*|micro\w*|kilo\w*|mega\w*|kwh?|mw|minutes|hours"
    r"|days|fahrenheit|kelvin|[kmg]hz|[kmg]b|efficiency)(?:_|$)"
)
# "Efficiency" alone means two things here; with its first word it means one.
NAMED = ("operational_efficiency", "energy_efficiency", "j_per_th")
SUFFIX_OF_KIND: Mapping[str, str] = {"counter": "_total", "info": "_info"}
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

# The first that fits says whose number it is, and the labels it begins with.
LEVELS: Mapping[str, tuple[str, ...]] = {
    "mining_site_": ("site",),
    "mining_container_": ("site", "container"),
    "mining_rack_": ("site", "container", "rack"),
    "mining_model_": ("site", "model"),
    "miner_agent_": (),
    "miner_": ("site", "container", "unit"),
}
# Names from the ledger or the configuration, and closed lists.
LABELS = frozenset(
    {
        *("site", "container", "rack", "model", "unit", "board", "fan", "meter", "broker", "kind", "state", "cause"),
        *("source", "result", "reason", "why", "repair", "scope", "window", "standing", "version"),
    }
)
# What changes only when a machine is touched: in info metrics alone. A message, a URL or a user is nowhere.
INFO_LABELS = frozenset({"slot", "host", "firmware", "serial", "mac", "dialect", "cooling", "simulated"})

HELP_CHARS = range(20, 261)

# How many series of one family a unit can have at most, by its last label.
UNIT_SERIES: Mapping[str, int] = {
    "board": BOARDS_SHOWN,
    "fan": FANS_SHOWN,
    "state": 1,
    "source": 1,
    "result": 3,
    # Curtailed in part, chips, derated, underperforming. A missing board gives one and takes one: nothing on it has a
    # temperature.
    "cause": 4,
}
# And a group of units.
GROUP_SERIES: Mapping[str, int] = {
    "state": len(UnitState),
    "cause": len(Cause),
    "source": 3,
    "window": 2,
    "standing": 4,
}
# As measured: the fullest level is the site. A hundred containers then are 6,000 series, a unit and a half each.
SERIES_PER_GROUP = 72
EXCEPTIONS: Mapping[str, str] = {
    "mining_site_units_by_standing": "the plain name is taken by the states; a unit has one of each",
    "miner_address_changed": "rare, and joined by unit; where the unit now stands is what is not sure",
}


def families() -> tuple[ContractRow, ...]:
    """Give the contract as it stands."""
    return contract()


def lint(rows: Iterable[ContractRow]) -> list[str]:
    """Give every mistake in a contract, each with the name of its family."""
    rows = tuple(rows)
    mistakes = [f"{row.name}: {what}" for row in rows for what in _row_mistakes(row) if row.name not in EXCEPTIONS]
    mistakes += [f"{name}: told twice" for name in _repeated(row.name for row in rows)]
    mistakes += [f"help told twice: {text}" for text in _repeated(row.help for row in rows)]
    known = {row.name for row in rows}
    for name in EXCEPTIONS:
        row = next((row for row in rows if row.name == name), None)
        if name not in known or row is None or not list(_row_mistakes(row)):
            mistakes.append(f"{name}: an exception that nothing needs")
    return [*mistakes, *_budget_mistakes(rows)]


def _row_mistakes(row: ContractRow) -> Iterator[str]:
    for check in (_name_mistakes, _suffix_mistakes, _help_mistakes, _label_mistakes):
        yield from check(row)


def _name_mistakes(row: ContractRow) -> Iterator[str]:
    if not NAME.fullmatch(row.name):
        yield "a name is lower-case words with single underscores"
    if _level(row) is None:
        yield f"the prefix says whose number it is: {', '.join(LEVELS)}"
    stem = row.name
    for word in NAMED:
        stem = stem.replace(word, "")
    habit = HABITS.search(stem)
    if habit:
        yield f"{habit[1]!r} is no base unit or says too little"
    if "_by_" in row.name:
        yield "what it is split by is told by its labels"


def _suffix_mistakes(row: ContractRow) -> Iterator[str]:
    expected = SUFFIX_OF_KIND.get(row.kind, "")
    for kind, suffix in SUFFIX_OF_KIND.items():
        if row.name.endswith(suffix) != (expected == suffix):
            yield f"a name ends in {suffix} exactly when it is a {kind}; this is a {row.kind}"
    stem = row.name.removesuffix(expected)
    allowed = (*UNITS, *COUNTED, *FLAGS)
    if row.kind != "info" and not stem.endswith(tuple(f"_{word}" for word in allowed)):
        yield "a name ends in a base unit, in what is counted, or in what is true"
    if "timestamp" in row.name and not row.name.endswith("_timestamp_seconds"):
        yield "a moment ends in _timestamp_seconds"


def _help_mistakes(row: ContractRow) -> Iterator[str]:
    if len(row.help) not in HELP_CHARS:
        yield f"help has {HELP_CHARS.start} to {HELP_CHARS.stop - 1} characters; this has {len(row.help)}"
    if not row.help.endswith(".") or not (row.help[:1].isupper() or row.help[:1].isdigit()):
        yield "help is a sentence: a capital or a digit first, a full stop last"
    if not row.help.isprintable():
        yield "help is one line"


def _label_mistakes(row: ContractRow) -> Iterator[str]:
    level = _level(row)
    first = LEVELS.get(level or "", ())
    if row.labels[: len(first)] != first:
        yield f"its labels begin with {', '.join(first)}"
    if len(set(row.labels)) < len(row.labels):
        yield "a label stands there twice"
    allowed = LABELS | INFO_LABELS if row.kind == "info" else LABELS
    for label in row.labels:
        if label not in allowed:
            yield f"label {label!r} is not in the list of bounded ones"
    if level == "miner_agent_" and row.kind != "info" and {"site", "unit"} & set(row.labels):
        yield "the agent's own series tell its site in miner_agent_build_info alone, and no unit"


def _level(row: ContractRow) -> str | None:
    return next((level for level in LEVELS if row.name.startswith(level)), None)


def _budget_mistakes(rows: Iterable[ContractRow]) -> Iterator[str]:
    for level, series in series_budgets(rows).items():
        most = SERIES_PER_UNIT if level == "miner_" else SERIES_PER_GROUP
        if series > most:
            yield f"{level}*: up to {series} series each; the budget is {most}"


def series_budgets(rows: Iterable[ContractRow]) -> dict[str, int]:
    """Give how many series one unit, and one group of each level, can have at most."""
    rows = tuple(rows)
    budgets: dict[str, int] = {}
    for level, first in LEVELS.items():
        if not first:
            continue
        counts = UNIT_SERIES if level == "miner_" else GROUP_SERIES
        own = [row for row in rows if _level(row) == level and row.name not in EXCEPTIONS]
        budgets[level] = sum(_series(row, first, counts) for row in own)
    # No machine has both fans and a fourth board (models.csv): the smaller of the two is not counted.
    boards, fans = (sum(row.labels[-1:] == (label,) for row in rows) for label in ("board", "fan"))
    budgets["miner_"] -= min(boards, fans * FANS_SHOWN)
    return budgets


def _series(row: ContractRow, first: tuple[str, ...], counts: Mapping[str, int]) -> int:
    if row.kind == "info":
        return 1
    series = 1
    for label in row.labels[len(first) :]:
        series *= counts.get(label, 1)
    return series


def _repeated(words: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for word in words:
        if word in seen:
            twice[word] = None
        seen.add(word)
    return list(twice)


_CHAPTERS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    (
        "Groups: site, container, rack, model",
        "Sums that can be added up further, over containers, shards and sites; what cannot says so.",
        lambda name: name.startswith("mining_"),
    ),
    (
        "The agent itself",
        "How polling, scraping, history and MQTT are doing. The process' own series (`process_*`) come beside them.",
        lambda name: name.startswith("miner_agent_"),
    ),
    (
        "Units",
        (
            f"At most {SERIES_PER_UNIT} series a unit. What a unit does not tell, or told too long ago, is absent; zero"
            " is a measured zero. A unit that does not answer keeps `miner_up` 0, its state and its nameplate."
        ),
        lambda name: not name.startswith(("mining_", "miner_agent_")),
    ),
)


def page() -> str:
    """Give the text of ``grafana/METRICS.md``."""
    rows = families()
    lines = [
        "# Metrics",
        "",
        "What an agent exports, as `hashsight metrics` prints it. `python -m grafana.generated --write` writes this.",
        "A name that is here stays: renaming one is a breaking change.",
        "",
        "`GET /metrics` has all of it, `GET /metrics/site` all but the units. Rules over it are in `rules/`.",
    ]
    for title, about, belongs in _CHAPTERS:
        lines += ["", f"## {title}", "", about, "", "| Metric | Kind | Labels | |", "|---|---|---|---|"]
        lines += [
            f"| `{row.name}` | {row.kind} | {' '.join(row.labels)} | {row.help.replace('|', chr(92) + '|')} |"
            for row in rows
            if belongs(row.name)
        ]
    return "\n".join(lines) + "\n"
