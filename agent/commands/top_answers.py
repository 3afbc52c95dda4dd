"""Fields of an agent's answers that `hashsight top` reads: few, so that agent and command may differ in version."""

from datetime import datetime
from typing import Any

import msgspec

from agent.errors import AgentError


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the site, a container or an owner; fields as in the API's `GroupAnswer`."""

    units: int
    deployed_hs: float
    operating_hs: float
    losses_hs: dict[str, float]
    units_by_state: dict[str, int]
    operational_efficiency_ratio: float | None
    coverage_ratio: float | None
    watts_by_source: dict[str, float]
    energy_efficiency_j_per_th: float | None
    units_by_reason: dict[str, int] = {}
    curtailment_nameplate_hs: float = 0.0
    stragglers: int = 0
    unrestored: int = 0


class LossPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A container's share of a loss."""

    container: str
    units: int


class LossLine(msgspec.Struct, frozen=True, kw_only=True):
    """The loss to one cause; fields as in the API's `LossLineAnswer`."""

    cause: str
    hashrate_hs: float
    deployed_share_ratio: float
    units: int
    words: str
    reasons: dict[str, int] = {}
    places: list[LossPlace] = []


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One container's sums."""

    container: str
    figures: Group


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of one owner's units, or of those without one."""

    owner: str
    figures: Group


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of ``/api/v1/site``."""

    site: str
    version: str
    now: datetime
    zone: str
    is_ready: bool
    not_ready_reason: str | None
    late_reason: str | None
    units: int
    deployed_hs: float
    figures_age_s: float | None
    figures: Group | None
    losses: list[LossLine] | None
    containers: list[Container] | None
    owners: list[Owner] | None = None
    role: str = "primary"
    restored_units: int = 0
    is_above_target: bool | None = None


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``/api/v1/units``."""

    unit_id: str
    container: str
    rack: str
    slot: str
    host: str
    model: str
    state: str | None
    why: str | None
    nameplate_hs: float
    hashrate_hs: float | None
    shortfall_hs: float | None
    state_age_s: float | None = None
    is_overdue: bool = False
    also: list[str] = []


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of ``/api/v1/units``."""

    total: int
    offset: int
    units: list[Unit]


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Both answers of one look."""

    site: Site
    units: Units


class UnfitAnswerError(AgentError):
    """An answer is not of the form that this version reads."""


def read_answers(site: Any, units: Any) -> Answers:
    """Return the answers in their types.

    Raises:
        UnfitAnswerError: They do not fit.
    """
    try:
        return Answers(site=msgspec.convert(site, Site), units=msgspec.convert(units, Units))
    except msgspec.ValidationError as error:
        raise UnfitAnswerError(f"the agent's answer does not fit this version of hashsight: {error}") from error
