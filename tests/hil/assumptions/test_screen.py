"""The one screen at the end of a record: at most 80 columns, and nothing of it lost without a word."""

from hypothesis import given
from hypothesis import strategies as st

from agent.hil.assumptions.check import Finding, Verdict
from agent.hil.assumptions.screen import WIDTH, StateSeen, UnitRead, screen
from agent.unit.unread import Unread, UnreadField

UNIT = UnitRead(
    host="10.20.0.11",
    model="Antminer S21 Pro",
    firmware="Thu Jan 8 15:44:15 CST 2026",
    bin_th=234.0,
    boards="3 of 65 chips",
    states=(StateSeen("hashing", 0.0, 610.4), StateSeen("asleep", 640.0, 640.0)),
    replies=1312,
)
WATT = UnreadField(report="stats new_api", path="STATS[].watt", times=1, form="number", example="3499")
VOLT = UnreadField(report="stats", path="STATS[].chain_vol#", times=3, form="text of 5", example="9 A")
REFUTED = Finding("A13", Verdict.REFUTED, 4, "`version`", "version VERSION[0].Miner", "71.0.1.3", 12.0)


def finding(name: str, verdict: Verdict) -> Finding:
    """Return a finding of one verdict."""
    return Finding(name, verdict, 1, "", "stats", "1", 0.0)


def test_a_screen_says_what_was_read_and_what_it_settles() -> None:
    """Model, firmware, boards and states with their times; unread fields with examples; assumptions by id."""
    findings = (REFUTED, finding("A01", Verdict.CONFIRMED), finding("A04", Verdict.CONFIRMED))
    assert screen(UNIT, Unread((WATT, VOLT), 3), (*findings, finding("A22", Verdict.NOT_SHOWN))) == [
        "unit        Antminer S21 Pro, 234 TH/s at 10.20.0.11",
        "firmware    Thu Jan 8 15:44:15 CST 2026",
        "boards      3 of 65 chips",
        "states      hashing from 0 to 610 s, asleep at 640 s",
        "replies     1,312 read",
        "unread      5 fields that no reader reads:",
        "            stats new_api: STATS[].watt (number, 3499)",
        "            stats: STATS[].chain_vol# x3 (text of 5, 9 A)",
        "            and 3 more",
        "refuted     1 assumption:",
        "            A13 version VERSION[0].Miner at 12 s: 71.0.1.3",
        "confirmed   A01 A04",
        "not shown   A22",
    ]


def test_a_unit_without_news_takes_a_dozen_lines() -> None:
    """Nothing is said of what is not there."""
    unit = UnitRead(host="u", model=None, firmware=None, bin_th=None, boards=None, states=(), replies=0)
    assert screen(unit, Unread(), ()) == [
        "unit        no model at u",
        "firmware    not told",
        "boards      none",
        "states      none known",
        "replies     0 read",
        "unread      no field: all are read, or known and left alone",
        "refuted     0 assumptions",
        "confirmed   none",
        "not shown   none",
    ]


TEXTS = st.text(max_size=200)


@given(TEXTS, TEXTS, TEXTS, st.integers(0, 40), st.integers(0, 60))
def test_every_line_fits(model: str, path: str, value: str, fields: int, refuted: int) -> None:
    """80 columns of printable text, whatever a unit says; what has no room is counted or named by id."""
    unread = Unread((UnreadField(report="stats", path=path, times=2, form="number", example=value),) * fields)
    findings = [Finding(f"A{at + 10}", Verdict.REFUTED, 1, "", path, value, 3.0) for at in range(refuted)]
    lines = screen(UNIT._replace(model=model), unread, findings)
    assert all(len(line) <= WIDTH and line.isprintable() for line in lines)
    assert all(any(each.id in line for line in lines) for each in findings)
