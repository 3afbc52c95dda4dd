"""Addresses of pools, accounts and workers, planted in every firmware's replies, and where they must not come out."""

import json
from typing import Any

import pytest
import structlog
from capture_files import S21_POOLS
from epic_units import PAGES, SUMMARY, EpicUnit, page
from exporter_cases import AT, ENERGY, entry, reading
from mqtt_messages import composer
from recorded_firmware import Firmware
from web_doors import TOKEN
from web_site import served, source

from agent.address import Endpoint
from agent.config.pool_patterns import parse_url_pattern
from agent.exporters.mqtt.exporter import MqttExporter
from agent.exporters.mqtt.meters import MqttMeters
from agent.exporters.mqtt.news import WorkNews
from agent.exporters.prometheus.store import Metrics
from agent.exporters.web.door.door import Door
from agent.runtime.fan_out import FanOut
from agent.site.pools.allow import AllowEntry, AllowList
from agent.site.pools.work import PoolClass
from agent.site.status import UnitStatus
from agent.site.totals import site_figures
from agent.site.tracker import Tracker
from agent.unit.cgminer.pools import read_pools
from agent.unit.foreign.reader import READER as FOREIGN
from agent.unit.reading import Poll, UnitReading

HOST, PORT, PATH, ACCOUNT, WORKER = "qzhost.example", "31337", "qzpath", "qzaccount7", "qzworker9"
URL, USER = f"stratum+tcp://{HOST}:{PORT}/{PATH}", f"{ACCOUNT}.{WORKER}"
SECRETS = (f"{HOST}:{PORT}", PATH, ACCOUNT, WORKER)
"""What nobody but an operator may see; a viewer sees the host and ``qzac`` alone."""
LISTED = AllowList([AllowEntry(name="main", urls=(parse_url_pattern(HOST),), accounts=("*",))])
OTHERS = AllowList([AllowEntry(name="main", urls=(parse_url_pattern("other.example"),), accounts=("*",))])
KEYS = {"URL": URL, "Stratum URL": URL, "User": USER}


