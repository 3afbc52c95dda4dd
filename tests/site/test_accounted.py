"""The hashrate that alerts go by, and dark containers, against the shipped recording rules."""

import pytest
from exporter_cases import AT, entry, reading, status

from agent.errors import RefusedError, UnreachableError
from agent.site.accounted import DARK_BELOW_RATIO, accounted_hs, accounted_ratio, is_dark
from agent.site.status import Cause
from agent.site.totals import Figures, site_figures
from grafana.levels import DARK_BELOW

SILENT = UnreachableError("no answer")


def sums(*, hashing: int = 0, silent: int = 0, losses_th: dict[Cause, float] | None = None) -> Figures:
    """Return the figures of units of 200 TH/s; `losses_th` are moved there from what is lost to silence."""
    units = [status(entry(f"h{n}"), reading(f"h{n}", hashrate_5s_hs=200e12)) for n in range(hashing)]
    units += [status(entry(f"s{n}"), error=SILENT) for n in range(silent)]
    figures = site_figures(units, AT).site
    for cause, loss_th in (losses_th or {}).items():
        figures.losses_hs[cause] += loss_th * 1e12
        figures.losses_hs[Cause.UNREACHABLE] -= loss_th * 1e12
    return figures


def test_the_limit_is_that_of_the_rules() -> None:
    """The page and the alert call the same containers dark."""
    assert DARK_BELOW_RATIO == DARK_BELOW


def test_curtailed_is_accounted_for() -> None:
    """What a curtailment took counts, and so does what starts after one, but nothing else."""
    figures = sums(hashing=5, silent=5, losses_th={Cause.CURTAILED: 400, Cause.STARTING: 200})
    assert accounted_hs(figures, is_restoring=False) == 1.4e15
    assert accounted_hs(figures, is_restoring=True) == 1.6e15
    assert accounted_ratio(figures, is_restoring=False) == 0.7
    assert accounted_ratio(sums(), is_restoring=False) is None


@pytest.mark.parametrize(
    ("figures", "dark"),
    [
        (sums(hashing=1, silent=9), False),
        (sums(hashing=1, silent=10), True),
        (sums(silent=3), False),
        (sums(silent=4), True),
        (sums(silent=10, losses_th={Cause.MAINTENANCE: 200}), False),
        (sums(silent=10, losses_th={Cause.CURTAILED: 200}), False),
        (sums(silent=10, losses_th={Cause.STARTING: 200}), True),
        (sums(), False),
    ],
)
def test_dark_is_below_a_tenth_without_an_explanation(figures: Figures, *, dark: bool) -> None:
    """A container is dark below a tenth of its nameplate, unless curtailment or maintenance explains it."""
    assert is_dark(figures, is_restoring=False) is dark


def test_units_that_answer_and_cannot_be_read_may_hash() -> None:
    """A container of which nothing is known is not called dark."""
    units = [status(entry(f"u{n}"), error=RefusedError("code 45", code=45)) for n in range(10)]
    assert not is_dark(site_figures(units, AT).site, is_restoring=False)
