"""Pages of HTML taken apart, and frames, for tests of pages."""

import re
from html.parser import HTMLParser
from typing import Any

from exporter_cases import AT

from agent.exporters.web.pages.frame import Frame

VOID_TAGS = {"meta", "link", "img", "input", "br"}

# Relative, without a scheme: a proxy may serve the page under any prefix.
OWN_ADDRESS = re.compile(r"(\./|#[\w-]+|(\.\./)*[a-z][\w/.%-]*(\?[\w=&%.+-]*)?|(\.\./)+)?")


def frame(**changes: Any) -> Frame:
    """Return the frame of a page a minute after `AT`, in UTC unless `changes` says otherwise."""
    return Frame(**{"site": "nd-1", "version": "1.2.3", "now": AT + 60, "figures_at": AT} | changes)


class Parsed(HTMLParser):
    """Tags, attributes and text of a page; unbalanced tags fail the test."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag."""
        self.tags.add(tag)
        self.attributes += attrs
        # SVG shapes end with a slash; the parser passes them to handle_startendtag.
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag that closes itself."""
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost tag, which must be this one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Record text."""
        self.words.append(data)

    @property
    def addresses(self) -> list[str]:
        """Every address that the page links or loads."""
        return [value or "" for name, value in self.attributes if name in {"href", "src", "action"}]

    @property
    def foreign_addresses(self) -> list[str]:
        """Every address that is not relative to the page."""
        return [address for address in self.addresses if not OWN_ADDRESS.fullmatch(address)]

    @property
    def text(self) -> str:
        """All text, with single spaces."""
        return re.sub(r"\s+", " ", " ".join(self.words))

    @property
    def is_inert(self) -> bool:
        """True without event attributes, inline styles and scripts but the page's own."""
        scripts = [value for name, value in self.attributes if name == "src"]
        return not [name for name, _ in self.attributes if name.startswith("on") or name == "style"] and all(
            (value or "").split("?")[0].endswith(("page.js", "icon.svg")) for value in scripts
        )
