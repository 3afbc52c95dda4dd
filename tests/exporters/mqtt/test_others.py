"""Optional forms: Home Assistant discovery and a Sparkplug B node, checked against their published definitions."""

import asyncio
import json
import re
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from brokers import ROOT, consumer, mosquitto, shipped
from exporter_cases import AT, ENERGY, entry, gone_silent, reading, status
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from mqtt_agent import SmallBook, delivering, exporter, password, publish_figures, section
from mqtt_messages import composer
from patience import PATIENT_S
from work_cases import DIVERTED, LISTED, working

from agent.exporters.mqtt.home_assistant import discovery, identifier
from agent.exporters.mqtt.sparkplug import REBIRTH, EdgeNode, asks_for_rebirth
from agent.exporters.mqtt.sparkplug_node import metrics_of
from agent.exporters.mqtt.topics import Topics
from agent.site.energy import Energy
from agent.site.ledger.entries import Place
from agent.site.metered import Metered
from agent.site.totals import SiteFigures, site_figures

# Source: home-assistant.io, source/_integrations/sensor.mqtt.markdown and binary_sensor.mqtt.markdown for the keys of a
# configuration and their types; docs/mqtt/discovery for topic and origin.
DOCUMENTED: dict[str, type | tuple[type, ...]] = {
    "name": (str, type(None)),
    "unique_id": str,
    "state_topic": str,
    "value_template": str,
    "unit_of_measurement": str,
    "device_class": str,
    "state_class": str,
    "expire_after": int,
    "suggested_display_precision": int,
    "availability": list,
    "entity_category": str,
    "json_attributes_topic": str,
    "json_attributes_template": str,
    "qos": int,
    "device": dict,
    "origin": dict,
}
DEVICE = {
    *("identifiers", "name", "manufacturer", "model", "model_id", "serial_number", "hw_version", "sw_version"),
    *("configuration_url", "via_device"),
}
AVAILABILITY = {"topic", "value_template", "payload_available", "payload_not_available"}
PAGE = "https://gateway.mine.example:9184"
ENTITIES = 12 + 4
DISCOVERY_TOPIC = re.compile(r"homeassistant/(sensor|binary_sensor)/([a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")
# Source: the examples in source/_integrations/mqtt.markdown, "Discovery examples with component discovery".
EXAMPLES: dict[str, dict[str, Any]] = {
    "homeassistant/binary_sensor/garden/config": {
        "name": None,
        "device_class": "motion",
        "state_topic": "homeassistant/binary_sensor/garden/state",
        "unique_id": "motion01ad",
        "device": {"identifiers": ["01ad"], "name": "Garden"},
    },
    "homeassistant/sensor/sensorBedroomT/config": {
        "device_class": "temperature",
        "state_topic": "homeassistant/sensor/sensorBedroom/state",
        "unit_of_measurement": "°C",
        "value_template": "{{ value_json.temperature}}",
        "unique_id": "temp01ae",
        "device": {
            "identifiers": ["bedroom01ae"],
            "name": "Bedroom",
            "manufacturer": "Example sensors Ltd.",
            "model": "Example Sensor",
            "model_id": "K9",
            "serial_number": "12AE3010545",
            "hw_version": "1.01a",
            "sw_version": "2024.1.0",
            "configuration_url": "https://example.com/sensor_portal/config",
        },
    },
    "homeassistant/sensor/sensorBedroomH/config": {
        "device_class": "humidity",
        "state_topic": "homeassistant/sensor/sensorBedroom/state",
        "unit_of_measurement": "%",
        "value_template": "{{ value_json.humidity}}",
        "unique_id": "hum01ae",
        "device": {"identifiers": ["bedroom01ae"]},
    },
}


def mistakes_in(topic: str, config: dict[str, Any]) -> list[str]:
    """Return the parts of a discovery message that contradict the documentation."""
    found = [] if DISCOVERY_TOPIC.fullmatch(topic) else [topic]
    found += [key for key, value in config.items() if not isinstance(value, DOCUMENTED.get(key, ()))]
    found += [key for key in ("unique_id", "state_topic", "device") if key not in config]
    device = config.get("device", {})
    found += [f"device.{key}" for key in device.keys() - DEVICE]
    found += [] if device.get("identifiers") else ["device.identifiers"]
    for each in config.get("availability", []):
        found += [f"availability.{key}" for key in each.keys() - AVAILABILITY]
    return found


