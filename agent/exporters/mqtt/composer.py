"""Turns statuses and figures into payloads; its only state is the numbering."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import msgspec

from agent.exporters.mqtt.changes import Change
from agent.exporters.mqtt.messages import (
    AgentMessage,
    CanaryMessage,
    ContainerMessage,
    CreditedFigures,
    Envelope,
    ErrorMessage,
    EventMessage,
    FiguresMessage,
    GroupFigures,
    HeadFields,
    HeadMessage,
    Loss,
    PoolSums,
    UnitFacts,
    UnitMessage,
    UnitsMessage,
)
from agent.exporters.mqtt.topics import Topics
from agent.history.chain.heads import SignedHead
from agent.site.credited.account import AccountCredit
from agent.site.energy import Energy
from agent.site.status import UnitStatus
from agent.site.totals import Figures, SiteFigures

Message = TypeVar("Message", bound=Envelope)
EXCERPT_CHARS = 80
DETAIL_CHARS = 300


def moment(at: float) -> datetime:
    """Return a Unix time as it is published."""
    return datetime.fromtimestamp(at, UTC)


def printable(data: bytes | str, chars: int = EXCERPT_CHARS) -> str:
    """Return the beginning of received data, in printable characters."""
    text = data[: 4 * chars].decode("utf-8", "replace") if isinstance(data, bytes) else data
    return "".join(char if char.isprintable() else "\ufffd" for char in text[:chars])


class Composer:
    """Makes the payloads of one run of the agent, numbered in the order in which they are made.

    Args:
        site: The site's name.
        boot_id: Identifies this run.
        version: The agent's version.
        started_at: Unix time at which this run began, s.
    """

    def __init__(self, site: str, *, boot_id: str, version: str, started_at: float) -> None:
        self.topics = Topics(site)
        self.site, self.boot_id, self.version = site, boot_id, version
        self._started_at = moment(started_at)
        self._seq = 0
        self._previous: dict[str, int] = {}
        self._encode = msgspec.json.Encoder().encode

    def _compose(self, kind: type[Message], at: float, **fields: Any) -> bytes:
        self._seq += 1
        return self._encode(kind(site=self.site, boot_id=self.boot_id, seq=self._seq, time=moment(at), **fields))

    def _compose_next(self, kind: type[Message], topic: str, at: float, **fields: Any) -> bytes:
        """Compose a message that carries the number of the one before on its topic."""
        payload = self._compose(kind, at, previous_seq=self._previous.get(topic), **fields)
        self._previous[topic] = self._seq
        return payload

    def figures(self, figures: SiteFigures, energy: Energy, *, interval_s: float, simulated_units: int) -> bytes:
        """Return a message with the site's sums."""
        return self._compose_next(
            FiguresMessage,
            self.topics.figures,
            figures.at,
            interval_s=interval_s,
            simulated_units=simulated_units,
            figures=group(figures.site),
            joules_by_source=energy.site,
            delivered_1h_hs=figures.delivered_1h_hs,
            delivered_1h_deployed_hs=figures.delivered_1h_deployed_hs,
            delivered_24h_hs=figures.delivered_24h_hs,
            delivered_24h_deployed_hs=figures.delivered_24h_deployed_hs,
            pool_accounts=[credited(account) for account in figures.credited],
            pools=None if figures.pools is None else PoolSums(**figures.pools._asdict()),
        )

    def container(self, container: str, figures: Figures, energy: Energy, *, interval_s: float) -> bytes:
        """Return a message with a container's sums."""
        return self._compose(
            ContainerMessage,
            figures.at,
            container=container,
            interval_s=interval_s,
            figures=group(figures),
            joules_by_source=energy.by_container.get(container, {}),
        )

    def unit(self, status: UnitStatus, *, at: float) -> bytes:
        """Return a message with one unit's status."""
        return self._compose(UnitMessage, at, unit=facts(status))

    def units(self, statuses: Sequence[UnitStatus], *, at: float) -> bytes:
        """Return a message with the statuses of at most `UNITS_A_MESSAGE` units."""
        units = [facts(status) for status in statuses]
        return self._compose_next(UnitsMessage, self.topics.units, at, units=units)

    def event(self, event: Change, *, at: float) -> bytes:
        """Return a message about a change."""
        return self._compose_next(EventMessage, self.topics.events, at, event=event)

    def agent(self, state: Literal["online", "offline", "stopped"], *, at: float) -> bytes:
        """Return a message with the agent's own state."""
        return self._compose(AgentMessage, at, state=state, version=self.version, started_at=self._started_at)

    def canary(self, nonce: str, *, at: float) -> bytes:
        """Return the message that the broker must deliver back to the agent."""
        return self._compose(CanaryMessage, at, nonce=nonce)

    def head(self, signed: SignedHead) -> bytes:
        """Return a message with a head of the history's chain."""
        head = HeadFields(**signed.head.fields)
        return self._compose(HeadMessage, signed.head.at, head=head, signature=signed.signature)

    def error(self, topic: str, reason: str, detail: str, payload: bytes, *, at: float) -> bytes:
        """Return the answer to a received message that was refused."""
        return self._compose(
            ErrorMessage,
            at,
            topic=printable(topic, DETAIL_CHARS),
            reason=reason,
            detail=printable(detail, DETAIL_CHARS),
            excerpt=printable(payload),
        )


def group(figures: Figures) -> GroupFigures:
    """Return one group's sums as they are published."""
    return msgspec.convert(figures, GroupFigures, from_attributes=True)


def credited(account: AccountCredit) -> CreditedFigures:
    """Return one account's credited hashrate as it is published."""
    return CreditedFigures(
        name=account.name,
        credited_1h_hs=account.hour.credited_hs,
        reported_1h_hs=account.hour.reported_hs,
        credited_24h_hs=account.day.credited_hs,
        reported_24h_hs=account.day.reported_hs,
        verdict_24h=account.day.verdict,
    )


def facts(status: UnitStatus) -> UnitFacts:
    """Return one unit's status as it is published."""
    entry, reading, power = status.entry, status.reading, status.power
    fresh = reading if status.is_fresh else None
    return UnitFacts(
        unit_id=entry.unit_id,
        container=entry.place.container,
        rack=entry.place.rack,
        slot=entry.place.slot,
        model=entry.nameplate.model,
        is_simulated=entry.is_simulated,
        state=status.state,
        reason=status.reason,
        why=status.why,
        since=moment(status.since),
        is_fresh=status.is_fresh,
        is_overdue=status.is_overdue,
        last_reading_at=moment(reading.at) if reading is not None else None,
        nameplate_hs=entry.nameplate.hashrate_hs,
        hashrate_hs=status.hashrate_hs,
        uplift_hs=status.uplift_hs,
        losses=[Loss(cause=loss.cause, hashrate_hs=loss.hashrate_hs) for loss in status.losses],
        power_watts=power.watts if power is not None else None,
        power_source=power.source if power is not None else None,
        power_missing_reason=status.power_gap,
        hottest_chip_celsius=None if fresh is None or fresh.is_chip_computed else fresh.hottest_chip_celsius,
        hottest_pcb_celsius=fresh.hottest_pcb_celsius if fresh is not None else None,
        uptime_s=fresh.uptime_s if fresh is not None else None,
        error_reason=status.error.reason if status.error is not None else None,
        pool_class=status.work.pool_class if status.work is not None else None,
    )
