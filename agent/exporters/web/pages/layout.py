"""The document around a page's content: head, navigation, banners, footer.

Every link is relative to the page, so that a proxy or a fleet's server can serve the pages under any prefix. Without
the script a page says as of when it is and has a link that loads it again; with it, sections marked `data-live` refresh
in place.
"""

from collections.abc import Iterable
from datetime import UTC
from html import escape

from agent.exporters.web.asset_files import asset_address
from agent.exporters.web.pages.banners import Banner, banner_list
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.patterns import PATTERNS

REFRESH_S = 10


def document(
    frame: Frame,
    *,
    title: str | None = None,
    body: Iterable[str],
    banners: Iterable[Banner] = (),
    styles: Iterable[str] = (),
    scripts: Iterable[str] = (),
    kind: str = "",
) -> str:
    """Return a whole page as HTML.

    Args:
        frame: What stands around the content.
        title: The page's heading, as plain text; None for the site's first page, whose heading is the site's name.
        body: The content as HTML, in pieces.
        banners: Banners of this page, beside those of the frame.
        styles: Style sheets of `ASSETS` that this page needs beside that of every page.
        scripts: Scripts of `ASSETS` likewise.
        kind: Class of the whole page, for its styles; empty for a usual one.
    """
    site, root = escape(frame.site), frame.root
    heads = f"{site} - hashsight" if title is None else f"{escape(title)} - {site} - hashsight"
    body_class = f' class="{kind}"' if kind else ""
    heading = "" if title is None else f"<h1>{escape(title)}</h1>"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f"<title>{heads}</title>",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<link rel="icon" href="{root}{asset_address("icon.svg")}" type="image/svg+xml">',
            f'<link rel="stylesheet" href="{root}{asset_address("page.css")}">',
            *(f'<link rel="stylesheet" href="{root}{asset_address(name)}">' for name in styles),
            f'<script src="{root}{asset_address("page.js")}" defer></script>',
            *(f'<script src="{root}{asset_address(name)}" defer></script>' for name in scripts),
            "</head>",
            f'<body{body_class} data-refresh="{REFRESH_S}" data-now="{frame.now:.3f}">{PATTERNS}',
            '<a class="skip" href="#content">Skip to content</a>',
            '<div class="page">',
            _header(frame, is_heading=title is None),
            _navigation(frame),
            '<section data-live="banners" aria-label="Notices">',
            f"{banner_list((*frame.banners, *banners), root)}</section>",
            f'<main id="content" tabindex="-1" data-live="content">{heading}',
            *body,
            "</main>",
            _footer(frame),
            "</div></body>",
            "</html>",
            "",
        )
    )


def _header(frame: Frame, *, is_heading: bool) -> str:
    tag = "h1" if is_heading else "p"
    at = frame.now if frame.figures_at is None else frame.figures_at
    word = "page as of" if frame.figures_at is None else "figures as of"
    local, utc = frame.local(at), frame.local(at).astimezone(UTC)
    return (
        f'<header><img src="{frame.root}{asset_address("icon.svg")}" width="34" height="34" alt="">'
        f'<{tag} class="brand">{escape(frame.site)}</{tag}>'
        f'<p class="as-of" data-live="as-of">{word} <time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">'
        f"{local:%Y-%m-%d %H:%M:%S}</time> {escape(frame.zone.key)}</p>"
        '<p class="refresh" role="status"><a href="">Load again</a></p></header>'
    )


def _navigation(frame: Frame) -> str:
    items = []
    for link in frame.navigation:
        current = ' aria-current="page"' if link.address == frame.current else ""
        items.append(
            f'<li><a href="{escape(frame.root + link.address or "./")}"{current}>{escape(link.words)}</a></li>'
        )
    return f'<nav class="pages" aria-label="Pages"><ul>{"".join(items)}</ul></nav>'


def _footer(frame: Frame) -> str:
    listed = "".join(
        f'<li><a href="{escape(frame.root + link.address)}">{escape(link.words)}</a></li>' for link in frame.data
    )
    return (
        f'<footer><nav aria-label="Data"><ul>{listed}</ul></nav><p>hashsight {escape(frame.version)}. Figures are'
        " instantaneous and reported by the units unless stated otherwise.</p></footer>"
    )
