"""Home Assistant discovery: a retained configuration message for each figure of the site and its containers.

Source: home-assistant.io, "MQTT discovery" and "MQTT sensor". Single units are left out: a site of 3,000 would make
tens of thousands of entities. The entities read the same figures messages as every other consumer. A template that
yields None leaves the entity without a value, so an unknown figure does not read as zero. An entity that hears nothing
for `EXPIRE_INTERVALS` intervals becomes unavailable: figures that the agent holds back do not stand as current.
"""

import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from agent.exporters.mqtt.topics import Topics
from agent.site.accounted import DARK_BELOW_RATIO, LEAST_UNITS
from agent.text.numbers import TARGET_RATIO

EXPIRE_INTERVALS = 3
LEAST_EXPIRE_S = 60
COVERED_RATIO = 0.95
"""Below this coverage a statement is not published, and the figures call for a look."""


class _Sensor(NamedTuple):
    """One figure as Home Assistant shows it.

    Attributes:
        key: Its part of the entity's id.
        name: The entity's name.
        template: Jinja template that reads the figure from the message.
        unit: Unit of measurement.
        device_class: Home Assistant's class of the quantity, if it has one.
        state_class: Its class of the figure over time.
        digits: Digits shown after the decimal point.
        attributes: Jinja template of a JSON object that Home Assistant shows beside the figure.
    """

    key: str
    name: str
    template: str
    unit: str | None = None
    device_class: str | None = None
    state_class: str = "measurement"
    digits: int = 1
    attributes: str | None = None


class _Problem(NamedTuple):
    """A condition as Home Assistant shows it: ON while there is a problem, OFF while there is none.

    Attributes:
        key: Its part of the entity's id.
        name: The entity's name.
        is_known: Jinja expression that is true while the figures say whether there is a problem; `f` is the figures.
        is_so: Jinja expression that is true while there is one.
    """

    key: str
    name: str
    is_known: str
    is_so: str

    @property
    def template(self) -> str:
        """The Jinja template of its state."""
        known, so = self.is_known, self.is_so
        return f"{{% set f = value_json.figures %}}{{{{ none if not ({known}) else 'ON' if {so} else 'OFF' }}}}"


def _percent(ratio: str) -> str:
    figure = f"value_json.figures.{ratio}"
    return f"{{{{ none if {figure} is none else {figure} * 100 }}}}"


_POWER = (
    "{{ none if value_json.figures.watts_units == 0 and value_json.figures.metered_watts is none"
    " else value_json.figures.watts_by_source.values() | sum }}"
)
# No watt is shown without its source.
_SOURCES = "{{ value_json.figures.watts_by_source | tojson }}"

_DIVERTED = "value_json.figures.diverted_hs"
_ENERGY = (
    "{{ none if value_json.joules_by_source | length == 0 else (value_json.joules_by_source.values() | sum) / 3.6e6 }}"
)
_ENERGY_SOURCES = "{{ value_json.joules_by_source | tojson }}"

_SENSORS = (
    _Sensor("operating", "Operating hashrate", "{{ value_json.figures.operating_hs / 1e12 }}", "TH/s"),
    _Sensor("deployed", "Deployed hashrate", "{{ value_json.figures.deployed_hs / 1e12 }}", "TH/s"),
    _Sensor(
        "operational_efficiency",
        "Operational efficiency",
        _percent("operational_efficiency_ratio"),
        "%",
        digits=2,
    ),
    _Sensor("coverage", "Coverage", _percent("coverage_ratio"), "%"),
    _Sensor("curtailed", "Curtailed hashrate", "{{ value_json.figures.losses_hs.curtailed / 1e12 }}", "TH/s"),
    _Sensor("unreachable", "Unreachable hashrate", "{{ value_json.figures.losses_hs.unreachable / 1e12 }}", "TH/s"),
    _Sensor(
        "diverted",
        "Diverted hashrate",
        f"{{{{ none if {_DIVERTED} is none else {_DIVERTED} / 1e12 }}}}",
        "TH/s",
    ),
    _Sensor("power", "Power", _POWER, "W", "power", digits=0, attributes=_SOURCES),
    # The counter begins at zero with each run of the agent, which is what this class is for.
    _Sensor("energy", "Energy", _ENERGY, "kWh", "energy", "total_increasing", digits=1, attributes=_ENERGY_SOURCES),
    _Sensor("energy_efficiency", "Energy efficiency", "{{ value_json.figures.energy_efficiency_j_per_th }}", "J/TH"),
    _Sensor("units", "Units", "{{ value_json.figures.units }}", digits=0),
    _Sensor("units_hashing", "Units hashing", "{{ value_json.figures.units_by_state.hashing }}", digits=0),
)

