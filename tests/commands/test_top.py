"""`hashsight top`: keys, pictures at every size, and the program itself on a terminal of its own."""

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from exporter_cases import AT, entry, reading, status
from patience import PATIENT_S
from programs import free_port
from rich.cells import cell_len
from typer.testing import CliRunner
from web_site import UNITS, served, source

from agent.commands.command_line import app
from agent.commands.top_answers import Answers, read_answers
from agent.commands.top_picture import LEAST_COLUMNS, LEAST_ROWS, page_rows, picture
from agent.commands.top_state import ORDERS, View
from agent.commands.top_terminal import Keys
from agent.errors import AgentError, UnreachableError
from agent.exporters.web.site_answers import site_answer
from agent.exporters.web.unit_answers import unit_list_answer
from agent.exporters.web.unit_query import UnitQuery, query_text
from agent.site.ledger.entries import Place
from agent.site.reasons import Reason
from agent.site.status import Cause, Loss, UnitState, UnitStatus
from agent.site.totals import site_figures

QUERY = UnitQuery(sort="unexplained", is_descending=True, limit=200)
DARK = tuple(
    status(
        entry(f"d{number}", place=Place(container="C3", rack="C3-R1", slot=str(number))),
        error=UnreachableError("no answer"),
    )
    for number in range(6)
)


def answers(statuses: tuple[UnitStatus, ...] = (*UNITS, *DARK), **changes: Any) -> Answers:
    """Return what the agent of these units answers to `QUERY`."""
    site = site_answer(
        "nd-1",
        "1.2.3",
        site_figures(statuses, AT),
        statuses,
        **{"unreadiness": None, "now": AT + 2, "zone": source().zone(), "seen_from": AT - 60, **changes},
    )
    page, total = QUERY.select(statuses)
    units = unit_list_answer(page, total, offset=0, limit=200, now=AT + 2)
    return read_answers(msgspec.to_builtins(site, str_keys=True), msgspec.to_builtins(units, str_keys=True))


def view(given: Answers | None = None, **changes: Any) -> View:
    """Return a view that was answered at second 100 of the clock."""
    shown = View(source="http://127.0.0.1:9184", every_s=5.0, query=QUERY, **changes)
    shown.on_answers(given or answers(), 100.0)
    return shown


def lines(shown: View, columns: int = 80, rows: int | None = 24, clock_s: float = 101.0) -> list[str]:
    """Return a picture's text."""
    return [line.plain for line in picture(shown, columns=columns, rows=rows, clock_s=clock_s)]


def pressed(shown: View, *keys: str) -> View:
    """Return the view after some keys."""
    for key in keys:
        shown.on_key(key, 10)
    return shown


def test_what_is_wrong_where_and_what_to_do_are_on_the_first_screen() -> None:
    """80 x 24: headline with coverage, the dark container, the largest loss with places, advice, units with reasons."""
    shown = lines(view())
    assert re.match(r"nd-1: \d+\.\d\d %  .* of .* coverage \d+\.\d %", shown[0])
    assert "DARK: C3 (6 units)" in shown
    assert any(re.search(r"unreachable: 8 units, 6 in C3", line) for line in shown)
    assert any(line.startswith("C3 ") and "DARK: 6 unreachable" in line for line in shown)
    assert any(line.startswith("no answer (7 units): check power, then the network cable") for line in shown)
    assert any(re.match(r"d\d +C3 R1 \d +- 100\.0 % unreachable: no answer", line) for line in shown)
    assert shown[-1].startswith("h help  q quit")


