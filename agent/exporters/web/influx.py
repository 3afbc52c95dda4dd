"""The figures in InfluxDB's line protocol, for Telegraf and InfluxDB: ``/api/v1/influx``.

Source: docs.influxdata.com, "Line protocol": ``measurement,tag=value field=value timestamp``. A comma, a space and
an equals sign in a tag are escaped by a backslash; an empty tag is left out; a tag cannot hold a line break or end in
a backslash. Every number is a float, so that a field keeps one type for ever.

A figure that is not known has no field. While the figures cannot be trusted there is no line but the answer 503, so
that nothing is stored of that time.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from aiohttp import web

from agent.errors import QueryError
from agent.exporters.web.listener import BODIES
from agent.exporters.web.query_string import read_parameters
from agent.exporters.web.responses import error_response
from agent.exporters.web.site_answers import GroupAnswer, SiteAnswer, site_answer
from agent.exporters.web.source import SOURCE
from agent.exporters.web.threads import in_thread
from agent.exporters.web.unit_answers import UnitRow, unit_row

INFLUX = "/api/v1/influx"
UNIT_TAGS = ("container", "rack", "slot", "model")
UNIT_FIELDS = (
    "state",
    "reason",
    "is_fresh",
    "nameplate_hs",
    "hashrate_hs",
    "shortfall_hs",
    "power_watts",
    "power_source",
    "is_simulated",
)
_TAG_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\ ", "\r": r"\ "})
_TEXT_ESCAPES = str.maketrans({'"': r"\"", "\\": r"\\"})


def site_lines(answer: SiteAnswer) -> Iterator[str]:
    """Yield a line each for the site, its containers, owners, racks and models, at the moment of their figures.

    Args:
        answer: The site's figures; without figures there are no lines.
    """
    if answer.figures is None or answer.figures_at is None:
        return
    at, site = answer.figures_at, {"site": answer.site}
    of_site = {
        "delivered_1h_hs": answer.delivered_1h_hs,
        "delivered_24h_hs": answer.delivered_24h_hs,
        "joules_by_source": answer.joules_by_source,
        "simulated_units": answer.simulated_units,
        "is_simulated_counted": answer.is_simulated_counted,
    }
    yield _line("hashsight_site", site, _facts(answer.figures) | of_site, at)
    for container in answer.containers or ():
        tags = site | {"container": container.container}
        yield _line("hashsight_container", tags, _facts(container.figures), at)
    for owner in answer.owners or ():
        yield _line("hashsight_owner", site | {"owner": owner.owner}, _facts(owner.figures), at)
    for rack in answer.racks or ():
        tags = site | {"container": rack.container, "rack": rack.rack}
        yield _line("hashsight_rack", tags, _facts(rack.figures), at)
    for model in answer.models or ():
        yield _line("hashsight_model", site | {"model": model.model}, _facts(model.figures), at)


def unit_lines(site: str, rows: Iterable[UnitRow], at: datetime) -> Iterator[str]:
    """Yield a line for each unit that this run of the agent has looked at."""
    for row in rows:
        if row.state is None or row.is_restored:
            continue
        tags = {"site": site, "unit_id": row.unit_id} | {name: str(getattr(row, name)) for name in UNIT_TAGS}
        yield _line("hashsight_unit", tags, {name: getattr(row, name) for name in UNIT_FIELDS}, at)


def _facts(figures: GroupAnswer) -> dict[str, object]:
    return {name: getattr(figures, name) for name in figures.__struct_fields__}


def _line(measurement: str, tags: Mapping[str, str], facts: Mapping[str, object], at: datetime) -> str:
    fields = ",".join(f"{name}={text}" for name, value in facts.items() for name, text in _fields(name, value))
    labels = "".join(f",{name}={_tag(value)}" for name, value in tags.items() if value)
    nanoseconds = round(at.timestamp() * 1e6) * 1000
    return f"{measurement}{labels} {fields} {nanoseconds}\n"


def _tag(value: str) -> str:
    # A backslash at the end would escape what follows.
    text = value.translate(_TAG_ESCAPES)
    return f"{text}/" if text.endswith("\\") else text


def _fields(name: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case bool():
            yield name, "true" if value else "false"
        case int() | float():
            if math.isfinite(value):
                yield name, repr(float(value))
        case str():
            yield name, f'"{value.translate(_TEXT_ESCAPES)}"'
        case dict():
            for key, each in value.items():
                yield from _fields(f"{name}_{key}", each)
        case _:
            # Not known.
            return


def _has_units(request: web.Request) -> bool:
    wanted = read_parameters(request.query.items(), ("units",)).get("units", "no")
    if wanted not in {"yes", "no"}:
        raise QueryError(f"units: yes or no is expected, not {wanted!r}")
    return wanted == "yes"


async def answer_influx(request: web.Request) -> web.Response:
    """Answer with the figures of now, and with those of single units for ``?units=yes``."""
    source = request.app[SOURCE]
    try:
        has_units = _has_units(request)
    except QueryError as error:
        return error_response(request, 400, str(error))
    unreadiness = source.unreadiness()
    if unreadiness is not None:
        return error_response(request, 503, unreadiness)
    async with request.app[BODIES].turn("answer"):
        statuses, now = tuple(source.units()), source.wall()
        figures, energy = source.site(), source.energy()

        def body() -> bytes:
            answer = site_answer(
                source.name,
                source.version,
                figures,
                statuses,
                unreadiness=None,
                now=now,
                counts_simulated=source.counts_simulated(),
                energy=energy,
                zone=source.zone(),
                seen_from=source.seen_from(),
                role=source.role(),
            )
            lines = list(site_lines(answer))
            if has_units:
                lines.extend(unit_lines(source.name, (unit_row(status, now) for status in statuses), answer.now))
            return "".join(lines).encode()

        return web.Response(body=await in_thread(body), content_type="text/plain", charset="utf-8")
