"""What a scraper can read, from its Accept and Accept-Encoding headers.

RFC 9110, sections 12.5.1 and 12.5.3, as far as two formats and one encoding need them. Whoever asks for neither format
gets the text format, as Prometheus' own client libraries do.
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
        # A quality is 0 to 1; what is not (`nan` too) is not an offer.
        yield _Choice(value.strip().lower(), parameters, quality if 0 <= quality <= 1 else 0.0)


def wants_openmetrics(accept: str) -> bool:
    """Say whether OpenMetrics 1.0 is at least as welcome as the text format; of equals the first named wins."""
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
    """Say whether gzip is named and not refused; a bare ``*`` is taken for it too."""
    qualities = {choice.value: choice.quality for choice in _choices(accept_encoding)}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0