@pytest.mark.parametrize("columns", [LEAST_COLUMNS, 60, 80, 104, 200])
@pytest.mark.parametrize("rows", [LEAST_ROWS, 12, 24, 60])
def test_a_picture_fits_its_terminal(columns: int, rows: int) -> None:
    """At every size no line is wider than the terminal, none is missing below, and the keys are on the last."""
    for shown in (view(), pressed(view(), "/", "x"), pressed(view(), "p")):
        drawn = lines(shown, columns, rows)
        assert len(drawn) <= rows
        assert all(cell_len(line) <= columns for line in drawn)
    units = [line for line in lines(view(), columns, rows) if re.match(r"[a-d]\d ", line)]
    assert units
    assert len(units) == min(page_rows(view(), columns=columns, rows=rows), len(UNITS) + len(DARK))


@pytest.mark.parametrize("rows", range(LEAST_ROWS, 18))
@pytest.mark.parametrize("clock_s", [101.0, 500.0])
def test_many_warnings_push_no_headline_off_a_low_terminal(rows: int, clock_s: float) -> None:
    """Rows that do not fit would scroll the first ones away: what is stale would look like now."""
    given = answers()
    assert given.site.figures is not None
    figures = msgspec.structs.replace(given.site.figures, curtailment_nameplate_hs=1e15, stragglers=2, unrestored=3)
    site = msgspec.structs.replace(
        given.site, figures=figures, late_reason="2 units not looked at", role="standby", restored_units=4
    )
    drawn = lines(view(msgspec.structs.replace(given, site=site)), 80, rows, clock_s)
    assert len(drawn) <= rows
    is_stale = clock_s > 200
    assert drawn[0].startswith(" STALE for " if is_stale else "nd-1: ")
    assert any(line.startswith("LATE: ") for line in drawn)
    assert drawn[-1].startswith("h help  q quit")


def test_a_terminal_too_small_says_so() -> None:
    """Below the least size there is one line, cut to the width."""
    assert lines(view(), 20, 5) == ["at least 40 x 8 ne.."]


def test_wide_terminals_have_addresses_and_models() -> None:
    """From 104 columns on, a unit's address and model stand in its row."""
    assert any("10.0.0.9" in line and "S21" in line for line in lines(view(), 120))
    assert not any("10.0.0.9" in line for line in lines(view(), 80))


def test_hostile_names_steer_no_terminal() -> None:
    """Control characters of names are shown escaped, and names that are wider than they are long keep the columns."""
    hostile = status(entry("\x1b[2J", place=Place(container="容器\x07", rack="", slot="")), reading("\x1b[2J"))
    drawn = lines(view(answers((hostile, *UNITS))))
    assert not any(char in line for line in drawn for char in "\x1b\x07")
    assert all(cell_len(line) <= 80 for line in drawn)


def test_the_last_figures_of_an_agent_that_is_gone_are_of_the_past() -> None:
    """The first line says for how long and why, the headline says so too, and no colour of the present stays."""
    shown = view()
    shown.on_trouble("no answer from http://127.0.0.1:9184: Connection refused")
    drawn = picture(shown, columns=80, rows=24, clock_s=134.0)
    assert drawn[0].plain.startswith(" STALE for 34 s: no answer from http://127.0.0.1:9184")
    assert drawn[1].plain.startswith("nd-1, as last heard: ")
    assert {str(line.style) for line in drawn[1:-1]} == {"dim"}
    assert not any(span.style for line in drawn[1:-1] for span in line.spans)
    shown.on_answers(answers(), 140.0)
    assert not any("STALE" in line or "as last heard" in line for line in lines(shown, clock_s=141.0))


def test_an_agent_that_only_hangs_becomes_stale_too() -> None:
    """Without any answer, the figures are of the past after two and a half looks."""
    assert not lines(view(), clock_s=112.0)[0].startswith(" STALE")
    assert lines(view(), clock_s=113.0)[0].startswith(" STALE for 13 s")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lateness": "12 of 12 units not looked at for 40 s"}, "LATE: 12 of 12 units not looked at for 40 s"),
        ({"unreadiness": "the agent stood still"}, "NOT READY: the agent stood still"),
        ({"role": "standby"}, "this agent stands by for another one"),
    ],
)
def test_an_agent_that_is_late_says_so_above_the_figures(changes: dict[str, Any], words: str) -> None:
    """The agent's own doubts stand in the third line, and its ratio has no colour of good or bad."""
    drawn = picture(view(answers(**changes)), columns=80, rows=24, clock_s=101.0)
    assert drawn[2].plain == words
    is_doubted = words.startswith(("LATE", "NOT READY"))
    assert any(str(span.style).endswith(("red", "green", "yellow")) for span in drawn[0].spans) is not is_doubted