def two_containers() -> SiteFigures:
    """Return the figures of a site of two containers."""
    statuses = [
        status(entry("u1", place=Place(container="C 1")), reading("u1")),
        status(entry("u2", place=Place(container="C/2"), host="127.0.0.3"), reading("u2")),
        gone_silent("u3"),
    ]
    return site_figures(statuses, AT)


def configs() -> dict[str, Any]:
    """Return the discovery messages for these containers."""
    messages = discovery(
        Topics("alpha"),
        ["C 1", "C/2", ""],
        prefix="homeassistant",
        site="alpha",
        version="1.2.3",
        interval_s=30,
        page_url=PAGE,
    )
    return {topic: json.loads(payload) for topic, payload in messages.items()}


def test_discovery_has_the_documented_form() -> None:
    """Topics, keys and types follow Home Assistant's documentation; ids are unique; every entity has a device."""
    found = configs()
    assert len({config["unique_id"] for config in found.values()}) == len(found) == 1 + 3 * ENTITIES
    for topic, config in found.items():
        assert mistakes_in(topic, config) == []
        assert config["name"]
        assert config["origin"] == {"name": "hashsight", "sw_version": "1.2.3"}
        assert config["device"]["configuration_url"] == PAGE
        assert config.get("expire_after") == (None if config["unique_id"].endswith("_agent") else 90)
        for each in config.get("availability", []):
            assert each["topic"] == f"{ROOT}/agent"


def test_the_form_is_that_of_the_documentations_examples() -> None:
    """The check accepts the documentation's examples, and rejects misspelt, missing and mistyped keys."""
    for topic, config in EXAMPLES.items():
        assert mistakes_in(topic, config) == []
        assert mistakes_in(topic.replace("/config", "/confg"), config) != []
        for key in config:
            assert mistakes_in(topic, config | {f"{key}s": config[key]}) == [f"{key}s"]
        assert mistakes_in(topic, config | {"unique_id": 3}) == ["unique_id"]
        assert mistakes_in(topic, config | {"device": {"name": "Garden"}}) == ["device.identifiers"]


def shown(figures: SiteFigures, energy: Energy = ENERGY) -> dict[str, str]:
    """Return what Home Assistant shows, by id: each template rendered with the message on its topic.

    Home Assistant renders templates with Jinja2 in its sandbox, and takes the text "None" for no value.
    """
    make, containers = composer(), figures.by_container
    bodies = {
        f"{ROOT}/figures": json.loads(make.figures(figures, energy, interval_s=10, simulated_units=0)),
        f"{ROOT}/agent": json.loads(make.agent("online", at=AT)),
        f"{ROOT}/containers/C 1": json.loads(make.container("C 1", containers["C 1"], energy, interval_s=10)),
        f"{ROOT}/containers/C%2F2": json.loads(make.container("C/2", containers["C/2"], energy, interval_s=10)),
    }
    rendering = SandboxedEnvironment(undefined=StrictUndefined)
    texts = {}
    for config in configs().values():
        body = bodies[config["state_topic"]]
        assert config.get("json_attributes_topic", config["state_topic"]) == config["state_topic"]
        texts[config["unique_id"]] = rendering.from_string(config["value_template"]).render(value_json=body)
        if "json_attributes_template" in config:
            rendering.from_string(config["json_attributes_template"]).render(value_json=body)
    return texts


def test_entities_show_the_figures() -> None:
    """Every template reads fields that are there, in the unit it names; energy is in kWh, from all its sources."""
    texts = shown(two_containers())
    site = {key.removeprefix("hashsight_alpha_"): text for key, text in texts.items() if "container" not in key}
    assert site | {"power": "", "energy_efficiency": ""} == {
        "agent": "ON",
        "operating": "396.0",
        "deployed": "600.0",
        "operational_efficiency": "66.0",
        "coverage": "66.66666666666666",
        "curtailed": "0.0",
        "unreachable": "200.0",
        "power": "",
        "energy": "2001.0",
        "energy_efficiency": "",
        "units": "3",
        "units_hashing": "2",
        "dark": "None",
        "low_efficiency": "ON",
        "low_coverage": "ON",
        # Nothing is judged without an allow-list: neither zero nor "no problem".
        "diverted": "None",
        "work_diverted": "None",
    }
    assert float(site["power"]) > 6000
    assert 15 < float(site["energy_efficiency"]) < 20


