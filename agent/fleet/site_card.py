"""One site on the fleet's page: where it stands, what it loses, how old that is. Pure."""

from collections.abc import Iterable
from html import escape

from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.patterns import patterned
from agent.fleet.figures import SiteView, Standing
from agent.fleet.setup import Site
from agent.fleet.words import cause_words, known_cause, trouble_words
from agent.site.status import Cause
from agent.text.losses import units_text
from agent.text.numbers import SURE_COVERAGE_RATIO, TARGET_RATIO, duration_text, hashrate_text, ratio_text
from agent.text.work import diverted_text

FAIR_RATIO = 0.80
LOSSES_SHOWN = 3


def site_card(view: SiteView, site: Site, frame: Frame) -> str:
    """Return a site as an item of a list.

    Args:
        view: The site as it is now.
        site: Its configuration.
        frame: The page's.
    """
    link = site.section.link
    ratio = ratio_text(view.ratio) if view.ratio is not None else "not known"
    grade = grade_of(view.ratio, is_sure=_is_sure(view))
    return "".join(
        (
            f'<li class="card site" data-key="{escape(view.name)}">',
            f'<h3><a href="sites/{escape(view.name)}/">{escape(view.name)}</a></h3>',
            f'<p class="ratio {grade}">{ratio}</p>',
            *(f'<p class="note{kind}">{text}</p>' for kind, text in _notes(view, frame)),
            share_bar(view.figures.operating_hs, view.losses, 0.0, view.figures.deployed_hs) if view.figures else "",
            f"<dl>{''.join(_facts(view, frame))}</dl>",
            _losses(view),
            ""
            if link is None
            else f'<p class="own"><a href="{escape(link)}/" rel="noreferrer">its own address</a></p>',
            "</li>",
        )
    )


def share_bar(operating_hs: float, losses: Iterable[tuple[str, float]], unknown_hs: float, deployed_hs: float) -> str:
    """Return one bar with the shares of operating, of each loss and of what is unknown, and a mark at 90 % of deployed.

    Args:
        operating_hs: Operating.
        losses: The loss by cause, largest first.
        unknown_hs: Deployed where nothing is known.
        deployed_hs: Deployed.
    """
    parts: list[tuple[str, Cause | None, str, float]] = [("operating", None, "operating", operating_hs)]
    parts += [_loss_part(cause, hashrate_hs) for cause, hashrate_hs in losses]
    if unknown_hs:
        parts.append(("unknown", None, "unknown", unknown_hs))
    whole_hs = sum(part_hs for *_, part_hs in parts)
    if not whole_hs:
        return ""
    drawn, at = [], 0.0
    for name, cause, words, part_hs in parts:
        width = 1000 * part_hs / whole_hs
        shape = f'x="{at:.2f}" y="0" width="{width:.2f}" height="20"'
        title = f"<title>{hashrate_text(part_hs)} {escape(words)}</title>"
        drawn.append(f"<g>{title}{patterned(name, cause, shape)}</g>")
        at += width
    mark = min(1000.0, 1000 * TARGET_RATIO * deployed_hs / whole_hs)
    described = "; ".join(f"{hashrate_text(part_hs)} {escape(words)}" for _, _, words, part_hs in parts)
    return (
        f'<svg class="shares" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label="{described}">'
        f'<rect class="track" x="0" y="0" width="1000" height="20"/>{"".join(drawn)}'
        f'<line class="mark" x1="{mark:.2f}" x2="{mark:.2f}" y1="0" y2="20"/></svg>'
    )


def grade_of(ratio: float | None, *, is_sure: bool) -> str:
    """Return the class that colours an operational efficiency; what is not sure is never good."""
    if ratio is None:
        return "unsure"
    if ratio > TARGET_RATIO:
        return "good" if is_sure else "unsure"
    return "fair" if ratio > FAIR_RATIO else "poor"