def _planted(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row.update({key: value for key, value in KEYS.items() if key in row})


def of_stock() -> UnitReading:
    """Return a reading of stock firmware."""
    reply = json.loads(S21_POOLS.rstrip(b"\0"))
    _planted(reply["POOLS"])
    return reading(pools=read_pools(json.dumps(reply).encode())[0])


def of_report(name: str, *folders: str) -> UnitReading:
    """Return a reading of firmware that answers on TCP 4028 in the form of CGMiner."""
    unit = Firmware(name, *folders).changed(lambda replies: _planted(replies["pools"]["POOLS"]))
    return unit.read()


def of_epic() -> UnitReading:
    """Return a reading of ePIC firmware."""
    body = json.loads(SUMMARY)
    body["Stratum"] |= {"Current Pool": URL, "Current User": USER}
    body["StratumConfigs"] = [{"login": USER, "password": "x", "pool": URL}]
    pages = {path: page(json.dumps(body).encode()) if "summary" in path else each for path, each in PAGES.items()}
    return EpicUnit(pages).poll()


def of_another_make() -> UnitReading:
    """Return a reading of pyasic's."""
    pool = {"url": URL, "user": USER, "accepted": 5, "rejected": 0, "active": True, "alive": True, "index": 0}
    rate = {"unit": {"value": 1e12, "suffix": "TH/s"}, "rate": 99.0}
    answer = {"id": 1, "make": "WhatsMiner", "model": "M30S+", "summary": rate, "data": {"pools": [pool]}}
    talk = FOREIGN.converse("u1", FOREIGN.new_memory(), slow_every=1, wall=lambda: AT)
    next(talk)
    with pytest.raises(StopIteration) as end:
        talk.send(json.dumps(answer).encode())
    found: UnitReading = end.value.value
    return found


READINGS = {
    "stock": of_stock,
    "luxos": lambda: of_report("luxos", "s19kpro-luxos-2025"),
    "braiins": lambda: of_report(
        "braiins", "other-s9-bosminerplus-2020-tuning", "other-s9-bosminerplus-2020", "other-s9-bosminerplus-2021"
    ),
    "vnish": lambda: of_report("vnish", "s21pro-vnish-2026"),
    "epic": of_epic,
    "another make": of_another_make,
}


def tracked(found: UnitReading, allow: AllowList) -> UnitStatus:
    """Return the status of a unit after one poll."""
    tracker = Tracker([entry("u1")], stale_after_s=30.0, at=AT, allow=allow)
    recorded = tracker.record(Poll(unit_id="u1", at=AT, took_s=0.1, reading=found), clock_s=0.0)
    assert recorded is not None
    return recorded[0]


def leaks(text: str | bytes, secrets: tuple[str, ...] = SECRETS) -> list[str]:
    """Return the secrets in a text."""
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    return [secret for secret in secrets if secret in shown]


@pytest.mark.parametrize("firmware", READINGS)
async def test_pools_of_any_firmware_stay_where_they_belong(firmware: str) -> None:
    """Not in /metrics, MQTT or a log; in JSON, CSV and pages for operators alone, and shortened for others."""
    found = READINGS[firmware]()
    assert found.pools, "the firmware's pools were not read"
    for allow, expected in ((LISTED, PoolClass.LISTED), (OTHERS, PoolClass.DIVERTED)):
        status = tracked(found, allow)
        assert status.work is not None
        assert status.work.pool_class is expected
        figures = site_figures([status], AT)
        metrics = Metrics("nd-1", version="1", clock=lambda: 0.0)
        with structlog.testing.capture_logs() as logged:
            mqtt = MqttExporter(
                composer(),
                (),
                meters=MqttMeters(max_age_s=1.0),
                unit_heartbeat_s=1.0,
                clock=lambda: 0.0,
                wall=lambda: AT,
            )
            fan_out = FanOut(metrics, mqtt, None)
            fan_out.on_status(status, before=tracked(reading(pools=()), allow))
            fan_out.close_interval(AT)
        metrics.on_site(figures, is_whole=True)
        body, _ = await metrics.scrape()
        everywhere = (*SECRETS, HOST)
        assert b"pool_class" in body
        assert leaks(body, everywhere) == []
        assert leaks(json.dumps(logged, default=str), everywhere) == []
        for payload in _payloads(status, figures):
            assert leaks(payload, everywhere) == []
        await _check_web(status)


def _payloads(status: UnitStatus, figures: Any) -> list[bytes]:
    made = composer()
    change = WorkNews().change(status)
    return [
        made.figures(figures, ENERGY, interval_s=10, simulated_units=0),
        made.container("C1", figures.site, ENERGY, interval_s=10),
        made.unit(status, at=AT),
        made.units([status], at=AT),
        *(() if change is None else (made.event(change, at=AT),)),
    ]


async def _check_web(status: UnitStatus) -> None:
    door = Door(listen=Endpoint("10.0.0.5", 9184), token=lambda: TOKEN)
    operator = {"Authorization": f"Bearer {TOKEN.text}"}
    async with served(source([status], door=door)) as client:
        for path in ("/api/v1/units", "/api/v1/units/u1", "/api/v1/pools", "/api/v1/site", "/api/v1/influx?units=yes"):
            async with client.get(path) as response:
                assert leaks(await response.text()) == [], path
        for path in ("/api/v1/units.csv", "/api/v1/pools.csv", "/units.csv", "/", "/units", "/units/u1", "/wall"):
            async with client.get(path) as response:
                assert leaks(await response.text()) == [], path
        # What operators see has account and port, so that the test would see them too; no one sees workers.
        async with client.get("/api/v1/units/u1", headers=operator) as response:
            assert leaks(await response.text()) == [f"{HOST}:{PORT}", ACCOUNT]