def test_curtailed_units_are_no_dark_container() -> None:
    """A container that is off on purpose is curtailed, and neither dark nor red."""
    asleep = tuple(replace_state(each) for each in DARK)
    drawn = lines(view(answers((*UNITS, *asleep))))
    assert not any("DARK" in line for line in drawn)
    assert any("curtailed on purpose: 6 units, 6 in C3" in line for line in drawn)


def test_what_is_off_on_purpose_hides_no_trouble() -> None:
    """Curtailed units and their container come after those in trouble, and no advice counts them."""
    asleep = tuple(replace_state(each) for each in DARK)
    given = answers((*asleep, *UNITS))
    drawn = lines(view(given))
    order = [each.unit_id for each in given.units.units]
    assert {*order[-len(asleep) :]} == {each.entry.unit_id for each in asleep}
    assert not any(line.startswith("asleep (") for line in drawn)
    containers = [line for line in drawn if re.match(r"(C\d) .*(all hash|unreachable|stopped|curtailed)", line)]
    assert containers[-1].startswith("C3 ")


def test_a_container_that_falls_asleep_on_order_is_not_dark() -> None:
    """Its units start once more before they sleep: starting is explained while a curtailment covers them."""
    starting = tuple(
        msgspec.structs.replace(replace_state(each), state=UnitState.STARTING, losses=(Loss(Cause.STARTING, 200e12),))
        for each in DARK
    )
    given = answers((*UNITS, *starting))
    assert "DARK: C3 (6 units)" in lines(view(given))
    containers = [
        msgspec.structs.replace(each, figures=msgspec.structs.replace(each.figures, curtailment_nameplate_hs=1.2e15))
        for each in given.site.containers or ()
    ]
    covered = msgspec.structs.replace(given, site=msgspec.structs.replace(given.site, containers=containers))
    assert not any("DARK" in line for line in lines(view(covered)))


def test_a_loss_without_its_units_says_why() -> None:
    """Units that recovered since the figures were computed are not `0 units`."""
    given = answers()
    gone = [msgspec.structs.replace(each, units=0, places=[]) for each in given.site.losses or ()]
    drawn = lines(view(msgspec.structs.replace(given, site=msgspec.structs.replace(given.site, losses=gone))))
    assert any("unreachable: units that changed since these figures" in line for line in drawn)


def test_a_phone_keeps_the_words() -> None:
    """On 44 columns the tables have fewer columns; coverage, places and reasons stay readable."""
    drawn = lines(view(), 44)
    assert drawn[1].startswith("coverage ")
    assert any(re.match(r"d\d +100\.0 % unreachable: no answer", line) for line in drawn)
    assert any(re.match(r"C3 +0\.00 % DARK: 6 unreach", line) for line in drawn)
    assert any(re.match(r" *\d[\d.]+ PH/s unreachable: 8 units, 6 in", line) for line in drawn)


def replace_state(one: UnitStatus) -> UnitStatus:
    """Return a unit that a declared event turned off."""
    lost = tuple(loss._replace(cause=Cause.CURTAILED) for loss in one.losses)
    asleep = {"reason": Reason.ASLEEP, "why": "asleep"}
    return msgspec.structs.replace(one, state=UnitState.CURTAILED, losses=lost, error=None, is_known=True, **asleep)


