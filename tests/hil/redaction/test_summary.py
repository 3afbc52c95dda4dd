"""The screen before a capture is written."""

from hypothesis import given
from hypothesis import strategies as st
from paths import CAPTURES
from planting import capture_of, redacted

from agent.hil.redaction.redactor import Redactor
from agent.hil.redaction.summary import words_for

REPLIES = {
    "pools": b'{"POOLS":[{"URL":"stratum+tcp://ss.antpool.com:3333","User":"acme.rig1","Status":"Alive"},'
    b'{"URL":"stratum+tcp://eu.acme.net:3333","User":"acme.rig2","Status":"Dead"}]}',
    "stats": b'{"Type":"Antminer S21","sn":["A1","B2","C3","D4","E5"],"fan1":4320,"gateway":"10.0.0.1"}',
}


def words(replies: dict[str, bytes]) -> list[str]:
    """Return the screen of a capture."""
    redactor = Redactor()
    redacted(replies, redactor)
    return words_for(redactor)


def test_words() -> None:
    """Kinds with pseudonyms and places, then what stays with the reason; no secret."""
    assert words(REPLIES) == [
        "Replaced:",
        "  serial number: 5, at 5 places",
        "    now Z0 | Z1 | Z2 | and 2 more",
        "    in sn.*",
        "  account or worker: 2, at 2 places",
        "    now zzzz.zzz0 | zzzz.zzz1",
        "    in POOLS.*.User",
        "  host name: 1, at 1 place",
        "    now zz.zzzz.net",
        "    in POOLS.*.URL",
        "Kept:",
        "  public host: 1 different, at 1 place",
        "    stratum+tcp://ss.antpool.com:3333",
        "  private address: 1 different, at 1 place",
        "    10.0.0.1",
        "  model: 1 different, at 1 place",
        "    Antminer S21",
        "  words: 2 different, at 2 places",
        "    Alive | Dead",
        "  number: 1",
    ]


def test_nothing() -> None:
    """An empty capture has a screen too."""
    assert words({}) == ["Replaced:", "  nothing", "Kept:", "  nothing"]


def test_lines_fit_80_columns() -> None:
    """No line of any capture is wider."""
    for folder in CAPTURES.iterdir():
        if folder.is_dir():
            assert max(map(len, words(capture_of(folder)))) <= 80


@given(st.dictionaries(st.text(max_size=90), st.text(max_size=200), max_size=5))
def test_lines_of_any_reply_fit(reply: dict[str, str]) -> None:
    """Control characters and long names do not reach the terminal."""
    lines = words({"a\x1b[2J": str(reply).encode("utf-8", "surrogatepass")})
    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)
