"""The rendered store: numbers are written when a status changes, and joined into a body at a scrape.

Units are written at each poll (`unit_rows`), groups once an interval. Rendering 10,000 units x 40 series at each scrape
took 2 to 3 seconds of the event loop; joining rendered texts takes tens of milliseconds, in a thread. The idea is from
kube-state-metrics, docs/design/metrics-store-performance-optimization.md.

A scrape works on a snapshot of all units, so it never sees half a unit. All group figures are of one moment, because
they are replaced together. The thread also compresses, family by family. Scrapers share bodies (`sharing`).
"""

import asyncio
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS

from agent.exporters.broker_numbers import BrokerNumbers
from agent.exporters.prometheus.agent_exposition import AgentExposition
from agent.exporters.prometheus.agent_families import AGENT_FAMILIES
from agent.exporters.prometheus.agent_numbers import AgentNumbers
from agent.exporters.prometheus.detail import FAMILIES_BY_DETAIL, Detail
from agent.exporters.prometheus.family import Family
from agent.exporters.prometheus.group_families import DECLARED_FIGURES, RATIOS, SITE_FAMILIES
from agent.exporters.prometheus.negotiation import accepts_gzip, wants_openmetrics
from agent.exporters.prometheus.power_families import ENERGY_FAMILIES
from agent.exporters.prometheus.sharing import SHARE_S, SharedBodies
from agent.exporters.prometheus.text_format import Lines, header, label_pairs
from agent.exporters.prometheus.unit_families import FAMILIES
from agent.exporters.prometheus.unit_rows import UnitRows, texts_by_family
from agent.hil.discovery.figures import DiscoveryFigures
from agent.history.health import Health
from agent.site.credited.account import AccountState
from agent.site.energy import Energy
from agent.site.identity.figures import IdentityFigures
from agent.site.metered import MeterState
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures
from agent.slices import Slices, run_at_once
from agent.unit.reading import Poll

try:
    from isal import isal_zlib as zlib
except ImportError:
    import zlib  # type: ignore[no-redef]

GZIP_LEVEL = 1

Scope = Literal["all", "site"]


class ContractRow(NamedTuple):
    """One family, as a row of the contract's table."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def contract() -> tuple[ContractRow, ...]:
    """Return every family the agent exports except the process' own, in the order of `hashsight metrics`."""
    return tuple(
        ContractRow(family.name, family.kind.value, family.labels, family.help)
        for family in (*SITE_FAMILIES, *ENERGY_FAMILIES, *AGENT_FAMILIES, *FAMILIES)
    )


