"""Topic names: ``hashsight/v1/<site>/...``, with names of the ledger escaped to one level each.

figures                 the site's sums, every interval; kept until delivered
containers/<id>         a container's sums; the latest only
units/<unit_id>         a unit's status; the latest only
units                   up to 100 units' statuses in one message; kept until delivered
events                  changes; kept until delivered
agent                   online, offline (the will), stopped
agent/canary            comes back to the agent, which proves that the broker lets it publish
chain/<key>/day, chain/<key>/hour   the latest signed heads of the history's chain, by the key that signed; retained
errors                  received messages that were refused
curtailment/set         received
meter/site, meter/container/<id>, meter/unit/<unit_id>   received
"""

import re
from dataclasses import dataclass

ROOT = "hashsight/v1"
_NO_NAME = "-"
# MQTT 5, 4.7: + and # are wildcards, / separates levels, U+0000 is refused.
_UNSAFE = re.compile(r"[%/+#\x00-\x1f\x7f]")
_ESCAPED = re.compile(r"%([0-9A-F]{2})")


def level(name: str) -> str:
    """Return a name of the ledger as one topic level, which `from_level` reverses; the empty name is ``-``."""
    if not name:
        return _NO_NAME
    if name == _NO_NAME:
        return "%2D"
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", name)


def from_level(text: str) -> str:
    """Return the name that `level` turned into `text`."""
    if text == _NO_NAME:
        return ""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterScope:
    """The part of the site that a meter measures: all of it, or one container or unit by its name in the ledger."""

    container: str | None = None
    unit: str | None = None

    def __str__(self) -> str:
        if self.container is not None:
            return f"container {self.container}"
        return "site" if self.unit is None else f"unit {self.unit}"


class Topics:
    """The topics of one site.

    Args:
        site: The site's name; the configuration allows only characters that are safe here.
    """

    def __init__(self, site: str) -> None:
        self.root = f"{ROOT}/{site}"
        self.figures = f"{self.root}/figures"
        self.units = f"{self.root}/units"
        self.events = f"{self.root}/events"
        self.agent = f"{self.root}/agent"
        self.canary = f"{self.root}/agent/canary"
        self.heads = f"{self.root}/chain/#"
        self.errors = f"{self.root}/errors"
        self.curtailment = f"{self.root}/curtailment/set"
        self.meters = f"{self.root}/meter/#"

    def head(self, key: str, occasion: str) -> str:
        """Return the topic of a head of the history's chain.

        Args:
            key: Id of the key that signed it; empty without one.
            occasion: ``day`` or ``hour``.
        """
        return f"{self.root}/chain/{level(key)}/{occasion}"

    def is_head(self, topic: str) -> bool:
        """Return True for a topic of heads, this agent's or another's."""
        return topic.startswith(self.heads[:-1])

    def container(self, name: str) -> str:
        """Return a container's topic."""
        return f"{self.root}/containers/{level(name)}"

    def unit(self, unit_id: str) -> str:
        """Return a unit's topic."""
        return f"{self.root}/units/{level(unit_id)}"

    def taken_in(self, *, curtailment: bool, meters: bool) -> list[str]:
        """Return the topics to subscribe to for orders, readings or both."""
        topics = []
        if curtailment:
            topics.append(self.curtailment)
        if meters:
            topics.append(self.meters)
        return topics

    def meter_scope(self, topic: str) -> MeterScope | None:
        """Return the part of the site that the meter on `topic` measures; None if it is no meter's topic."""
        match topic.removeprefix(f"{self.root}/meter/").split("/"):
            case ["site"]:
                return MeterScope()
            case ["container", name]:
                return MeterScope(container=from_level(name))
            case ["unit", name] if name:
                return MeterScope(unit=from_level(name))
            case _:
                return None