def _loss_part(cause: str, hashrate_hs: float) -> tuple[str, Cause | None, str, float]:
    known = known_cause(cause)
    return known.value if known else "other", known, cause_words(cause), hashrate_hs


def _is_sure(view: SiteView) -> bool:
    is_ready = view.report is not None and view.report.is_ready
    return is_ready and (view.coverage_ratio or 0.0) >= SURE_COVERAGE_RATIO


def _notes(view: SiteView, frame: Frame) -> Iterable[tuple[str, str]]:
    """Yield class and HTML of what a reader must know before the site's figures, most severe first."""
    is_silent = view.standing in {Standing.MISSING, Standing.LATE}
    if view.standing is Standing.MISSING:
        yield " alarm", "No usable answer since this server started; what it deploys is not in the totals."
    elif view.standing is Standing.LATE and view.answered_at is not None:
        yield " alarm", f"No answer since {frame.moment(view.answered_at)}; what it operates is not known."
    for text in trouble_words(view):
        yield " alarm" if is_silent else "", escape(_sentence(text))
    yield from _diverted(view)
    report = view.report
    if report is None or is_silent:
        return
    if view.standing is Standing.WAITING:
        yield " alarm", escape(_sentence(f"No figures: {report.not_ready_reason or 'no unit can be read'}"))
    elif report.not_ready_reason is not None:
        yield " alarm", escape(_sentence(f"Not to be relied on: {report.not_ready_reason}"))
    if report.late_reason is not None and report.late_reason not in (report.not_ready_reason or ""):
        yield "", escape(_sentence(f"Its agent is late: {report.late_reason}"))
    if report.role == "active":
        yield "", "Its standby took over."
    if report.simulated_units and report.is_simulated_counted:
        yield "", f"Simulated: {units_text(report.simulated_units)}, counted like real machines."


def _diverted(view: SiteView) -> Iterable[tuple[str, str]]:
    """Yield the note of work that is diverted, with a link to its units on the agent's own page."""
    if view.figures is not None and view.figures.diverted_units:
        words = diverted_text(view.figures.diverted_units, view.figures.diverted_hs or 0.0)
        link = f'<a href="sites/{escape(view.name)}/units?pool=diverted">Its units</a>'
        yield " alarm", f"{escape(_sentence(words))} {link}"


def _facts(view: SiteView, frame: Frame) -> Iterable[str]:
    figures, report = view.figures, view.report
    if figures is not None:
        yield _fact("Operating", hashrate_text(figures.operating_hs))
    last = "" if figures is not None else ", as it said last"
    deployed = "not known" if view.deployed_hs is None else f"{hashrate_text(view.deployed_hs)}{last}"
    yield _fact("Deployed", deployed)
    if figures is not None:
        yield _fact("Coverage", ratio_text(view.coverage_ratio))
    if report is not None:
        yield _fact("Units", f"{report.units:,}")
    if view.figures_age_s is not None:
        at = frame.now - view.figures_age_s
        yield _fact("Figures", f'<time data-age="{at:.3f}">{duration_text(view.figures_age_s)}</time> old')


def _fact(name: str, value: str) -> str:
    return f"<div><dt>{name}</dt><dd>{value}</dd></div>"


def _losses(view: SiteView) -> str:
    if view.figures is None:
        return ""
    items = [
        f"<li><strong>{hashrate_text(hashrate_hs)}</strong> {escape(cause_words(cause))}</li>"
        for cause, hashrate_hs in view.losses[:LOSSES_SHOWN]
    ]
    rest = view.losses[LOSSES_SHOWN:]
    if rest:
        rest_hs = sum(hashrate_hs for _, hashrate_hs in rest)
        more = "1 other cause" if len(rest) == 1 else f"{len(rest)} other causes"
        items.append(f"<li><strong>{hashrate_text(rest_hs)}</strong> to {more}</li>")
    return f'<ul class="lost">{"".join(items)}</ul>' if items else '<p class="soft">No losses.</p>'


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