def test_diverted_work_is_a_figure_and_a_problem() -> None:
    """At a site that judges it, what is diverted is a figure in TH/s and a problem; none of it is no problem."""
    ours = [working("u1", LISTED), working("u2", LISTED)]
    theirs = [working("d1", DIVERTED), *ours]
    for units, expected in ((theirs, ("198.0", "ON")), (ours, ("0.0", "OFF"))):
        places = (Place(container="C 1" if number else "C/2") for number in range(len(units)))
        renamed = [
            msgspec.structs.replace(one, entry=msgspec.structs.replace(one.entry, place=place))
            for one, place in zip(units, places, strict=True)
        ]
        site = {key.removeprefix("hashsight_alpha_"): text for key, text in shown(site_figures(renamed, AT)).items()}
        assert (site["diverted"], site["work_diverted"]) == expected


def test_what_is_not_known_is_shown_as_no_value() -> None:
    """No figure reads as zero, and no problem as absent, where nothing says so."""
    unread = [
        msgspec.structs.replace(gone_silent(unit_id), entry=entry(unit_id, place=Place(container=container)))
        for unit_id, container in (("u1", "C 1"), ("u2", "C/2"))
    ]
    texts = shown(site_figures(unread, AT), Energy(site={}, by_container={}))
    for key in ("power", "energy", "energy_efficiency", "dark"):
        assert texts[f"hashsight_alpha_{key}"] == "None", key


@pytest.mark.parametrize(("silent", "dark"), [(0, "OFF"), (3, "OFF"), (4, "ON")])
def test_a_container_in_which_nothing_hashes_is_a_problem(silent: int, dark: str) -> None:
    """One unit of four that still hashes is enough to say that a container has power."""
    places = [Place(container="C 1", slot=str(slot)) for slot in range(4)]
    statuses = [
        msgspec.structs.replace(gone_silent(f"u{slot}"), entry=entry(f"u{slot}", place=place))
        if slot < silent
        else status(entry(f"u{slot}", place=place), reading(f"u{slot}"))
        for slot, place in enumerate(places)
    ]
    statuses.append(status(entry("u9", place=Place(container="C/2")), reading("u9")))
    texts = shown(site_figures(statuses, AT))
    assert texts["hashsight_alpha_container_C_1_dark"] == dark
    assert texts["hashsight_alpha_dark"] == "OFF"


def test_different_names_give_different_ids() -> None:
    """No two names give the same id, and every id is valid in a discovery topic."""
    names = ["C 1", "C_1", "C-1", "C/1", "C.1", "C1", "Ç1", "_", " "]
    ids = [identifier(name) for name in names]
    assert len(set(ids)) == len(names)
    assert all(re.fullmatch("[a-zA-Z0-9_-]+", each) for each in ids)


@pytest.mark.program("mosquitto")
async def test_discovery_is_kept_by_the_broker(tmp_path: Path) -> None:
    """A later subscriber gets every configuration; without `home_assistant` there is none."""
    async with mosquitto(tmp_path / "broker") as broker:
        for wanted in (False, True):
            with consumer(broker.port, f"{ROOT}/figures") as reader:
                async with delivering(exporter(tmp_path, section(broker.port, home_assistant=wanted))) as side:
                    publish_figures(side, 1)
                    await reader.until(lambda got: got)
            with consumer(broker.port, "homeassistant/#") as late:
                # Retained messages come before what is published now.
                late.publish("homeassistant/now", "")
                await late.until(lambda got: got and got[-1][0] == "homeassistant/now")
                assert len(late.messages) == (1 + 2 * ENTITIES if wanted else 0) + 1


def decode(data: bytes) -> dict[int, list[Any]]:
    """Decode a protocol buffers message by hand: values by field number, nested messages as bytes."""
    fields: dict[int, list[Any]] = {}
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(data):
        key = varint()
        match key & 7:
            case 0:
                value: Any = varint()
            case 1:
                value, place = struct.unpack_from("<d", data, place)[0], place + 8
            case 2:
                size = varint()
                value, place = data[place : place + size], place + size
            case kind:
                raise AssertionError(kind)
        fields.setdefault(key >> 3, []).append(value)
    return fields


