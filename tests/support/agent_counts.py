"""Counts of polls and waiting messages, scraped from a running agent."""

import time

from programs import get
from prometheus_client.parser import text_string_to_metric_families


async def counted(url: str) -> tuple[dict[str, int], float]:
    """Scrape the agent; returns its counts of polls and waiting messages, and the duration of the scrape, s."""
    began = time.monotonic()
    status, text = await get(f"{url}/metrics")
    took_s = time.monotonic() - began
    assert status == 200
    counts = {"polls": 0, "failed": 0, "skipped": 0, "waiting": 0}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            value = int(sample.value) if sample.name.startswith("miner_agent_") else 0
            match sample.name:
                case "miner_agent_polls_total":
                    counts["polls"] += value
                    if sample.labels["result"] != "ok":
                        counts["failed"] += value
                case "miner_agent_polls_skipped_total":
                    counts["skipped"] += value
                case "miner_agent_mqtt_outbox_messages":
                    counts["waiting"] += value
    return counts, took_s