class Metrics:
    """All metrics of the agent, as Prometheus scrapes them.

    Args:
        site: Name of the site, a label of every series except the agent's own.
        version: The agent's own.
        clock: Monotonic clock, s.
        share_s: Shortest time for which a body serves further scrapes of the same kind, s.
        is_shard: True if the units are only a part of the site; then ratios are not exported.
        detail: How much of single units a scrape of everything has.

    Attributes:
        own: The numbers of the agent's own metrics.
    """

    def __init__(
        self,
        site: str,
        *,
        version: str,
        clock: Callable[[], float],
        share_s: float = SHARE_S,
        is_shard: bool = False,
        detail: Detail = "full",
    ) -> None:
        self.own = AgentNumbers(site, version)
        self._own_exposition = AgentExposition(self.own)
        self._site_pair = label_pairs(("site",), (site,))
        self._clock = clock
        self._unit_rows = UnitRows(self._site_pair)
        self._unit_families = FAMILIES_BY_DETAIL[detail]
        self.own.units = lambda: 0 if self.own.is_silent else len(self._unit_rows)
        self.own.simulated_units = lambda: 0 if self.own.is_silent else len(self._unit_rows.simulated)
        self._figures = [Lines(family, 1) for family in SITE_FAMILIES if not (is_shard and family.name in RATIOS)]
        self._energy = [Lines(family, 1) for family in ENERGY_FAMILIES]
        # By family; the groups' texts are replaced together.
        self._figure_texts: dict[str, str] = {}
        self._energy_texts: dict[str, str] = {}
        self._withdrawals = 0
        self._bodies: SharedBodies[tuple[Scope, bool, bool]] = SharedBodies(clock, share_s=share_s)

    def on_unit(self, status: UnitStatus) -> None:
        """Write one unit's current numbers."""
        self._unit_rows.put(status)
        unit_id, mismatched = status.entry.unit_id, self.own.mismatched
        if status.mismatch is not None:
            mismatched[unit_id] = status.mismatch
        elif unit_id in mismatched:
            del mismatched[unit_id]

    @property
    def simulated(self) -> Collection[str]:
        """Ids of the exported units that are simulated."""
        return self._unit_rows.simulated

    def remove_unit(self, unit_id: str) -> None:
        """Remove a unit that left the ledger, with all its series."""
        self._unit_rows.remove(unit_id)
        self.own.mismatched.pop(unit_id, None)

    def on_site(self, figures: SiteFigures, *, is_whole: bool) -> None:
        """Render the group figures.

        Args:
            figures: As of now.
            is_whole: True once every unit has been polled; until then only figures from the ledger are exported.
        """
        run_at_once(self.on_site_in_slices(figures, is_whole=is_whole))

    def on_site_in_slices(self, figures: SiteFigures, *, is_whole: bool) -> Slices[None]:
        """Render the group figures in slices; the previous figures stay until the last slice.

        Figures that are withdrawn meanwhile do not come back with it.
        """
        texts, withdrawals = {}, self._withdrawals
        for lines in self._figures:
            name = lines.family.name
            if is_whole or name in DECLARED_FIGURES:
                texts[name] = lines.render(self._site_pair, figures)
            yield
        self._figure_texts = texts if self._withdrawals == withdrawals else _declared(texts)
        self.own.is_whole = is_whole
        self._bodies.drop_old()

    def withdraw(self) -> None:
        """Show only figures from the ledger from now on, until the next `on_site`."""
        self._withdrawals += 1
        self._figure_texts = _declared(self._figure_texts)
        self._bodies.drop_all()

    def set_silent(self, *, is_silent: bool) -> None:
        """Export nothing but this agent's own numbers from now on, or everything again: a site is exported once."""
        self.own.is_silent = is_silent
        self._bodies.drop_all()

    def on_energy(self, energy: Energy) -> None:
        """Render the energy counters."""
        self._energy_texts = {lines.family.name: lines.render(self._site_pair, energy) for lines in self._energy}

    def on_poll(self, poll: Poll) -> None:
        """Count one poll."""
        self.own.on_poll(poll)

    def on_skipped(self, why: str, polls: int = 1) -> None:
        """Count polls that were due but not made."""
        self.own.skipped[why] += polls

    def on_lane_replaced(self, why: str) -> None:
        """Count a replacement of pyasic's process."""
        self.own.lane_replaced[why] += 1

    def on_lag(self, lag_s: float) -> None:
        """Record how late the event loop woke up a regular timer."""
        self.own.lag_s.observe(lag_s)

    def on_reload(self, *, is_successful: bool, at: float) -> None:
        """Record the result of loading configuration and ledger at Unix time `at`, the first load included."""
        self.own.reload_successful = is_successful
        if is_successful:
            self.own.reloaded_at = at

    def watch_web_config(self, is_in_force: Callable[[], bool]) -> None:
        """Export whether the web configuration file is in force as it stands."""
        self.own.web_config_in_force = is_in_force

    def watch_identity(self, identity: Callable[[], IdentityFigures]) -> None:
        """Export the identity figures that `identity` returns."""
        self.own.identity = identity

    def watch_discovery(self, discovery: Callable[[], DiscoveryFigures]) -> None:
        """Export what `discovery` says was found at addresses that are not polled."""
        self.own.discovery = discovery

    def watch_unread(self, names: Callable[[], int]) -> None:
        """Export the number of reply fields that the agent does not read."""
        self.own.unread_fields = names

    def watch_history(self, health: Health) -> None:
        """Export the health of the history writer."""
        self.own.history = health

    def watch_mqtt(self, numbers: Callable[[], Iterable[BrokerNumbers]]) -> None:
        """Export the MQTT brokers that `numbers` returns."""
        self.own.mqtt = numbers

    def watch_curtailments(self, is_kept: Callable[[], bool | None]) -> None:
        """Export the result of `is_kept`: True while declared curtailments are on disk."""
        self.own.curtailments_kept = is_kept

    def watch_meters(self, states: Callable[[], Iterable[MeterState]]) -> None:
        """Export the meters that `states` returns."""
        self.own.meters = states

    def watch_pool_accounts(self, states: Callable[[], Iterable[AccountState]]) -> None:
        """Read the pools' accounts at each scrape."""
        self.own.pool_accounts = states

    def watch_polling(self, in_flight: Callable[[], int], stretch: Callable[[], float]) -> None:
        """Export the number of polls under way, and achieved over configured interval, that these return."""
        self.own.in_flight, self.own.stretch = in_flight, stretch

    def watch_lane(self, quarantined: Callable[[], int]) -> None:
        """Export how many units of other makes are in quarantine, which `quarantined` returns."""
        self.own.lane_quarantined = quarantined

    def on_standstill(self) -> None:
        """Count a standstill of this process."""
        self.own.standstills += 1

    async def scrape(
        self, accept: str = "", accept_encoding: str = "", *, scope: Scope = "all"
    ) -> tuple[bytes, Mapping[str, str]]:
        """Return the body and its headers.

        Args:
            accept: The request's Accept header; selects text 0.0.4 or OpenMetrics 1.0.
            accept_encoding: The request's Accept-Encoding header; selects gzip or none.
            scope: ``site`` omits every series of a single unit.
        """
        is_openmetrics, is_gzip = wants_openmetrics(accept), accepts_gzip(accept_encoding)
        headers = {
            "Content-Type": CONTENT_TYPE_OPENMETRICS if is_openmetrics else CONTENT_TYPE_PLAIN_0_0_4,
            "Vary": "Accept, Accept-Encoding",
        }
        if is_gzip:
            headers["Content-Encoding"] = "gzip"
        make = partial(self._make, scope, is_openmetrics=is_openmetrics, is_gzip=is_gzip)
        return await self._bodies.get((scope, is_openmetrics, is_gzip), make), headers

    async def _make(self, scope: Scope, *, is_openmetrics: bool, is_gzip: bool) -> bytes:
        started = self._clock()
        own = self._own_exposition.text(is_openmetrics=is_openmetrics)
        if self.own.is_silent:
            scope = "site"
        groups = [
            (header(family, is_openmetrics=is_openmetrics), text)
            for families, texts in ((SITE_FAMILIES, self._figure_texts), (ENERGY_FAMILIES, self._energy_texts))
            for family in families
            if not self.own.is_silent and (text := texts.get(family.name))
        ]
        units = (
            texts_by_family(self._unit_rows.snapshot(), self._unit_families)
            if scope == "all" and self._unit_families
            else ()
        )
        chunks = _chunks(own, groups, units, is_openmetrics=is_openmetrics)
        content, size = await asyncio.to_thread(_join, chunks, is_gzip=is_gzip)
        self.own.scrape_s.observe(self._clock() - started)
        self.own.scrape_bytes[scope] = size
        return content


def _declared(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of the figures that the ledger alone says."""
    return {name: text for name, text in texts.items() if name in DECLARED_FIGURES}


def _join(chunks: Iterable[bytes], *, is_gzip: bool) -> tuple[bytes, int]:
    """Return the whole body and its size before compression."""
    # Window bits above 15 ask zlib for the gzip format.
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31) if is_gzip else None
    body = io.BytesIO()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        body.write(packer.compress(chunk) if packer else chunk)
    if packer:
        body.write(packer.flush())
    return body.getvalue(), size


def _chunks(
    own: bytes,
    groups: Iterable[tuple[str, str]],
    units: Iterable[tuple[Family[Any], bytes]],
    *,
    is_openmetrics: bool,
) -> Iterator[bytes]:
    yield own
    for head, text in groups:
        yield f"{head}{text}".encode()
    shown = None
    for family, piece in units:
        if family is not shown:
            yield header(family, is_openmetrics=is_openmetrics).encode()
            shown = family
        yield piece
    if is_openmetrics:
        yield b"# EOF\n"
