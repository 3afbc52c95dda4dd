"""Home Assistant discovery: a retained configuration message for each figure of the site and its containers.

Source: home-assistant.io, "MQTT discovery" and "MQTT sensor". Single units are left out: a site of 3,000 would make
tens of thousands of entities. The entities read the same figures messages as every other consumer. A template that
yields None leaves the entity without a value, so an unknown figure does not read as zero.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from agent.exporters.mqtt.topics import Topics


class _Sensor(NamedTuple):
    """One figure as Home Assistant shows it.

    Attributes:
        key: Its part of the entity's id.
        name: The entity's name.
        template: Jinja template that reads the figure from the message.
        unit: Unit of measurement.
        device_class: Home Assistant's class of the quantity, if it has one.
        digits: Digits shown after the decimal point.
        attributes: Jinja template of a JSON object that Home Assistant shows beside the figure.
    """

    key: str
    name: str
    template: str
    unit: str | None = None
    device_class: str | None = None
    digits: int = 1
    attributes: str | None = None


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
    _Sensor("units", "Units", "{{ value_json.figures.units }}", digits=0),
    _Sensor("units_hashing", "Units hashing", "{{ value_json.figures.units_by_state.hashing }}", digits=0),
)


def identifier(name: str) -> str:
    """Return a name in characters that discovery topics allow; different names stay different."""
    return re.sub(r"[^A-Za-z0-9-]", lambda found: "_" if found[0] == " " else f"_{ord(found[0]):x}_", name)


def discovery(topics: Topics, containers: Iterable[str], *, prefix: str, site: str, version: str) -> dict[str, bytes]:
    """Return the configuration messages by topic.

    Args:
        topics: The site's topics.
        containers: Their names. A site without containers has one with an empty name, which is left out.
        prefix: Home Assistant's discovery prefix.
        site: The site's name.
        version: The agent's version.
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
            groups.append((each, topics.container(name), of_site | {"model": "container"}))
    for group, topic, owner in groups:
        for sensor in _SENSORS:
            config = _config(sensor, group, topic, topics.agent)
            messages[f"{prefix}/sensor/{group}/{sensor.key}/config"] = config | {"device": owner, "origin": origin}
    return {topic: msgspec.json.encode(config) for topic, config in messages.items()}


def _config(sensor: _Sensor, group: str, topic: str, agent: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "name": sensor.name,
        "unique_id": f"{group}_{sensor.key}",
        "state_topic": topic,
        "value_template": sensor.template,
        "state_class": "measurement",
        "suggested_display_precision": sensor.digits,
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
    if sensor.unit is not None:
        config["unit_of_measurement"] = sensor.unit
    if sensor.device_class is not None:
        config["device_class"] = sensor.device_class
    if sensor.attributes is not None:
        config |= {"json_attributes_topic": topic, "json_attributes_template": sensor.attributes}
    return config