def metrics(data: bytes) -> tuple[int | None, list[dict[int, Any]]]:
    """Return a payload's `seq` and its metrics, by the published field numbers."""
    fields = decode(data)
    found = [{number: values[0] for number, values in decode(metric).items()} for metric in fields.get(2, [])]
    return fields[3][0] if 3 in fields else None, found


def test_a_birth_has_every_metric_and_data_the_changes() -> None:
    """Decoded by hand: seq 0 and bdSeq in the birth, aliases and seq 1 in the data, and the death's bdSeq."""
    node = EdgeNode("mining", "alpha")
    assert node.death_topic == "spBv1.0/mining/NDEATH/alpha"
    seq, (bd_seq,) = metrics(node.death(at=AT))
    assert (seq, bd_seq[1], bd_seq[4], bd_seq.get(11)) == (None, b"bdSeq", 4, 0)
    values = {"Site/operating_hs": 1.5e15, "Site/coverage_ratio": None, "Site/units": 3}
    seq, born = metrics(node.birth(values, at=AT))
    assert seq == 0
    assert [metric[1] for metric in born] == [b"bdSeq", REBIRTH.encode(), *(name.encode() for name in values)]
    assert born[1] == {1: REBIRTH.encode(), 3: int(AT * 1000), 4: 11, 14: 0}
    assert born[2] == {1: b"Site/operating_hs", 2: 1, 3: int(AT * 1000), 4: 10, 13: 1.5e15}
    assert born[3] == {1: b"Site/coverage_ratio", 2: 2, 3: int(AT * 1000), 4: 10, 7: 1}
    assert node.data(values, at=AT + 1) is None
    changed = node.data(values | {"Site/units": 4}, at=AT + 1)
    assert changed is not None
    assert metrics(changed) == (1, [{2: 3, 3: int(AT * 1000) + 1000, 13: 4.0}])
    _, (bd_seq,) = metrics(node.death(at=AT))
    assert bd_seq[11] == 1
    with pytest.raises(KeyError):
        node.data({"Site/new": 1}, at=AT)


def test_sequence_numbers_wrap() -> None:
    """`seq` and `bdSeq` wrap from 255 to 0."""
    node = EdgeNode("mining", "alpha")
    node.death(at=AT)
    node.birth({"x": 0.0}, at=AT)
    numbers = [metrics(node.data({"x": float(value)}, at=AT) or b"")[0] for value in range(1, 300)]
    assert numbers[253:258] == [254, 255, 0, 1, 2]
    deaths = [metrics(node.death(at=AT))[1][0].get(11) for _ in range(258)]
    assert deaths[253:257] == [254, 255, 0, 1]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # Metric: name = REBIRTH (field 1), boolean_value (field 14) = true.
        (b"\x12\x18\x0a\x14" + REBIRTH.encode() + b"\x70\x01", True),
        (b"\x12\x18\x0a\x14" + REBIRTH.encode() + b"\x70\x00", False),
        (b"", False),
        (b"\xff\xff\xff", False),
        (b'{"Node Control/Rebirth": true}', False),
    ],
)
def test_a_rebirth_command_is_read(data: bytes, *, expected: bool) -> None:
    """Only a true metric of that name asks for a birth; garbage asks for nothing."""
    assert asks_for_rebirth(data) is expected


def test_metrics_are_the_figures() -> None:
    """The metrics have deployed, operating, losses and units of the site and of each container."""
    figures = two_containers()
    values = metrics_of(figures)
    assert values["Site/operating_hs"] == figures.site.operating_hs
    assert values["Containers/C%2F2/deployed_hs"] == 200e12
    assert values["Site/Losses/unreachable_hs"] == 200e12
    assert values["Site/Units/hashing"] == 2
    assert values["Site/power_watts"] == values["Site/Power/modelled_watts"] == figures.site.unit_watts
    assert (values["Site/Power/measured_watts"], values["Site/Power/estimated_watts"]) == (0.0, 0.0)


def test_power_is_the_meters_also_where_no_unit_has_any() -> None:
    """A dark site's meter is power; without meter and units there is none, and the metrics stay the same."""
    dark = site_figures([gone_silent()], AT, metered=Metered(site_watts=120.0))
    values, nothing = metrics_of(dark), metrics_of(site_figures([gone_silent()], AT))
    assert (values["Site/power_watts"], values["Site/Power/metered_watts"]) == (120.0, 120.0)
    assert (nothing["Site/power_watts"], nothing["Site/Power/metered_watts"]) == (None, None)
    assert values.keys() == nothing.keys()


