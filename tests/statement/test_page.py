"""The page of a statement: all that the table says, as HTML that runs nothing and loads nothing."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import NamedTuple

import msgspec
import pytest
from history_cases import AT, DAY_S, HOUR_S, PH, hours
from paths import TESTS
from statement_cases import LATER, OCTOBER, OCTOBER_PERIOD, Kept, stated
from statement_pages import busy_fleet, busy_month

from agent.history.minutes import Row
from agent.site.status import Cause
from agent.statement import text as statement_text
from agent.statement.days import Day, DayBook
from agent.statement.page import MOST_LISTED, page
from agent.statement.page_style import STYLE
from agent.statement.picture import DEFINITIONS, Column, column_of_day, hashrate_top, loss_top
from agent.statement.statement import Statement, combine, state

GOLDEN = TESTS / "golden" / "statement.html"
HOSTILE = '<img src=x onerror=canary()>&"\'</style><script>canary()</script>=HYPERLINK("http://x")\u202e\x00'
VOID = {"meta", "img", "br", "hr", "input", "link"}


class Element(NamedTuple):
    """An element: its name, attributes, and all text within."""

    name: str
    attributes: dict[str, str]
    text: list[str]

    @property
    def words(self) -> str:
        """The text, with single spaces."""
        return " ".join("".join(self.text).split())


class Elements(HTMLParser):
    """The elements of a page in their order; an end tag without its beginning fails."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice: {tag} {names}"
        self.all.append(Element(tag, {name: value or "" for name, value in attrs}, []))
        if tag not in VOID:
            self._open.append(self.all[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a shape."""
        self.all.append(Element(tag, {name: value or "" for name, value in attrs}, []))

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        """Keep a text of all open elements."""
        for each in self._open:
            each.text.append(data)

    def named(self, name: str, **attributes: str) -> list[Element]:
        """Return the elements of a name, with these attributes."""
        return [
            each
            for each in self.all
            if each.name == name and all(each.attributes.get(key) == value for key, value in attributes.items())
        ]


def test_the_page_is_as_reviewed(request: pytest.FixtureRequest) -> None:
    """Three days of a month with a gap and the month before, byte for byte, but for style and patterns."""
    rows = [
        *hours(AT - 30 * DAY_S, AT, operating_hs=45 * PH),
        *hours(AT, AT + 30 * HOUR_S),
        *hours(AT + 40 * HOUR_S, AT + 60 * HOUR_S, operating_hs=52 * PH),
    ]
    statement, days = _stated_by_day(rows, now=AT + 60.0 * HOUR_S)
    written = page(statement, days).replace(STYLE, "STYLE").replace(DEFINITIONS, "PATTERNS")
    written = re.sub("sha256-[A-Za-z0-9+/=]{44}", "sha256-STYLE", written)
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(written, encoding="utf-8")
    assert written == GOLDEN.read_text(encoding="utf-8")


def _stated_by_day(rows: list[Row], *, now: float) -> tuple[Statement, list[Day]]:
    book = DayBook(OCTOBER_PERIOD)
    statement = state(Kept(rows), OCTOBER_PERIOD, now=now, taker=book)
    return statement, book.days(statement.parts[0])


def test_every_figure_note_gap_and_digest_is_there() -> None:
    """The page has each line of the table with value, share and remark, and its notes, gaps, method and digests."""
    statement, days = busy_month(every_h=60)
    found = Elements(page(statement, days))
    rows = {each.words for each in found.named("tr")}
    for line in statement_text.lines(statement):
        words = " ".join(f"{line.name} {line.note}{line.value}{line.share}".split())
        assert any("".join(row.split()) == "".join(words.split()) for row in rows), line
    listed = {each.words for each in found.named("li")}
    assert listed >= set(statement.notes)
    assert listed >= set(statement_text.gaps(statement))
    paragraphs = {each.words for each in found.named("p")}
    assert {statement.method, statement_text.before(statement)} <= paragraphs
    assert [each.words for each in found.named("code")] == [statement.parts[0].inputs.digest]


def test_it_says_what_it_is() -> None:
    """Language, titles of page and drawings, headers of rows and columns: what a screen reader needs."""
    statement, days = busy_month()
    found = Elements(page(statement, days))
    assert found.named("html")[0].attributes["lang"] == "en"
    assert found.named("title")[0].words == statement_text.title(statement) == found.named("h1")[0].words
    drawings = found.named("svg", role="img")
    assert len(drawings) == 2
    titles = {each.attributes["id"]: each for each in (*found.named("title")[1:], *found.named("desc"))}
    for drawing in drawings:
        name, description = drawing.attributes["aria-labelledby"].split()
        assert titles[name].words.startswith(("Operating against deployed by day", "Losses by cause and day"))
        assert titles[description].words
    tables = found.named("table")
    assert len(tables) == 4
    heads = found.named("th")
    assert {each.attributes["scope"] for each in heads} == {"row", "col"}
    # A row has one header, and every day is one.
    assert len(found.named("th", scope="row")) == len(found.named("tr")) - len(tables)
    days_named = [each.words for each in found.named("th", scope="row") if re.fullmatch("10-[0-9]{2}", each.words)]
    assert days_named == [f"10-{day:02}" for day in range(1, 32)]


def test_it_runs_nothing_and_loads_nothing() -> None:
    """No script, no address of any kind, no inline style; its own policy allows its own style and nothing else."""
    html = page(*busy_month())
    found = Elements(html)
    assert {each.name for each in found.all} & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "form",
        "a",
        "use",
    } == set()
    for each in found.all:
        assert not {"src", "href", "style", "action", "background"} & set(each.attributes), each
        assert not any(name.startswith("on") for name in each.attributes), each
    assert "http:" not in html
    assert "https:" not in html
    assert re.findall(r"url\((?!#)", html) == []
    assert "@import" not in html
    policy = found.named("meta", **{"http-equiv": "Content-Security-Policy"})[0].attributes["content"]
    (style,) = found.named("style")
    digest = base64.b64encode(hashlib.sha256("".join(style.text).encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_hostile_names_are_text() -> None:
    """A site's name with markup, quotes and a formula is shown; what is not printable is replaced."""
    statement = stated(hours(*OCTOBER), site=HOSTILE)
    html = page(combine([statement, stated(hours(*OCTOBER, operating_hs=40 * PH), site="beta")], now=LATER))
    found = Elements(html)
    assert not found.named("img")
    assert not found.named("script")
    printable = HOSTILE.replace("\u202e", "\ufffd").replace("\x00", "\ufffd")
    assert printable in found.named("title")[0].words
    assert printable in [each.words for each in found.named("th", scope="row")]
    assert printable in [each.words for each in found.named("th", scope="rowgroup")]
    assert "\u202e" not in html
    assert "\x00" not in html


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_cell_is_a_formula(name: str) -> None:
    """A name that a spreadsheet would compute has an apostrophe before it, on the page and as CSV."""
    statement = stated(hours(*OCTOBER), site=name)
    cells = [each.words for each in Elements(page(statement)).named("th", scope="row")]
    assert cells.count(f"'{name}") == 2
    assert f"sites,'{name}" in statement_text.csv(statement)


def test_long_lists_are_cut_on_paper_and_go_on_on_a_screen() -> None:
    """Of 372 gaps some are printed, with how many more there are; of 3,000 the page lists 500."""
    statement, days = busy_month(every_h=2)
    found = Elements(page(statement, days))
    listed = [each for each in found.named("li") if "60 minutes: crash" in each.words]
    assert len(listed) == len(statement.parts[0].unseen.gaps) == 372
    printed = [each for each in listed if each.attributes.get("class") != "screen"]
    (more,) = found.named("li", **{"class": "paper"})
    assert more.words == f"and {372 - len(printed)} more: see the JSON form"
    assert 3 <= len(printed) <= 12
    (part,) = statement.parts
    many = tuple(part.unseen.gaps * 9)[:3000]
    unseen = msgspec.structs.replace(part.unseen, gaps=many)
    longer = msgspec.structs.replace(statement, parts=(msgspec.structs.replace(part, unseen=unseen),))
    found = Elements(page(longer, days))
    assert sum("60 minutes: crash" in each.words for each in found.named("li")) == MOST_LISTED
    assert f"and {3000 - MOST_LISTED:,} more: see the JSON form" in [each.words for each in found.named("li")]


def test_without_rows_it_shows_the_sites() -> None:
    """JSON statements hold no days: the picture then has a column for each site, and says why."""
    fleet = busy_fleet()
    found = Elements(page(fleet))
    assert any("JSON statements hold no days" in each.words for each in found.named("p"))
    names = [each.words for each in found.named("th", scope="row")]
    assert [name for name in names if name in {part.site for part in fleet.parts}] == 2 * [
        part.site for part in fleet.parts
    ]
    assert found.named("svg", role="img")[0].text


def test_a_large_fleet_is_counted() -> None:
    """Forty sites are a number in the heading, and numbered in table and picture."""
    base = stated(hours(*OCTOBER))
    parts = tuple(msgspec.structs.replace(base.parts[0], site=f"site-{number:02}") for number in range(40))
    found = Elements(page(msgspec.structs.replace(base, parts=parts)))
    assert found.named("h1")[0].words == "Draft statement of 40 sites, 2025-10 (31 days, UTC)"
    assert "40. site-39" in [each.words for each in found.named("th", scope="row")]
    assert "and 30 more sites: see the JSON form" in [each.words for each in found.named("p", **{"class": "paper"})]


# The picture


def _boxes(path: Element) -> list[tuple[float, float]]:
    """Return width and height of each box of a path."""
    found = re.findall(r"h([0-9.]+)v([0-9.]+)h", path.attributes["d"])
    return [(float(width), float(height)) for width, height in found]


def _columns(*days: Row) -> list[Column]:
    _, found = _stated_by_day(list(days), now=LATER)
    return [column_of_day(day) for day in found]


def test_columns_are_as_wide_as_their_time() -> None:
    """A day that was watched for 18 of 24 hours has a bar of three quarters of its width, and a hatched quarter."""
    rows = [*hours(AT, AT + 30 * HOUR_S), *hours(AT + 36 * HOUR_S, OCTOBER[1])]
    first, second = _columns(*rows)[:2]
    assert (first.passed, first.watched, second.passed, second.watched) == (1.0, 1.0, 1.0, 0.75)
    statement, days = _stated_by_day(rows, now=LATER)
    found = Elements(page(statement, days))
    bars = _boxes(found.named("path", **{"class": "operating"})[0])
    hatched = _boxes(found.named("path", fill="url(#unwatched)")[0])
    assert bars[1][0] / bars[0][0] == pytest.approx(0.75, abs=0.001)
    assert hatched[0][0] / bars[0][0] == pytest.approx(0.25, abs=0.001)


def test_the_stack_is_the_losses() -> None:
    """The lower drawing's boxes of a day are as high as its losses; their pattern names the cause."""
    rows = hours(*OCTOBER, losses_hs={Cause.CURTAILED: 3 * PH, Cause.STOPPED: PH})
    statement, days = _stated_by_day(rows, now=LATER)
    stacks = Elements(page(statement, days)).named("path", **{"class": "loss"})
    assert [each.attributes["fill"] for each in stacks] == ["url(#loss-curtailed)", "url(#loss-stopped)"]
    assert [len(_boxes(each)) for each in stacks] == [31, 31]
    curtailed, stopped = (_boxes(each)[0][1] for each in stacks)
    assert curtailed / stopped == pytest.approx(3.0, abs=0.01)
    # 8 % of deployed on a scale to 10 %.
    assert (curtailed + stopped) / 200 == pytest.approx(0.8, abs=0.001)


@pytest.mark.parametrize(
    ("deployed_hs", "operating_hs", "top_hs", "top_loss"),
    [
        (50 * PH, 46 * PH, 56 * PH, 0.1),
        (10 * PH, 9.9 * PH, 12 * PH, 0.02),
        (99.5 * PH, 20 * PH, 120 * PH, 1.0),
        (1 * PH, 1.1 * PH, 1.2 * PH, 0.02),
    ],
)
def test_scales_end_at_round_figures(deployed_hs: float, operating_hs: float, top_hs: float, top_loss: float) -> None:
    """The upper edge is a figure whose quarters are short, just above what is drawn."""
    columns = _columns(*hours(*OCTOBER, deployed_hs=deployed_hs, operating_hs=operating_hs, known_hs=deployed_hs))
    assert hashrate_top(columns) == pytest.approx(top_hs)
    assert loss_top(columns) == top_loss


def test_nothing_deployed_draws_nothing() -> None:
    """A site without units has a page with dashes."""
    names = ("units", "deployed_hs", "operating_hs", "known_hs", "efficient_watts", "efficient_hs")
    zeros = dict.fromkeys((*names, "efficient_deployed_hs"), 0.0)
    rows = hours(*OCTOBER, **zeros, losses_hs={}, units_by_state={})
    statement, days = _stated_by_day(rows, now=LATER)
    found = Elements(page(statement, days))
    assert "Nothing was deployed." in [each.words for each in found.named("strong")]
    assert not found.named("path", **{"class": "operating"})
    assert not found.named("path", **{"class": "loss"})
