"""Topic names: ``hashsight/v1/<site>/...``, and names of the ledger as one level of them.

figures                 the site's sums, every interval; kept until delivered
containers/<id>         a container's sums; the latest only
units/<unit_id>         a unit's status; the latest only
units                   up to 100 units' statuses in one message; kept until delivered
events                  what changed; kept until delivered
agent                   online, offline (the will), stopped
agent/canary            comes back to us, so that we know that the broker lets us publish
errors                  what we could not accept
curtailment/set         taken in
meter/site, meter/container/<id>, meter/unit/<unit_id>   taken in
"""

import re
from dataclasses import dataclass

ROOT = "hashsight/v1"
_NO_NAME = "-"
# Documented: MQTT 5, 4.7: + and # are wildcards, / separates levels, U+0000 is refused.
_UNSAFE = re.compile(r"[%/+#\x00-\x1f\x7f]")
_ESCAPED = re.compile(r"%([0-9A-F]{2})")


def level(name: str) -> str:
    """Give a name of the ledger as one topic level; `from_level` gives it back. A site without containers has ``-``."""
    if not name:
        return _NO_NAME
    if name == _NO_NAME:
        return "%2D"
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", name)


def from_level(text: str) -> str:
    """Give the name that `level` made into `text`."""
    return "" if text == _NO_NAME else _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterScope:
    """What a meter's topic says it measures: the site, or one container or unit by its name in the ledger."""

    container: str | None = None
    unit: str | None = None

    def __str__(self) -> str:
        if self.container is not None:
            return f"container {self.container}"
        return "site" if self.unit is None else f"unit {self.unit}"


class Topics:
    """The topics of one site.

    Args:
        site: The site's name, which the configuration holds to characters that are safe here.
    """

    def __init__(self, site: str) -> None:
        self.root = f"{ROOT}/{site}"
        self.figures = f"{self.root}/figures"
        self.units = f"{self.root}/units"
        self.events = f"{self.root}/events"
        self.agent = f"{self.root}/agent"
        self.canary = f"{self.root}/agent/canary"
        self.errors = f"{self.root}/errors"
        self.curtailment = f"{self.root}/curtailment/set"
        self.meters = f"{self.root}/meter/#"

    def container(self, name: str) -> str:
        """Give a container's topic."""
        return f"{self.root}/containers/{level(name)}"

    def unit(self, unit_id: str) -> str:
        """Give a unit's topic."""
        return f"{self.root}/units/{level(unit_id)}"

    def meter_scope(self, topic: str) -> MeterScope | None:
        """Give what the meter behind `topic` measures; None when the topic is no meter's."""
        match topic.removeprefix(f"{self.root}/meter/").split("/"):
            case ["site"]:
                return MeterScope()
            case ["container", name]:
                return MeterScope(container=from_level(name))
            case ["unit", name] if name:
                return MeterScope(unit=from_level(name))
            case _:
                return None
