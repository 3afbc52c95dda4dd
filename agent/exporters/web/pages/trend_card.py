"""The course of the site over 24 hours and 30 days, and the month to date against the 90 % line."""

from collections.abc import Sequence
from html import escape

from agent.exporters.web.pages import charts
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.headline import grade
from agent.exporters.web.pages.patterns import PATTERN_OF, patterned
from agent.history.minutes import Row
from agent.history.trend import Trend, Trends
from agent.site.status import Cause
from agent.text.losses import CAUSE_WORDS
from agent.text.numbers import SURE_COVERAGE_RATIO, TARGET_RATIO, hashrate_text, ratio_text

TICKS = 5
HEADROOM = 1.05
SWATCH = 'width="16" height="16"'


def trend_card(trends: Trends | None, trouble: str | None, frame: Frame) -> str:
    """Return the card.

    Args:
        trends: The trends; None if no history is kept, or if it could not be read.
        trouble: Why it could not be read; None if it could.
        frame: The page's frame.
    """
    if trouble is not None:
        return _card(f'<p class="soft">History could not be read: {escape(trouble)}.</p>')
    if trends is None:
        return _card('<p class="soft">This agent keeps no history (history.keep): there is no trend.</p>')
    spans = (("24 hours", trends.day, "%H:%M", "24h"), ("30 days", trends.month, "%b %d", "30d"))
    drawn = "".join(_span(words, trend, frame, form, key) for words, trend, form, key in spans)
    return _card(f'{_to_date(trends, frame)}<div class="trends">{drawn}</div>')


def _card(content: str) -> str:
    return f'<section class="card"><h2>Trend</h2>{content}</section>'


def _to_date(trends: Trends, frame: Frame) -> str:
    row, month = trends.to_date, frame.local(trends.month_start).strftime("%B %Y")
    ratio = None if row is None else row.operational_efficiency_ratio
    if row is None or ratio is None:
        return f'<p class="to-date"><strong>{month} to date:</strong> not known yet</p>'
    elapsed_s = max(frame.now - trends.month_start, 1.0)
    watched = min(1.0, row.watched_s / elapsed_s)
    verdict = "above the 90 % line" if ratio > TARGET_RATIO else "not above the 90 % line"
    is_sure = watched >= SURE_COVERAGE_RATIO
    if not is_sure:
        verdict += ", as far as was watched"
    note = f"mean operating {hashrate_text(row.operating_hs)} of {hashrate_text(row.deployed_hs)}"
    return (
        f'<p class="to-date"><strong>{month} to date:</strong>'
        f' <span class="{grade(ratio, is_sure=is_sure)}">{ratio_text(ratio)}, {verdict}</span>;'
        f' <span class="soft">{note}; {ratio_text(watched, 1)} of that time was watched</span></p>'
    )


def _span(words: str, trend: Trend, frame: Frame, form: str, key: str) -> str:
    if not trend.rows:
        return f'<div><h3>{words}</h3><p class="soft">Nothing was recorded in this time.</p></div>'
    moments = [frame.local(at).strftime(form) for at in _scale(trend, 1.0).moments(TICKS)]
    drawn = f"{_operating(words, trend, frame, moments)}{_losses(words, trend, moments, key)}"
    return f"<div><h3>{words}</h3>{drawn}</div>"


def _scale(trend: Trend, high: float) -> charts.Scale:
    return charts.Scale(first=trend.start, last=trend.end, low=0.0, high=high, step_s=trend.step_s)


def _points(trend: Trend, rows: dict[int, Row], figure: str) -> list[tuple[float, float | None]]:
    half = trend.step_s / 2
    return [
        (at + half, getattr(rows[at], figure) if at in rows else None)
        for at in range(trend.start, trend.end, trend.step_s)
    ]