def test_before_the_first_figures_the_reason_is_shown() -> None:
    """An agent in its first round has no figures: the reason stands there, and no zero."""
    given = answers()
    site = msgspec.structs.replace(
        given.site, figures=None, losses=None, containers=None, not_ready_reason="first round under way"
    )
    drawn = lines(view(msgspec.structs.replace(given, site=site)))
    assert drawn[1] == "no figures: first round under way"
    assert "%" not in drawn[0]


def test_keys_choose_order_and_units() -> None:
    """Each filter goes through what is there and ends with all; the query is the API's own."""
    shown = pressed(view(), "s", "s", "s")
    assert (shown.order, shown.query.sort, shown.query.is_descending) == ("since", *ORDERS["since"])
    assert pressed(shown, "r").query.is_descending is False
    shown = pressed(view(), "c")
    assert (shown.query.container, shown.is_wanting) == ("C1", True)
    seen = [pressed(shown, "c").query.container for _ in range(3)]
    assert seen == ["C2", "C3", None]
    assert pressed(view(), "l").query.cause is Cause.UNREACHABLE
    assert pressed(view(), "t").query.state is UnitState.HASHING
    assert query_text(pressed(view(), "l", "c").query) == "cause=unreachable&container=C1&sort=-unexplained&limit=200"
    assert pressed(view(), "l", "c", "t", "x").query == QUERY


def test_owners_stand_below_the_containers_where_there_are_any() -> None:
    """The worst first, with what does not hash; a key shows one's units. A short terminal has no lines for them."""
    owned = tuple(
        msgspec.structs.replace(each, entry=msgspec.structs.replace(each.entry, owner=owner))
        for each, owner in zip((*UNITS, *DARK), ("North",) * len(UNITS) + ("South",) * len(DARK), strict=True)
    )
    shown = view(answers(owned))
    drawn = lines(shown, rows=40)
    at = next(number for number, each in enumerate(drawn) if each.startswith("owner "))
    assert drawn[at + 1].startswith("South ")
    assert drawn[at + 1].endswith("6 unreachable")
    assert drawn[at + 2].startswith("North ")
    assert not any(each.startswith("owner ") for each in lines(shown, rows=16))
    assert not any(each.startswith("owner ") for each in lines(view(), rows=40))
    assert len([each for each in drawn if re.match(r"[a-d]\d ", each)]) == len(owned)
    assert [pressed(shown, "o").query.owner for _ in range(3)] == ["North", "South", None]
    assert "only South (x: all)" in lines(pressed(shown, "o", "o"), 120)[-1]
    assert pressed(shown, "x").query == QUERY
    assert pressed(view(), "o").query.owner is None
    for rows in (LEAST_ROWS, 20, 24, 60):
        assert len(lines(shown, rows=rows)) <= rows


def test_a_search_is_typed_and_ended() -> None:
    """Letters are the search's own while it is typed: q does not quit. Enter searches, Escape drops it."""
    shown = pressed(view(), "/", "q", "1", "backspace", "é")
    assert (shown.typed, shown.is_over) == ("qé", False)
    assert lines(shown)[-1].startswith("/qé_")
    assert pressed(shown, "enter").query.text == "qé"
    assert 'only "qé" (x: all)' in lines(shown)[-1]
    assert pressed(shown, "/", "z", "escape").query.text == "qé"


def test_moving_stays_among_the_units() -> None:
    """Pages and single steps move the first unit shown; neither before the first nor behind the last."""
    offsets = [pressed(shown := view(), *keys).query.offset for keys in MOVES]
    assert offsets == [10, 11, 0, 0, 11]
    assert shown.is_wanting


MOVES = (
    ("page down",),
    ("page down", "j"),
    ("page down", "page up", "k"),
    ("page down", "home"),
    ("page down", "page down", "page down"),
)


def test_a_paused_view_asks_nothing_and_says_so() -> None:
    """While paused nothing is wanted and no age makes it stale, but it says how old it is; then it looks at once."""
    shown = pressed(view(), "p")
    assert (shown.is_wanting, shown.past_s(200.0)) == (False, 100.0)
    drawn = lines(shown, clock_s=200.0)
    assert (drawn[-1].startswith("PAUSED"), "figures 102 s old at" in drawn[1]) == (True, True)
    assert pressed(shown, " ").is_wanting