@pytest.mark.program("mosquitto")
async def test_a_nodes_life_on_a_real_broker(tmp_path: Path) -> None:
    """Birth, data, rebirth on command and death come in this order, with the same bdSeq throughout."""
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, "spBv1.0/#") as host:

            def kinds(got: Any) -> list[str]:
                return [topic.split("/")[2] for topic, _, _ in got if "/NCMD/" not in topic]

            async with delivering(exporter(tmp_path, section(broker.port, sparkplug_group="mining"))) as side:
                publish_figures(side, 1)
                await host.until(lambda got: kinds(got) == ["NBIRTH"])
                slower = status(latest=reading(hashrate_5s_hs=150e12))
                side.on_figures(site_figures([slower], AT + 10), ENERGY, interval_s=1, simulated_units=lambda: 0)
                await host.until(lambda got: kinds(got) == ["NBIRTH", "NDATA"])
                host.publish("spBv1.0/mining/NCMD/alpha", b"\x12\x18\x0a\x14" + REBIRTH.encode() + b"\x70\x01")
                await host.until(lambda got: kinds(got) == ["NBIRTH", "NDATA", "NBIRTH"])
            await host.until(lambda got: kinds(got)[-1] == "NDEATH")
            in_order = [
                (topic.split("/")[2], metrics(payload)) for topic, payload, _ in host.messages if "NCMD" not in topic
            ]
    assert [kind for kind, _ in in_order] == ["NBIRTH", "NDATA", "NBIRTH", "NDEATH"]
    assert [seq for _, (seq, _) in in_order] == [0, 1, 0, None]
    bd_seqs = {metric.get(11, 0) for _, (_, each) in in_order for metric in each if metric.get(1) == b"bdSeq"}
    assert bd_seqs == {0}
    assert not any(is_retained for _, _, is_retained in host.messages)


@pytest.mark.program("mosquitto")
async def test_the_shipped_access_list_lets_each_do_its_part(tmp_path: Path, quick_folder: Path) -> None:
    """Home Assistant finds the site, a Sparkplug host gets a rebirth, a gateway curtails; others change nothing."""
    book = SmallBook()
    rebirth = b"\x12\x18\x0a\x14" + REBIRTH.encode() + b"\x70\x01"
    async with mosquitto(quick_folder / "broker", shipped) as broker:
        options = section(
            broker.port,
            username="hashsight",
            password_file=str(password(tmp_path, "hashsight-secret")),
            curtailment=True,
            home_assistant=True,
            sparkplug_group="mining",
        )
        with (
            consumer(broker.port, f"{ROOT}/#", user="consumer") as reader,
            consumer(broker.port, "homeassistant/#", f"{ROOT}/#", user="homeassistant") as home,
            consumer(broker.port, "spBv1.0/#", user="scada") as host,
            consumer(broker.port, f"{ROOT}/errors", user="gateway") as gateway,
        ):
            async with delivering(exporter(tmp_path, options, book=book)) as side:
                publish_figures(side, 1)
                await host.until(lambda got: "NBIRTH" in got[-1][0] if got else False)
                host.publish("spBv1.0/mining/NCMD/alpha", rebirth)
                await host.until(lambda got: sum(1 for topic, _, _ in got if "NBIRTH" in topic) == 2)
                for user in (reader, home, host):
                    user.publish(f"{ROOT}/curtailment/set", "0")
                gateway.publish(f"{ROOT}/curtailment/set", "101")
                await gateway.until(lambda got: got)
                assert book.events == {}
                gateway.publish(f"{ROOT}/curtailment/set", "40")
                async with asyncio.timeout(PATIENT_S):
                    while not book.events:  # noqa: ASYNC110  a table sets no event
                        await asyncio.sleep(0.01)
    assert [event.target_ratio for event in book.events.values()] == [0.4]
    found = {topic.removeprefix(f"{ROOT}/") for topic, _, _ in home.messages}
    assert len([topic for topic in found if topic.endswith("/config")]) == 1 + 2 * ENTITIES
    assert {topic for topic in found if not topic.startswith("homeassistant/")} == {"agent", "containers/C1", "figures"}