def _operating(words: str, trend: Trend, frame: Frame, moments: Sequence[str]) -> str:
    rows = {row.at: row for row in trend.rows}
    operating, deployed = _points(trend, rows, "operating_hs"), _points(trend, rows, "deployed_hs")
    high = max(max(row.operating_hs, row.deployed_hs) for row in trend.rows) * HEADROOM or 1.0
    scale = _scale(trend, high)
    line = [(at, None if figure is None else figure * TARGET_RATIO) for at, figure in deployed]
    watched_s = sum(row.watched_s for row in trend.rows)
    mean_hs, mean_deployed_hs = (
        sum(getattr(row, name) * row.watched_s for row in trend.rows) / watched_s
        for name in ("operating_hs", "deployed_hs")
    )
    least = min(trend.rows, key=lambda row: row.operating_hs)
    share = f" ({ratio_text(mean_hs / mean_deployed_hs)})" if mean_deployed_hs else ""
    words_beside = (
        f"operating {hashrate_text(mean_hs)} of {hashrate_text(mean_deployed_hs)} deployed{share} on average, least"
        f" {hashrate_text(least.operating_hs)} around {frame.moment(min(least.at + trend.step_s / 2, frame.now))}"
        f"{charts.gaps_text(operating)}"
    )
    nothing = [(at, None if figure is None else 0.0) for at, figure in operating]
    drawn = [
        charts.area(nothing, operating, scale, 'class="filled"'),
        charts.line(line, scale, "target"),
        charts.line(deployed, scale, "deployed"),
        charts.line(operating, scale, "rate"),
    ]
    plot = charts.chart(
        drawn, scale, words=f"Over {words}: {words_beside}", high=hashrate_text(high, 1), low="0 H/s", moments=moments
    )
    key = "line above: deployed; dashed: 90 % of it; filled: operating"
    return f'{plot}<p class="scale">{escape(words_beside)}; {key}</p>'


def _losses(words: str, trend: Trend, moments: Sequence[str], key: str) -> str:
    watched_s = sum(row.watched_s for row in trend.rows)
    means = {
        cause: sum(row.losses_hs.get(cause, 0.0) * row.watched_s for row in trend.rows) / watched_s for cause in Cause
    }
    causes = sorted((cause for cause, mean_hs in means.items() if mean_hs > 0), key=lambda cause: -means[cause])
    if not causes:
        return '<p class="soft">No losses in this time.</p>'
    scale = _scale(trend, max(sum(row.losses_hs.values()) for row in trend.rows) * HEADROOM)
    rows = {row.at: row for row in trend.rows}
    half, steps = trend.step_s / 2, range(trend.start, trend.end, trend.step_s)
    lower: list[tuple[float, float | None]] = [(at + half, 0.0 if at in rows else None) for at in steps]
    drawn = []
    for cause in causes:
        upper = [
            (at + half, None if under is None else under + rows[at].losses_hs.get(cause, 0.0))
            for at, (_, under) in zip(steps, lower, strict=True)
        ]
        shape = charts.area(lower, upper, scale, f'id="{key}-{cause}"')
        drawn.append(
            f'<g class="{cause}">{shape}</g><use href="#{key}-{cause}" fill="url(#pattern-{PATTERN_OF[cause]})"/>'
        )
        lower = upper
    listed = "; ".join(f"{hashrate_text(means[cause])} {CAUSE_WORDS[cause]}" for cause in causes)
    legend = "".join(
        f'<li><svg class="swatch" viewBox="0 0 16 16" aria-hidden="true">'
        f"{patterned(cause, cause, SWATCH)}</svg>{hashrate_text(means[cause])} {CAUSE_WORDS[cause]}</li>"
        for cause in causes
    )
    plot = charts.chart(
        drawn,
        scale,
        words=f"Losses over {words}, on average: {listed}",
        high=hashrate_text(scale.high, 1),
        low="0 H/s",
        moments=moments,
    )
    return f'{plot}<p class="scale">losses, on average:</p><ul class="legend">{legend}</ul>'