def test_help_covers_the_picture_until_a_key() -> None:
    """Every key of the help does something, and any key goes back."""
    shown = pressed(view(), "h")
    assert lines(shown)[0].startswith("s      next order")
    assert all(len(line) <= 80 for line in lines(shown))
    assert pressed(shown, "s").query == QUERY
    assert not shown.is_helping


def test_keys_are_told_apart_in_pieces() -> None:
    """Bytes of a key that come apart are one key; an escape that nothing follows is Escape; an unknown key is none."""
    keys = Keys()
    assert keys.feed(b"s\x1b[A\x1b[6~\r\x7f") == ["s", "up", "page down", "enter", "backspace"]
    assert (keys.feed(b"\x1b"), keys.feed(b"[B"), keys.flush()) == ([], ["down"], [])
    assert (keys.feed(b"\x1b"), keys.flush(), keys.flush()) == ([], ["escape"], [])
    assert (keys.feed("é".encode()[:1]), keys.feed("é".encode()[1:])) == ([], ["é"])
    assert keys.feed(b"\x1b[1;5Cq") == ["\x1b[1;5C", "q"]
    assert keys.feed(b"\xff\xfe") == ["\ufffd", "\ufffd"]


def test_answers_of_another_form_are_one_message() -> None:
    """A page of something else is refused with what does not fit."""
    with pytest.raises(AgentError, match="does not fit this version"):
        read_answers({"site": 1}, {})


# The program itself.