_PROBLEMS = (
    _Problem(
        "dark",
        "Dark",
        f"f.operational_efficiency_ratio is not none and f.units >= {LEAST_UNITS}",
        "f.operating_hs + f.losses_hs.curtailed + f.losses_hs.starting + f.losses_hs.maintenance"
        f" < {DARK_BELOW_RATIO} * f.deployed_hs",
    ),
    # As the alerts do: what a declared curtailment explains is no problem.
    _Problem(
        "low_efficiency",
        f"Below {TARGET_RATIO * 100:g} %",
        "f.operational_efficiency_ratio is not none",
        f"f.operating_hs + f.losses_hs.curtailed < {TARGET_RATIO} * f.deployed_hs",
    ),
    _Problem(
        "low_coverage",
        f"Coverage below {COVERED_RATIO * 100:g} %",
        "f.coverage_ratio is not none",
        f"f.coverage_ratio < {COVERED_RATIO}",
    ),
    _Problem("work_diverted", "Work diverted", "f.diverted_units is not none", "f.diverted_units > 0"),
)


def identifier(name: str) -> str:
    """Return a name in characters that discovery topics allow; different names stay different."""
    return re.sub(r"[^A-Za-z0-9-]", lambda found: "_" if found[0] == " " else f"_{ord(found[0]):x}_", name)


def discovery(
    topics: Topics,
    containers: Iterable[str],
    *,
    prefix: str,
    site: str,
    version: str,
    interval_s: float,
    page_url: str | None = None,
) -> dict[str, bytes]:
    """Return the configuration messages by topic.

    Args:
        topics: The site's topics.
        containers: Their names. A site without containers has one with an empty name, which is left out.
        prefix: Home Assistant's discovery prefix.
        site: The site's name.
        version: The agent's version.
        interval_s: Time from one message of figures to the next, s.
        page_url: Address at which people open the agent's pages; None leaves the link out.
    """
    node = f"hashsight_{identifier(site)}"
    origin = {"name": "hashsight", "sw_version": version}
    device = {
        "identifiers": [node],
        "name": f"Mining site {site}",
        "manufacturer": "hashsight",
        "model": "site",
        "sw_version": version,
    }
    link = {} if page_url is None else {"configuration_url": page_url}
    device |= link
    messages: dict[str, dict[str, Any]] = {
        f"{prefix}/binary_sensor/{node}/agent/config": {
            "name": "Agent",
            "unique_id": f"{node}_agent",
            "state_topic": topics.agent,
            "value_template": "{{ 'ON' if value_json.state == 'online' else 'OFF' }}",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "device": device,
            "origin": origin,
        }
    }
    groups = [(node, topics.figures, device)]
    for name in containers:
        if name:
            each = f"{node}_container_{identifier(name)}"
            of_site = {
                "identifiers": [each],
                "name": f"Container {name}",
                "manufacturer": "hashsight",
                "via_device": node,
            }
            groups.append((each, topics.container(name), of_site | {"model": "container"} | link))
    expire_s = max(LEAST_EXPIRE_S, math.ceil(EXPIRE_INTERVALS * interval_s))
    for group, topic, owner in groups:
        common = {"expire_after": expire_s, "device": owner, "origin": origin}
        for sensor in _SENSORS:
            config = _sensor_config(sensor, group, topic, topics.agent)
            messages[f"{prefix}/sensor/{group}/{sensor.key}/config"] = config | common
        for problem in _PROBLEMS:
            config = _problem_config(problem, group, topic, topics.agent)
            messages[f"{prefix}/binary_sensor/{group}/{problem.key}/config"] = config | common
    return {topic: msgspec.json.encode(config) for topic, config in messages.items()}


def _sensor_config(sensor: _Sensor, group: str, topic: str, agent: str) -> dict[str, Any]:
    config = _entity(sensor, group, topic, agent) | {
        "state_class": sensor.state_class,
        "suggested_display_precision": sensor.digits,
    }
    if sensor.unit is not None:
        config["unit_of_measurement"] = sensor.unit
    if sensor.device_class is not None:
        config["device_class"] = sensor.device_class
    if sensor.attributes is not None:
        config |= {"json_attributes_topic": topic, "json_attributes_template": sensor.attributes}
    return config


def _problem_config(problem: _Problem, group: str, topic: str, agent: str) -> dict[str, Any]:
    return _entity(problem, group, topic, agent) | {"device_class": "problem"}


def _entity(shown: _Sensor | _Problem, group: str, topic: str, agent: str) -> dict[str, Any]:
    return {
        "name": shown.name,
        "unique_id": f"{group}_{shown.key}",
        "state_topic": topic,
        "value_template": shown.template,
        "availability": [
            {
                "topic": agent,
                "value_template": "{{ 'online' if value_json.state == 'online' else 'offline' }}",
                "payload_available": "online",
                "payload_not_available": "offline",
            }
        ],
        "qos": 1,
    }
