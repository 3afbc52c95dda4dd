"""A lint of the metric contract, and the METRICS.md page.

`promtool check metrics` (2.42) accepts ``_terahashes``, ``_percent``, ``_milliwatts`` and a label called ``type``;
these rules do not. They follow Prometheus' guides on naming and on writing exporters, and this project's vocabulary.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from agent.exporters.prometheus.store import ContractRow, contract
from agent.exporters.prometheus.unit_families import BOARDS_SHOWN, FANS_SHOWN, SERIES_PER_UNIT
from agent.site.pools.work import PoolClass
from agent.site.status import Cause, UnitState

# Allowed last words of a name, before the suffix of its kind: a base unit, a counted plural, or a 0/1 flag.
UNITS = (
    *("hashes_per_second", "watts", "joules", "celsius", "rpm", "hertz", "seconds", "bytes", "ratio"),
    # The one exception to base units: the field's own term, and an intensity that is never summed.
    "j_per_th",
)
COUNTED = (
    *("units", "chips", "polls", "repairs", "shares", "errors", "readings", "changes", "checks", "messages"),
    *("connections", "alive", "in_flight", "pending", "written", "dropped", "skipped", "stragglers", "restored"),
    *("accepted", "rejected", "set_aside", "standstills", "takeovers", "replacements", "machines", "looks", "fields"),
    *("links", "doubts"),
)
FLAGS = ("up", "active", "successful", "state", "reason", "kept", "changed", "connected", "silent", "build")
# Units in common use that are not base units, anywhere in a name.
HABITS = re.compile(
    r"(?:^|_)((?:giga|tera|peta|exa)\w*|[gtpe]hs?|percent\w*|pct|milli\w*|micro\w*|kilo\w*|mega\w*|kwh?|mw|minutes|hours"
    r"|days|fahrenheit|kelvin|[kmg]hz|[kmg]b|efficiency)(?:_|$)"
)
# Bare "efficiency" is ambiguous here; these terms are not.
NAMED = ("operational_efficiency", "energy_efficiency", "j_per_th")
SUFFIX_OF_KIND: Mapping[str, str] = {"counter": "_total", "info": "_info"}
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

# The first matching prefix says what the number belongs to, and which labels come first.
LEVELS: Mapping[str, tuple[str, ...]] = {
    "mining_site_": ("site",),
    "mining_container_": ("site", "container"),
    "mining_rack_": ("site", "container", "rack"),
    "mining_model_": ("site", "model"),
    "mining_pool_": ("site", "pool_account"),
    "mining_owner_": ("site", "owner"),
    "mining_history_": ("site",),
    "miner_agent_": (),
    "miner_": ("site", "container", "unit"),
}
# Names from the ledger or the configuration, and closed lists.
LABELS = frozenset(
    {
        *("site", "container", "rack", "model", "unit", "board", "fan", "meter", "broker", "kind", "state", "cause"),
        *("source", "result", "reason", "why", "repair", "scope", "window", "standing", "version", "role"),
        *("reader", "make", "owner", "class", "pool", "pool_account"),
    }
)
# Labels of info metrics only: they change only when a machine is touched. Messages, URLs and users are never labels.
INFO_LABELS = frozenset({"slot", "host", "firmware", "serial", "mac", "dialect", "cooling", "simulated", "url"})

HELP_CHARS = range(20, 261)

# Most series of one family per unit, by its last label.
UNIT_SERIES: Mapping[str, int] = {
    "board": BOARDS_SHOWN,
    "fan": FANS_SHOWN,
    "state": 1,
    "source": 1,
    "result": 3,
    # Partly curtailed, missing chips, derated, underperforming. A missing board adds one series and removes one: it has
    # no temperature.
    "cause": 4,
    # A unit that is partly curtailed has no reason here.
    "reason": 0,
}
# Most series of one family per group of units, by label.
GROUP_SERIES: Mapping[str, int] = {
    "state": len(UnitState),
    "cause": len(Cause),
    "source": 3,
    "window": 2,
    "standing": 4,
    "reason": 2,
    "class": len(PoolClass),
    "pool": 2,
}
# Measured at the site, the level with most series. A hundred containers are at most 7,300 series.
SERIES_PER_GROUP = 87
EXCEPTIONS: Mapping[str, str] = {
    "mining_history_chain_check": "a fingerprint, which is compared and never computed with",
    "mining_site_units_by_standing": "the plain name is taken by the states; a unit has one state and one standing",
    "miner_address_changed": "rare, and joined by unit; its current place is uncertain",
    "miner_model_mismatch": "rare, and joined by unit",
}


def families() -> tuple[ContractRow, ...]:
    """Return the current contract."""
    return contract()


def lint(rows: Iterable[ContractRow]) -> list[str]:
    """Return every mistake in a contract, each with the name of its family."""
    rows = tuple(rows)
    mistakes = [
        f"{row.name}: {mistake}" for row in rows for mistake in _row_mistakes(row) if row.name not in EXCEPTIONS
    ]
    mistakes += [f"{name}: declared twice" for name in _repeated(row.name for row in rows)]
    mistakes += [f"help used twice: {text}" for text in _repeated(row.help for row in rows)]
    known = {row.name for row in rows}
    for name in EXCEPTIONS:
        row = next((row for row in rows if row.name == name), None)
        if name not in known or row is None or not list(_row_mistakes(row)):
            mistakes.append(f"{name}: an unneeded exception")
    return [*mistakes, *_budget_mistakes(rows)]


def _row_mistakes(row: ContractRow) -> Iterator[str]:
    for check in (_name_mistakes, _suffix_mistakes, _help_mistakes, _label_mistakes):
        yield from check(row)


def _name_mistakes(row: ContractRow) -> Iterator[str]:
    if not NAME.fullmatch(row.name):
        yield "a name is lower-case words with single underscores"
    if _level(row) is None:
        yield f"a name begins with one of: {', '.join(LEVELS)}"
    stem = row.name
    for word in NAMED:
        stem = stem.replace(word, "")
    habit = HABITS.search(stem)
    if habit:
        yield f"{habit[1]!r} is not a base unit, or is ambiguous"
    if "_by_" in row.name:
        yield "labels say what it is split by, not the name"


def _suffix_mistakes(row: ContractRow) -> Iterator[str]:
    expected = SUFFIX_OF_KIND.get(row.kind, "")
    for kind, suffix in SUFFIX_OF_KIND.items():
        if row.name.endswith(suffix) != (expected == suffix):
            yield f"a name ends in {suffix} exactly when its kind is {kind}; this is a {row.kind}"
    stem = row.name.removesuffix(expected)
    allowed = (*UNITS, *COUNTED, *FLAGS)
    if row.kind != "info" and not stem.endswith(tuple(f"_{word}" for word in allowed)):
        yield "a name ends in a base unit, a counted plural or a flag"
    if "timestamp" in row.name and not row.name.endswith("_timestamp_seconds"):
        yield "a timestamp ends in _timestamp_seconds"


def _help_mistakes(row: ContractRow) -> Iterator[str]:
    if len(row.help) not in HELP_CHARS:
        yield f"help has {HELP_CHARS.start} to {HELP_CHARS.stop - 1} characters; this has {len(row.help)}"
    if not row.help.endswith(".") or not (row.help[:1].isupper() or row.help[:1].isdigit()):
        yield "help is a sentence: it starts with a capital or digit and ends with a full stop"
    if not row.help.isprintable():
        yield "help is one line"


def _label_mistakes(row: ContractRow) -> Iterator[str]:
    level = _level(row)
    first = LEVELS.get(level or "", ())
    if row.labels[: len(first)] != first:
        yield f"its labels begin with {', '.join(first)}"
    if len(set(row.labels)) < len(row.labels):
        yield "a label is repeated"
    allowed = LABELS | INFO_LABELS if row.kind == "info" else LABELS
    for label in row.labels:
        if label not in allowed:
            yield f"label {label!r} is not in the list of bounded labels"
    if level == "miner_agent_" and row.kind != "info" and {"site", "unit"} & set(row.labels):
        yield "the agent's own series have no unit label, and a site label only in miner_agent_build_info"


def _level(row: ContractRow) -> str | None:
    return next((level for level in LEVELS if row.name.startswith(level)), None)


def _budget_mistakes(rows: Iterable[ContractRow]) -> Iterator[str]:
    for level, series in series_budgets(rows).items():
        most = SERIES_PER_UNIT if level == "miner_" else SERIES_PER_GROUP
        if series > most:
            yield f"{level}*: up to {series} series each; the budget is {most}"


def series_budgets(rows: Iterable[ContractRow]) -> dict[str, int]:
    """Return the most series that one unit, and one group of each level, can have."""
    rows = tuple(rows)
    budgets: dict[str, int] = {}
    for level, first in LEVELS.items():
        if not first:
            continue
        counts = UNIT_SERIES if level == "miner_" else GROUP_SERIES
        own = [row for row in rows if _level(row) == level and row.name not in EXCEPTIONS]
        budgets[level] = sum(_series(row, first, counts) for row in own)
    # No machine has both fans and a fourth board (models.csv), so the smaller of the two is left out.
    boards, fans = (sum(1 for row in rows if row.labels[-1:] == (label,)) for label in ("board", "fan"))
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
        "Groups: site, container, rack, model, owner",
        "Sums that can be summed further over containers, shards and sites, unless their help says otherwise.",
        lambda name: name.startswith("mining_"),
    ),
    (
        "The agent itself",
        "Health of polling, scraping, history and MQTT. The process' own series (`process_*`) are exported too.",
        lambda name: name.startswith("miner_agent_"),
    ),
    (
        "Units",
        (
            f"At most {SERIES_PER_UNIT} series per unit, besides the two that only a unit unlike its row of the ledger "
            "has (`miner_address_changed`, `miner_model_mismatch`). A figure that is stale or not reported is absent; "
            "zero is a measured zero. A unit that does not answer keeps `miner_up` 0, its state and its nameplate."
        ),
        lambda name: not name.startswith(("mining_", "miner_agent_")),
    ),
)


def page() -> str:
    """Return the text of ``grafana/METRICS.md``."""
    rows = families()
    lines = [
        "# Metrics",
        "",
        "Every metric of an agent, as `hashsight metrics` prints it. Written by `python -m grafana.generated --write`.",
        "Renaming a metric is a breaking change.",
        "",
        "`GET /metrics` serves all of them, `GET /metrics/site` all but the units. Rules over them are in `rules/`.",
    ]
    for title, about, belongs in _CHAPTERS:
        lines += ["", f"## {title}", "", about, "", "| Metric | Kind | Labels | |", "|---|---|---|---|"]
        lines += [
            f"| `{row.name}` | {row.kind} | {' '.join(row.labels)} | {row.help.replace('|', chr(92) + '|')} |"
            for row in rows
            if belongs(row.name)
        ]
    return "\n".join(lines) + "\n"