class Shown(NamedTuple):
    """A running `hashsight top` and its terminal."""

    process: "subprocess.Popen[bytes]"
    terminal: int
    modes: list[Any]

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.terminal, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Resize the terminal, which signals the program."""
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def until(self, words: bytes, seen: bytes = b"") -> bytes:
        """Return what was drawn until some words came."""
        end = time.monotonic() + PATIENT_S
        while words not in seen and time.monotonic() < end:
            try:
                seen += os.read(self.terminal, 65536)
            except OSError:
                break
        assert words in seen, seen[-2000:]
        return seen

    def is_restored(self) -> bool:
        """Return True if the terminal is in the modes that it had before the program."""
        return termios.tcgetattr(self.terminal) == self.modes


@contextmanager
def on_terminal(*arguments: str, columns: int = 80, rows: int = 24, **environment: str) -> Iterator[Shown]:
    """Run `hashsight top` on a terminal of its own, and kill it if it is still there at the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    modes = termios.tcgetattr(ours)
    left = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    with subprocess.Popen(
        (sys.executable, "-m", "agent", "top", *arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=left | {"TERM": "xterm-256color"} | environment,
    ) as process:
        os.close(theirs)
        try:
            yield Shown(process, ours, modes)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            os.close(ours)


def shown_and_ended(url: str) -> dict[str, tuple[int, bool, bool]]:
    """Show the site and end the view in each way; return exit status, modes restored, old screen restored."""
    ends = {}
    for name, end in {
        "q": lambda shown: shown.press(b"q"),
        "Ctrl-C": lambda shown: shown.process.send_signal(signal.SIGINT),
        "SIGTERM": lambda shown: shown.process.send_signal(signal.SIGTERM),
        "SIGHUP": lambda shown: shown.process.send_signal(signal.SIGHUP),
    }.items():
        with on_terminal("--url", url) as shown:
            drawn = shown.until(b"h help")
            assert b"\x1b[?1049h" in drawn
            assert not shown.is_restored()
            end(shown)
            after = shown.until(b"\x1b[?1049l")
            ends[name] = (shown.process.wait(PATIENT_S), shown.is_restored(), b"\x1b[?25h" in after)
    return ends


def keys_pressed(url: str) -> None:
    """Press keys, resize and stop a view."""
    with on_terminal("--url", url, "--every", "1", NO_COLOR="1") as shown:
        drawn = shown.until(b"h help")
        assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", drawn)
        shown.press(b"c")
        shown.until(b"only C1 (x: all)")
        shown.press(b"/b1\r")
        shown.until(b'"b1" (x: all)')
        shown.resize(30, 5)
        shown.until(b"at least 40 x 8 nee")
        shown.resize(120, 30)
        shown.until(b"address")
        shown.process.send_signal(signal.SIGTSTP)
        shown.until(b"\x1b[?1049l")
        os.waitid(os.P_PID, shown.process.pid, os.WSTOPPED)
        assert shown.is_restored()
        shown.process.send_signal(signal.SIGCONT)
        shown.until(b"\x1b[?1049h")
        shown.press(b"q")
        assert shown.process.wait(PATIENT_S) == 0


async def test_the_terminal_is_given_back_on_every_exit() -> None:
    """By key, Ctrl-C and signals: exit status 0, the modes as before, the old screen and the cursor back."""
    async with served(source()) as client:
        ends = await asyncio.to_thread(shown_and_ended, str(client._base_url))
    assert set(ends.values()) == {(0, True, True)}


async def test_keys_resizing_and_stopping_on_a_terminal() -> None:
    """Filters reach the agent; the picture follows the size; Ctrl-Z gives the terminal back meanwhile; no colours."""
    async with served(source()) as client:
        await asyncio.to_thread(keys_pressed, str(client._base_url))


async def test_an_agent_that_ends_leaves_marked_figures() -> None:
    """Once the agent is gone, the screen says STALE and why, and stays until it is quit."""
    with ExitStack() as programs:
        async with served(source()) as client:
            shown = programs.enter_context(on_terminal("--url", str(client._base_url), "--every", "1"))
            await asyncio.to_thread(shown.until, b"h help")
        drawn = await asyncio.to_thread(shown.until, b"STALE for")
        drawn = await asyncio.to_thread(shown.until, b"as last heard", drawn)
        assert b"Connection refused" in drawn
        shown.press(b"q")
        assert await asyncio.to_thread(shown.process.wait, PATIENT_S) == 0


def test_without_an_agent_or_a_terminal_there_is_one_message() -> None:
    """Exit 1 for an agent that does not answer, 2 without a terminal; both say what to do."""
    refused = CliRunner().invoke(app, ["top", "--once", "--url", f"http://127.0.0.1:{free_port()}"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "Connection refused" in refused.stderr
    blind = CliRunner().invoke(app, ["top", "--url", "http://127.0.0.1:1"])
    assert (blind.exit_code, "--once prints one picture" in blind.stderr) == (2, True)
    for options, words in (
        (["--cause", "magic"], "cause must be one of"),
        (["--direct", "--url", "http://x"], "--direct"),
    ):
        wrong = CliRunner().invoke(app, ["top", "--once", *options])
        assert (wrong.exit_code, words in wrong.stderr) == (2, True)


async def test_once_prints_all_and_json_the_answers(tmp_path: Path) -> None:
    """`--once` is as long as there is to say; `--json` has both answers; a token file is sent."""
    (tmp_path / "token").write_text("s3cr3t-0123456789", encoding="utf-8")
    (tmp_path / "token").chmod(0o600)
    async with served(source()) as client:
        given = ["top", "--url", str(client._base_url), "--token-file", str(tmp_path / "token")]
        once = await asyncio.to_thread(CliRunner().invoke, app, [*given, "--once"])
        answered = await asyncio.to_thread(CliRunner().invoke, app, [*given, "--json", "--state", "hashing"])
    assert once.exit_code == 0
    assert once.stdout.startswith("nd-1: ")
    assert all(each.entry.unit_id in once.stdout for each in UNITS)
    body = json.loads(answered.stdout)
    assert (body["site"]["site"], {unit["state"] for unit in body["units"]["units"]}) == ("nd-1", {"hashing"})
