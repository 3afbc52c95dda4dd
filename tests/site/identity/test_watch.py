"""The identity watch: readings taken back, polls rerouted, figures exported and commands proposed."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from patience import PATIENT_S
from site_cases import AT, NO_ANSWER, answered, board, entry, failed

from agent.address import Endpoint
from agent.config.sections import IdentitySection
from agent.errors import OtherUnitError
from agent.exporters.web.identity_answers import identity_answer
from agent.site.identity.watch import IdentityWatch
from agent.site.identity.whereabouts import Standing
from agent.site.ledger.entries import Ledger, LedgerEntry
from agent.unit.login import Login
from agent.unit.reading import SystemInfo
from agent.unit.registry import FETCH_SYSTEM_INFO

ROOT = Login(user="root", password="root")  # noqa: S106  the factory default of every unit
ON = IdentitySection()


def row(number: int, **changes: Any) -> LedgerEntry:
    """Return the ledger row of unit `number`."""
    return entry(f"u{number}", **({"host": f"127.0.0.{number}", "serial": f"SN{number}"} | changes))


class Watch:
    """An identity watch over some rows, and the calls it made."""

    def __init__(self, *rows: LedgerEntry, section: IdentitySection = ON) -> None:
        self.misread: list[tuple[str, str]] = []
        self.rerouted: list[list[str]] = []
        self.watch = IdentityWatch(
            config_file=Path("site.toml"),
            fetch=FETCH_SYSTEM_INFO,
            on_misread=self.take_back,
            on_rerouted=self.reroute,
            clock=lambda: 0.0,
        )
        self.configure(*rows, section=section)

    def take_back(self, unit_id: str, error: OtherUnitError) -> None:
        """Record a reading that was taken back."""
        self.misread.append((unit_id, str(error)))

    def reroute(self, entries: Iterable[LedgerEntry]) -> None:
        """Record the new polling addresses."""
        self.rerouted.append([one.host for one in entries])

    def configure(self, *rows: LedgerEntry, section: IdentitySection = ON) -> None:
        """Take over a ledger of these rows."""
        ledger = Ledger(entries=rows, digest="")
        self.watch.configure(section, ROOT, ledger, at=AT, connect_timeout_s=1.0)

    def see(self, host: int, info: SystemInfo) -> list[dict[str, Any]]:
        """Take in a page at an address; return the log lines that follow."""
        book = self.watch._book
        assert book is not None
        with structlog.testing.capture_logs() as lines:
            self.watch._report(book.on_seen(Endpoint(f"127.0.0.{host}", 4028), info, at=AT, clock_s=0.0))
        return [dict(line) for line in lines]


@contextmanager
def logged() -> Iterator[list[Any]]:
    """Yield the list of lines logged inside the block."""
    with structlog.testing.capture_logs() as lines:
        yield lines


def test_a_ledger_without_identities_is_not_watched() -> None:
    """No page is read, polls pass unchanged, and the export says that identity checks are off."""
    for watched in (Watch(row(1, serial=None)), Watch(row(1), section=IdentitySection(enabled=False))):
        poll = answered("u1")
        assert watched.watch.credit(poll, clock_s=0.0) is poll
        assert not watched.watch.figures().is_watched
        assert watched.watch.whereabouts("u1") is None
        assert [one.host for one in watched.watch.polled_entries()] == ["127.0.0.1"]
        assert identity_answer(watched.watch.figures(), AT).units_by_standing == {}


def test_a_reading_of_another_unit_is_taken_back() -> None:
    """Both units of an exchange lose their last reading; the log proposes the command that corrects the ledger."""
    watched = Watch(row(1), row(2))
    assert watched.see(1, SystemInfo(serial="SN1")) == []
    assert watched.see(2, SystemInfo(serial="SN2")) == []
    assert watched.misread == []
    lines = watched.see(1, SystemInfo(serial="SN2", model="Antminer S21"))
    assert [(line["event"], line["unit"], line["log_level"]) for line in lines] == [
        ("another unit answers", "u1", "warning"),
        ("address changed", "u2", "warning"),
    ]
    assert lines[1]["command"] == (
        "hashsight ledger set u2 --host 127.0.0.1 --swap --at 2025-11-20T21:36:00+00:00 --config site.toml"
    )
    assert watched.misread == [
        ("u1", "u2 answers at 127.0.0.1:4028"),
        ("u2", "found at 127.0.0.1:4028; what was read before was another unit's"),
    ]


def test_a_unit_that_comes_home_is_logged() -> None:
    """The level is info: there is nothing to do."""
    watched = Watch(row(1), row(2))
    watched.see(1, SystemInfo(serial="SN99"))
    [line] = watched.see(1, SystemInfo(serial="SN1"))
    assert (line["event"], line["unit"], line["log_level"]) == ("address as in the ledger again", "u1", "info")


def test_a_repaired_unit_is_proposed_with_its_new_identity() -> None:
    """The same boards mean the same unit; the proposed command sets its new MAC and serial."""
    watched = Watch(row(1))
    boards = tuple(board(slot, serial=f"B{slot}") for slot in range(3))
    watched.watch.credit(answered("u1", boards=boards), clock_s=0.0)
    watched.see(1, SystemInfo(serial="SN1"))
    [line] = watched.see(1, SystemInfo(serial="SN 7", mac="02:00:00:00:00:07"))
    assert (line["event"], line["ledger_serial"], line["serial"]) == (
        "identity differs from the ledger",
        "SN1",
        "SN 7",
    )
    assert line["command"] == (
        "hashsight ledger set u1 --mac 02:00:00:00:00:07 --serial 'SN 7' --at 2025-11-20T21:36:00+00:00"
        " --config site.toml"
    )
    assert watched.misread == []


def test_a_unit_found_at_a_former_address_is_polled_there() -> None:
    """Polls follow the unit, and go home when it is no longer there."""
    former = row(9, deployed_to=AT - 86400.0)
    watched = Watch(row(1), row(2), former)
    watched.see(9, SystemInfo(serial="SN1"))
    assert watched.rerouted == [["127.0.0.9"]]
    assert [one.host for one in watched.watch.polled_entries()] == ["127.0.0.9", "127.0.0.2"]
    with logged() as lines:
        for _ in range(3):
            watched.watch.credit(failed(NO_ANSWER, "u1"), clock_s=1.0)
    assert watched.rerouted[-1] == ["127.0.0.1"]
    assert [line["event"] for line in lines] == ["address as in the ledger again"]


def test_the_answer_lists_who_is_away_and_who_is_unknown() -> None:
    """The answer of `/api/v1/identity` lists units away from home and unknown units."""
    watched = Watch(row(1), row(2), row(3))
    watched.see(1, SystemInfo(serial="SN2"))
    watched.see(2, SystemInfo(serial="SN99", model="Antminer T21"))
    answer = identity_answer(watched.watch.figures(), AT)
    assert [(unit.unit_id, unit.standing, unit.address, unit.answered_by) for unit in answer.units] == [
        ("u1", Standing.DISPLACED, None, "u2"),
        ("u2", Standing.MOVED, "127.0.0.1:4028", None),
    ]
    assert [(unit.address, unit.model, unit.serial) for unit in answer.unknown_units] == [
        ("127.0.0.2:4028", "Antminer T21", "SN99")
    ]
    assert answer.units_by_standing[Standing.UNVERIFIED] == 1
    assert answer.address_changes == 1


async def test_asking_follows_the_configuration() -> None:
    """A reload turns identity checks on and off, and a watch that ends leaves no task behind."""
    watched = Watch(row(1, host="127.0.0.1", web_port=1), section=IdentitySection(enabled=False))
    async with asyncio.timeout(PATIENT_S), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watched.watch.run())
        await asyncio.sleep(0)
        watched.configure(row(1, web_port=1), section=IdentitySection(checks_per_s=100.0))
        watched.watch.credit(answered("u1"), clock_s=0.0)
        while not watched.watch.figures().checks:  # noqa: ASYNC110  counts are no events
            await asyncio.sleep(0.01)
        watched.configure(row(1, web_port=1), section=IdentitySection(enabled=False))
        await asyncio.sleep(0)
        assert not watched.watch.figures().is_watched
        running.cancel()
    assert dict(watched.watch.figures().checks) == {"unreachable": 1}
