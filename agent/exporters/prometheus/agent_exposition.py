"""The agent's own metrics and its process' metrics as text, rendered by prometheus_client."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from agent.exporters.prometheus.agent_families import AGENT_FAMILIES, Timing
from agent.exporters.prometheus.agent_numbers import AgentNumbers
from agent.exporters.prometheus.family import Family, Kind, Sample

OWN = "miner_agent_"
"""Prefix of the series that say nothing of the site or of its units."""


class AgentExposition(Collector):
    """A prometheus_client collector that reads `AGENT_FAMILIES` off the agent's numbers.

    Args:
        numbers: Read at each scrape.
    """

    def __init__(self, numbers: AgentNumbers) -> None:
        self._numbers = numbers
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield every family that has a sample now, and every histogram."""
        numbers = self._numbers
        numbers.identity_figures = numbers.identity()
        numbers.discovery_figures = numbers.discovery()
        signed = None if numbers.history is None else numbers.history.head
        numbers.history_head = None if signed is None else signed.head
        for family in AGENT_FAMILIES:
            if numbers.is_silent and not family.name.startswith(OWN):
                continue
            if isinstance(family, Timing):
                histogram = family.histogram(numbers)
                yield HistogramMetricFamily(
                    family.name, family.help, buckets=histogram.cumulative(), sum_value=histogram.total
                )
            elif (metric := _metric(family, family.samples(numbers))).samples:
                yield metric

    def text(self, *, is_openmetrics: bool) -> bytes:
        """Return the agent's metrics as text, then those of its process. OpenMetrics comes without its closing line."""
        if is_openmetrics:
            text: bytes = generate_openmetrics(self._registry)  # type: ignore[no-untyped-call]  # Not annotated there.
            return text.removesuffix(b"# EOF\n")
        return generate_latest(self._registry)


def _metric(family: Family[AgentNumbers], samples: Iterable[Sample]) -> Metric:
    metric: CounterMetricFamily | GaugeMetricFamily | InfoMetricFamily
    if family.kind is Kind.INFO:
        metric = InfoMetricFamily(family.name.removesuffix("_info"), family.help)
        for values, _ in samples:
            metric.add_metric([], dict(zip(family.labels, values, strict=True)))
        return metric
    if family.kind is Kind.COUNTER:
        metric = CounterMetricFamily(family.name.removesuffix("_total"), family.help, labels=family.labels)
    else:
        metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for values, number in samples:
        if number is not None:
            metric.add_metric(values, number)
    return metric
