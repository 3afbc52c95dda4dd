"""Log lines about fields that no reader uses: once for each name of a firmware, and bounded."""

from structlog.testing import capture_logs

from agent.runtime.unread_log import LINES_AN_INTERVAL, NAMES_A_LINE, UnreadLog
from agent.unit.reading import Identity
from agent.unit.unread import Unread, UnreadField

PRO = Identity(model="Antminer S21 Pro", firmware="Thu Jan 8 15:44:15 CST 2026")


def fields(*paths: str) -> Unread:
    """Return fields of `stats`."""
    return Unread(tuple(UnreadField(report="stats", path=path, times=1, form="number") for path in paths))


def test_a_name_is_logged_when_it_is_first_seen() -> None:
    """One line for one firmware, not one for each of its units or polls."""
    log = UnreadLog()
    with capture_logs() as lines:
        log.note("u1", PRO, fields("watt"))
        log.note("u2", PRO, fields("watt"))
        log.note("u1", PRO, fields("watt", "jt"))
        log.note("u3", PRO, fields())
    kept = {"event": "unread fields", "log_level": "info", "model": PRO.model, "firmware": PRO.firmware}
    assert lines == [
        kept | {"unit": "u1", "fields": ["stats: watt"], "more": 0},
        kept | {"unit": "u1", "fields": ["stats: jt"], "more": 0},
    ]
    assert log.figures().names == 2


def test_lines_and_names_are_bounded() -> None:
    """A site full of inventive units makes so many lines an interval, and one that counts the rest."""
    log = UnreadLog()
    with capture_logs() as lines:
        for number in range(LINES_AN_INTERVAL + 5):
            log.note(f"u{number}", Identity(model="M", firmware=f"v{number}"), fields(*(f"n{n}" for n in range(30))))
        log.close_interval()
        log.close_interval()
    assert len(lines) == LINES_AN_INTERVAL + 1
    assert (len(lines[0]["fields"]), lines[0]["more"]) == (NAMES_A_LINE, 30 - NAMES_A_LINE)
    assert lines[-1] == {"event": "more unread fields", "log_level": "info", "fields": 150}


def test_units_that_left_count_no_longer() -> None:
    """The ledger decides which units there are."""
    log = UnreadLog()
    log.note("u1", PRO, fields("watt"))
    log.forget(("u1",))
    assert log.figures().names == 0
