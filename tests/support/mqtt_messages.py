"""A composer with a known run id, and the check of payloads against their schema files."""

import json
from typing import Any

import jsonschema
from exporter_cases import AT
from paths import ROOT

from agent.exporters.mqtt.composer import Composer
from agent.exporters.mqtt.messages import PUBLISHED

SCHEMAS = ROOT / "agent/exporters/mqtt/schemas"
BY_SCHEMA = {f"hashsight.{name}.v1": f"mqtt-{name}.json" for name in PUBLISHED}


def composer() -> Composer:
    """Return a composer with a known run id."""
    return Composer("alpha", boot_id="b00t", version="1.2.3", started_at=AT - 60)


def check(payload: bytes) -> Any:
    """Check a payload against the schema file that it names; returns it decoded."""
    body = json.loads(payload)
    schema = json.loads((SCHEMAS / BY_SCHEMA[body["schema"]]).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(body)
    return body
