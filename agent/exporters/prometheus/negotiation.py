"""Content negotiation of a scrape, from its Accept and Accept-Encoding headers.

RFC 9110, sections 12.5.1 and 12.5.3, as far as two formats and one encoding need them. A scraper that accepts neither
format gets the text format, as from Prometheus' own client libraries.
"""

from collections.abc import Iterator
from typing import NamedTuple

_OPENMETRICS_VERSIONS = frozenset({"", "1.0.0"})
_HEADER_CHARS = 1024


class _Choice(NamedTuple):
    value: str
    parameters: dict[str, str]
    quality: float


def _choices(header: str) -> Iterator[_Choice]:
    for item in header[:_HEADER_CHARS].split(","):
        value, *rest = item.split(";")
        parameters = {}
        for parameter in rest:
            name, _, setting = parameter.partition("=")
            parameters[name.strip().lower()] = setting.strip().strip('"')
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            quality = 0.0
        # A quality outside 0 to 1, or `nan`, refuses the choice.
        yield _Choice(value.strip().lower(), parameters, quality if 0 <= quality <= 1 else 0.0)


def wants_openmetrics(accept: str) -> bool:
    """Return True if OpenMetrics 1.0 has the highest quality; the first of equals wins."""
    best_quality, is_openmetrics = 0.0, False
    for choice in _choices(accept):
        is_offer = (
            choice.value == "application/openmetrics-text"
            and choice.parameters.get("version", "") in _OPENMETRICS_VERSIONS
        )
        if (is_offer or choice.value in {"text/plain", "text/*", "*/*"}) and choice.quality > best_quality:
            best_quality, is_openmetrics = choice.quality, is_offer
    return is_openmetrics


def accepts_gzip(accept_encoding: str) -> bool:
    """Return True if gzip, or ``*`` without gzip, has a quality above 0."""
    qualities = {choice.value: choice.quality for choice in _choices(accept_encoding)}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0
