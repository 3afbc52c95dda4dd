"""An agent's answer about its site, as far as a fleet needs it: read strictly, from any version of the agent.

Only the fields below are kept of an answer, whose racks and models are a hundred times as long. Unknown fields are
skipped, so a newer agent is read; a field that an older one lacks has a default, unless a total needs it.
"""

import math
from datetime import datetime
from typing import Annotated

import msgspec

from agent.errors import excerpt
from agent.fleet.troubles import SiteError, Trouble, printable
from agent.text.numbers import hashrate_text

# A thousand times all hashrate there is. A larger number is a mistake.
MAX_HS = 1e24
MAX_UNITS = 10_000_000
MAX_CAUSES = 64
MAX_WORDS_CHARS = 300
# Sums of floats in another order differ in their last digits.
TOLERANCE_RATIO = 1e-6

Hashrate = Annotated[float, msgspec.Meta(ge=0, le=MAX_HS)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_UNITS)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
CauseName = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,40}$")]


class ReportedFigures(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The sums over a site, as its agent gives them.

    Attributes:
        operational_efficiency_ratio: Null while units answer and none can be read.
        diverted_units, diverted_hs: Null where the site judges no pools, and from an agent that cannot.
    """

    deployed_hs: Hashrate
    operating_hs: Hashrate
    uplift_hs: Hashrate
    known_hs: Hashrate
    losses_hs: dict[CauseName, Hashrate]
    units: Count
    operational_efficiency_ratio: float | None = 0.0
    diverted_units: Count | None = None
    diverted_hs: Hashrate | None = None

    @property
    def is_known(self) -> bool:
        """True unless units answer and nothing is known of any."""
        return self.operational_efficiency_ratio is not None or not self.deployed_hs


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's answer. Attributes as in its ``/api/v1/site``."""

    site: str
    now: datetime
    deployed_hs: Hashrate
    units: Count
    is_ready: bool
    figures: ReportedFigures | None
    version: str = ""
    not_ready_reason: str | None = None
    late_reason: str | None = None
    role: str = "primary"
    restored_units: Count = 0
    simulated_units: Count = 0
    is_simulated_counted: bool = False
    figures_age_s: Seconds | None = None


_DECODER = msgspec.json.Decoder(Report)


def read_report(body: bytes | bytearray, *, site: str) -> Report:
    """Return an agent's answer.

    Args:
        body: The body of its answer.
        site: The name that the agent must give itself.

    Raises:
        SiteError: It is no answer of an agent of that site, or its figures contradict each other.
    """
    try:
        report = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        is_lacking = "missing required field" in str(error)
        # An object without any field of ours is no agent's.
        is_agents = is_lacking and b'"deployed_hs"' in body[:4096]
        raise SiteError(Trouble.VERSION if is_agents else Trouble.NONSENSE, str(error)) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        if bytes(body[:200]).lstrip().lower().startswith((b"<!doctype", b"<html")):
            raise SiteError(Trouble.WEB_PAGE, f"a web page answers: {excerpt(bytes(body[:200]))}") from error
        raise SiteError(Trouble.NONSENSE, f"not JSON: {excerpt(bytes(body[:200]))}") from error
    if report.site != site:
        raise SiteError(Trouble.OTHER_SITE, f"it says {printable(report.site, 80)!r}, not {site!r}")
    if report.now.tzinfo is None:
        raise SiteError(Trouble.NONSENSE, "its times have no zone")
    if report.figures is not None:
        _check_sums(report.figures)
    return msgspec.structs.replace(
        report,
        role=printable(report.role, 40),
        version=printable(report.version, 40),
        not_ready_reason=_clipped(report.not_ready_reason),
        late_reason=_clipped(report.late_reason),
    )


def _check_sums(figures: ReportedFigures) -> None:
    """Raise unless deployed less losses plus uplift is operating, and no part exceeds the whole."""
    if len(figures.losses_hs) > MAX_CAUSES:
        raise SiteError(Trouble.NONSENSE, f"{len(figures.losses_hs):,} causes of loss")
    slack_hs = TOLERANCE_RATIO * max(figures.deployed_hs, figures.operating_hs)
    expected_hs = figures.deployed_hs - sum(figures.losses_hs.values()) + figures.uplift_hs
    if not math.isclose(expected_hs, figures.operating_hs, rel_tol=0, abs_tol=slack_hs):
        raise SiteError(
            Trouble.NONSENSE,
            f"deployed less losses plus uplift is {hashrate_text(expected_hs)},"
            f" and operating {hashrate_text(figures.operating_hs)}",
        )
    if (figures.diverted_hs or 0.0) > figures.operating_hs + slack_hs:
        raise SiteError(Trouble.NONSENSE, "more is diverted than operates")
    if figures.known_hs > figures.deployed_hs + slack_hs:
        raise SiteError(Trouble.NONSENSE, "more is known than is deployed")


def _clipped(text: str | None) -> str | None:
    return None if text is None else printable(text, MAX_WORDS_CHARS)
