"""The identity book: units that exchange addresses, vanish, come back, or have no readable page."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from site_cases import AT, NO_ANSWER, REFUSAL, answered, board, entry, failed

from agent.address import Endpoint
from agent.errors import RefusedError
from agent.site.identity.agenda import Agenda, Urgency
from agent.site.identity.book import REPORTS_KEPT, IdentityBook
from agent.site.identity.inquiries import RECHECK_S, RETRY_MAX_S, RETRY_S, SEARCH_EVERY_S
from agent.site.identity.whereabouts import Difference, Finding, Move, Standing
from agent.site.ledger.entries import LedgerEntry
from agent.unit.reading import IdentitySource, Poll, SystemInfo

NO_PAGE = RefusedError("wrong password", code=401)
STRANGER = SystemInfo(mac="02:00:00:00:00:99", serial="SN99")


def at(number: int) -> Endpoint:
    """Return the home of unit `number`."""
    return Endpoint(f"127.0.0.{number}", 4028)


def info(number: int) -> SystemInfo:
    """Return the identity on the page of unit `number`."""
    return SystemInfo(mac=f"02:00:00:00:00:{number:02x}", serial=f"SN{number}")


def row(number: int, **changes: Any) -> LedgerEntry:
    """Return the ledger row of unit `number`: u1 at 127.0.0.1, and so on."""
    declared = {"host": at(number).host, "mac": info(number).mac, "serial": info(number).serial}
    return entry(f"u{number}", **(declared | changes))


def poll(number: int, *, machine: int = 0, uptime_s: float = 86400.0, is_legacy: bool = False) -> Poll:
    """Return a poll at the home of unit `number`, answered with the boards of unit `machine`."""
    serials = [None if is_legacy else f"B{machine or number}-{slot}" for slot in range(3)]
    boards = tuple(board(slot, serial=serial) for slot, serial in enumerate(serials))
    return answered(f"u{number}", uptime_s=uptime_s, boards=boards)


def watched(*rows: LedgerEntry, known: Iterable[LedgerEntry] = (), spacing_s: float = 0.0) -> IdentityBook:
    """Return a book of `rows` in which every unit answered a poll and showed its page."""
    book = IdentityBook(rows, known, spacing_s=spacing_s)
    for declared in rows:
        number = int(declared.unit_id[1:])
        assert book.credit(poll(number), clock_s=0.0) == poll(number)
        assert book.inquiries.take(0.0) == at(number)
        book.on_seen(at(number), info(number), at=AT, clock_s=0.0)
    return book


def owner(
    book: IdentityBook,
    number: int,
    *,
    machine: int = 0,
    uptime_s: float = 86400.0,
    is_legacy: bool = False,
    clock_s: float = 0.0,
) -> str | None:
    """Return the unit that is credited with a reading at the home of unit `number`."""
    answer = poll(number, machine=machine, uptime_s=uptime_s, is_legacy=is_legacy)
    credited = book.credit(answer, clock_s=clock_s)
    assert credited is None or credited.reading is None or credited.reading.unit_id == credited.unit_id
    return None if credited is None else credited.unit_id


def moves(findings: Iterable[Finding]) -> list[tuple[str, Standing, Endpoint | None]]:
    """Return the moves among findings as (unit, standing, place)."""
    return [
        (finding.now.unit_id, finding.now.standing, finding.now.place)
        for finding in findings
        if isinstance(finding, Move)
    ]


def standings(book: IdentityBook) -> list[Standing]:
    """Return every unit's standing."""
    return [where.standing for where in book._table._whereabouts.values()]


def test_a_unit_at_home_is_verified() -> None:
    """If the expected unit answers, its readings pass unchanged, and its page is read again after a day."""
    book = watched(row(1))
    assert standings(book) == [Standing.VERIFIED]
    one = poll(1)
    assert book.credit(one, clock_s=5.0) is one
    assert book.inquiries.take(RECHECK_S - 1) is None
    assert book.inquiries.take(RECHECK_S) == at(1)


def test_two_units_exchange_addresses() -> None:
    """Each reading is credited to the unit it came from; while one page is unread, none goes to the wrong unit."""
    book = watched(row(1), row(2), row(3))
    # Other boards answer at both addresses: both are asked, before anything else.
    owner(book, 1, machine=2)
    owner(book, 2, machine=1)
    assert (book.inquiries.take(10.0), book.inquiries.take(10.0), book.inquiries.take(10.0)) == (at(1), at(2), None)
    first = book.on_seen(at(1), info(2), at=AT, clock_s=10.0)
    assert moves(first) == [("u1", Standing.DISPLACED, None), ("u2", Standing.MOVED, at(1))]
    assert (owner(book, 1, machine=2), owner(book, 2, machine=1)) == ("u2", None)
    second = book.on_seen(at(2), info(1), at=AT, clock_s=10.0)
    assert moves(second) == [("u1", Standing.MOVED, at(2))]
    assert (owner(book, 1, machine=2), owner(book, 2, machine=1), owner(book, 3)) == ("u2", "u1", "u3")
    assert book.counts() == {
        Standing.VERIFIED: 1,
        Standing.UNVERIFIED: 0,
        Standing.MOVED: 2,
        Standing.DISPLACED: 0,
    }
    assert book.unknown_units() == []
    assert book.moves == 2


def test_a_failed_poll_is_also_credited() -> None:
    """A failed poll at the address that a unit moved to counts for that unit, not for the one in the ledger."""
    book = watched(row(1), row(2))
    book.on_seen(at(1), info(2), at=AT, clock_s=1.0)
    book.on_seen(at(2), info(1), at=AT, clock_s=1.0)
    assert book.credit(failed(REFUSAL, "u1"), clock_s=2.0) == failed(REFUSAL, "u2")


def test_one_uptime_that_went_backwards_is_enough() -> None:
    """Without board serials, an uptime that went backwards or jumped tells of an exchange, and both pages are read."""
    book = watched(row(1), row(2))
    book.credit(poll(1, is_legacy=True, uptime_s=5000.0), clock_s=1.0)
    book.credit(poll(2, is_legacy=True, uptime_s=9000.0), clock_s=1.0)
    book.inquiries.take(1.0)
    book.inquiries.take(1.0)
    book.credit(poll(1, is_legacy=True, uptime_s=9010.0), clock_s=11.0)
    book.credit(poll(2, is_legacy=True, uptime_s=5010.0), clock_s=11.0)
    # The other's uptime grew by an hour in ten seconds.
    assert (book.inquiries.take(11.0), book.inquiries.take(11.0), book.inquiries.take(11.0)) == (at(1), at(2), None)
    assert moves(book.on_seen(at(2), info(1), at=AT, clock_s=11.0)) == [
        ("u2", Standing.DISPLACED, None),
        ("u1", Standing.MOVED, at(2)),
    ]
    assert book.inquiries.take(11.0) == at(1)


def test_three_units_change_places_in_a_ring() -> None:
    """Under any permutation, each unit is found at one of the known addresses."""
    book = watched(row(1), row(2), row(3))
    for home, machine in ((1, 2), (2, 3), (3, 1)):
        book.on_seen(at(home), info(machine), at=AT, clock_s=1.0)
    assert [owner(book, number) for number in (1, 2, 3)] == ["u2", "u3", "u1"]
    assert standings(book) == [Standing.MOVED] * 3


def test_a_vanished_unit_is_displaced_by_an_unknown_one() -> None:
    """A machine that is not in the ledger counts as an unknown unit, and its readings are credited to no unit."""
    book = watched(row(1), row(2))
    owner(book, 1, machine=99)
    assert moves(book.on_seen(at(1), STRANGER, at=AT, clock_s=1.0)) == [("u1", Standing.DISPLACED, None)]
    assert (owner(book, 1, machine=99), owner(book, 2)) == (None, "u2")
    assert [(found.endpoint, found.info) for found in book.unknown_units()] == [(at(1), STRANGER)]
    assert moves(book.on_seen(at(1), info(1), at=AT, clock_s=2.0)) == [("u1", Standing.VERIFIED, at(1))]
    assert owner(book, 1) == "u1"
    assert book.unknown_units() == []


def test_a_unit_without_web_access_is_credited_as_before() -> None:
    """Without a readable page, the ledger decides and the unit is unverified; requests back off."""
    book = IdentityBook([row(1)])
    assert owner(book, 1) == "u1"
    now, waits = 0.0, []
    assert book.inquiries.take(now) == at(1)
    for _ in range(9):
        assert book.on_failed(at(1), NO_PAGE, clock_s=now) == []
        due = next(
            later for later in (now + RETRY_S * 2**n for n in range(9)) if book.inquiries.take(later) is not None
        )
        waits.append(due - now)
        now = due
    assert waits == [min(RETRY_MAX_S, RETRY_S * 2**n) for n in (0, 1, 2, 3, 4, 5)] + [3840.0] * 3
    assert (owner(book, 1), standings(book)) == ("u1", [Standing.UNVERIFIED])


def test_lack_of_a_socket_says_nothing_about_the_unit() -> None:
    """When this machine has no socket to spare, the address is asked again soon."""
    book = IdentityBook([row(1)], spacing_s=10.0)
    owner(book, 1)
    assert book.inquiries.take(0.0) == at(1)
    assert book.on_failed(at(1), None, clock_s=0.0) == []
    assert (book.inquiries.take(9.0), book.inquiries.take(10.0)) == (None, at(1))


def test_access_lost_keeps_what_was_known() -> None:
    """A verified unit whose page can no longer be read stays verified, unless all its boards changed."""
    book = watched(row(1))
    assert book.on_failed(at(1), NO_PAGE, clock_s=1.0) == []
    assert standings(book) == [Standing.VERIFIED]
    owner(book, 1, machine=7)
    assert moves(book.on_failed(at(1), NO_PAGE, clock_s=2.0)) == [("u1", Standing.UNVERIFIED, None)]
    assert owner(book, 1) == "u1"


@pytest.mark.parametrize(
    ("declared", "said", "standing"),
    [
        ({"serial": None}, SystemInfo(mac=info(1).mac), Standing.VERIFIED),
        ({"mac": None}, SystemInfo(serial="sn1"), Standing.VERIFIED),
        ({"mac": None}, SystemInfo(mac="02:00:00:00:00:77"), Standing.UNVERIFIED),
        ({"serial": None}, SystemInfo(serial="SN77"), Standing.UNVERIFIED),
        ({"serial": None, "mac": None}, STRANGER, Standing.UNVERIFIED),
        ({"serial": None}, STRANGER, Standing.DISPLACED),
        ({}, SystemInfo(), Standing.UNVERIFIED),
        ({}, SystemInfo(mac=info(1).mac, serial="SN2"), Standing.VERIFIED),
    ],
)
def test_mac_or_serial(declared: dict[str, None], said: SystemInfo, standing: Standing) -> None:
    """Either identifies a unit, the MAC first; if ledger and page share neither kind, the unit is unverified."""
    book = IdentityBook([row(1, **declared), row(2)])
    book.on_seen(at(1), said, at=AT, clock_s=0.0)
    assert standings(book)[0] is standing
    assert owner(book, 1) == (None if standing is Standing.DISPLACED else "u1")


def test_an_undeclared_unit_makes_room_for_a_declared_one() -> None:
    """At the address of a unit without MAC and serial in the ledger, a unit that has them is credited."""
    book = IdentityBook([row(1, mac=None, serial=None), row(2)])
    assert moves(book.on_seen(at(1), info(2), at=AT, clock_s=0.0)) == [
        ("u1", Standing.DISPLACED, None),
        ("u2", Standing.MOVED, at(1)),
    ]
    assert owner(book, 1) == "u2"


def test_a_machine_with_two_addresses_stays_at_home() -> None:
    """A unit that answers at two addresses is asked again at its home, counts once, and does not flap."""
    book = watched(row(1), row(2))
    book.on_seen(at(1), info(2), at=AT, clock_s=1.0)
    assert book.inquiries.take(1.0) == at(2)
    assert book.on_seen(at(2), info(2), at=AT + 1, clock_s=1.0) == []
    assert (owner(book, 1), owner(book, 2)) == (None, "u2")
    assert book.inquiries.take(1.0) is None
    assert book.on_seen(at(1), info(2), at=AT + 2, clock_s=2.0) == []
    assert (owner(book, 1), owner(book, 2)) == (None, "u2")
    assert standings(book) == [Standing.DISPLACED, Standing.VERIFIED]


def test_a_unit_is_found_at_an_address_the_ledger_once_had() -> None:
    """An unreachable unit is searched for at former addresses, polled where it is found, and later at home again."""
    former = row(9, deployed_to=AT - 86400.0)
    book = watched(row(1), known=[row(1), former])
    assert book.inquiries.take(1.0) is None
    assert book.credit(failed(NO_ANSWER, "u1"), clock_s=2.0) == failed(NO_ANSWER, "u1")
    assert (book.inquiries.take(2.0), book.inquiries.take(2.0)) == (at(9), None)
    assert book.on_failed(at(9), NO_PAGE, clock_s=2.0) == []
    assert (book.inquiries.take(1.0 + SEARCH_EVERY_S), book.inquiries.take(2.0 + SEARCH_EVERY_S)) == (None, at(9))
    # Until the page at home was tried and failed, either address may be right; the latest sighting wins.
    assert moves(book.on_seen(at(9), info(1), at=AT + 700, clock_s=700.0)) == [("u1", Standing.MOVED, at(9))]
    assert book.routes.take_changed() == (row(1, host=at(9).host),)
    assert book.routes.take_changed() == ()
    assert owner(book, 1) == "u1"
    for _ in range(2):
        assert book.note_detour(failed(NO_ANSWER, "u1"), clock_s=800.0) == []
    assert book.note_detour(poll(1), clock_s=801.0) == []
    for _ in range(2):
        assert book.note_detour(failed(NO_ANSWER, "u1"), clock_s=802.0) == []
    [move] = book.note_detour(failed(NO_ANSWER, "u1"), clock_s=803.0)
    assert moves([move]) == [("u1", Standing.VERIFIED, at(1))]
    assert book.routes.take_changed() == (row(1),)
    assert book.note_detour(failed(NO_ANSWER, "u1"), clock_s=804.0) == []


def test_a_unit_that_comes_home_is_polled_there() -> None:
    """Of two units found away from home, one that comes home sends the other's polls home too."""
    former = row(9, deployed_to=AT - 86400.0)
    book = watched(row(1), row(2), known=[row(1), row(2), former])
    book.credit(failed(NO_ANSWER, "u1"), clock_s=1.0)
    book.on_seen(at(9), info(1), at=AT + 1, clock_s=1.0)
    assert book.routes.entries() == (row(1, host=at(9).host), row(2))
    book.credit(failed(NO_ANSWER, "u2"), clock_s=2.0)
    # No unit is polled at u1's home any more, and u2 is found there.
    book.on_seen(at(1), info(2), at=AT + 2, clock_s=2.0)
    assert book.routes.entries() == (row(1, host=at(9).host), row(2, host=at(1).host))
    for _ in range(3):
        book.note_detour(failed(NO_ANSWER, "u1"), clock_s=3.0)
    assert book.routes.entries() == (row(1), row(2))
    assert (owner(book, 1), owner(book, 2)) == ("u2", None)
    assert standings(book) == [Standing.DISPLACED, Standing.MOVED]


def test_a_new_control_board_is_no_new_unit() -> None:
    """The same boards with another MAC are the same unit after a repair; that is reported once."""
    book = watched(row(1))
    repaired = SystemInfo(mac="02:00:00:00:00:77", serial="SN77")
    [difference] = book.on_seen(at(1), repaired, at=AT, clock_s=1.0)
    assert isinstance(difference, Difference)
    assert (difference.entry, difference.sighting.info, difference.sighting.unit_id) == (row(1), repaired, "u1")
    assert book.on_seen(at(1), repaired, at=AT, clock_s=2.0) == []
    assert (standings(book), owner(book, 1)) == ([Standing.VERIFIED], "u1")


def test_a_corrected_ledger_ends_the_exchange() -> None:
    """Once the ledger has the units where they are, they are verified from the earlier sightings alone."""
    book = watched(row(1), row(2))
    book.on_seen(at(1), info(2), at=AT, clock_s=1.0)
    book.on_seen(at(2), info(1), at=AT, clock_s=1.0)
    corrected = [row(1, host=at(2).host), row(2, host=at(1).host)]
    assert moves(book.replace_entries(corrected, corrected, clock_s=2.0)) == [
        ("u1", Standing.VERIFIED, at(2)),
        ("u2", Standing.VERIFIED, at(1)),
    ]
    assert book.routes.entries() == tuple(corrected)
    assert [book.credit(answered(name), clock_s=3.0) for name in ("u1", "u2")] == [answered("u1"), answered("u2")]


def test_a_unit_that_left_the_ledger_is_unknown() -> None:
    """A machine that still answers after its row ended counts as unknown; its whereabouts are forgotten."""
    book = watched(row(1), row(2))
    owner(book, 1, machine=2)
    book.on_seen(at(1), info(2), at=AT, clock_s=1.0)
    findings = book.replace_entries([row(1)], [row(1), row(2, deployed_to=AT)], clock_s=2.0)
    assert findings == []
    assert standings(book) == [Standing.DISPLACED]
    assert [found.info for found in book.unknown_units()] == [info(2), info(2)]
    assert owner(book, 1) is None
    assert book.whereabouts("u2") is None
    assert book.credit(poll(2), clock_s=3.0) == poll(2)


def test_an_address_is_not_asked_too_often() -> None:
    """A unit in a restart loop is asked once in ten seconds."""
    book = watched(row(1), spacing_s=10.0)
    for second in range(1, 10):
        book.credit(poll(1, uptime_s=100.0 - second), clock_s=float(second))
        assert book.inquiries.take(float(second)) is None
    assert book.inquiries.take(10.0) == at(1)


def test_web_ports() -> None:
    """A web port in the ledger overrides the configured one."""
    book = IdentityBook([row(1), row(2, web_port=8080)])
    assert book.inquiries.web_endpoint(at(1), 80) == Endpoint("127.0.0.1", 80)
    assert book.inquiries.web_endpoint(at(2), 80) == Endpoint("127.0.0.2", 8080)


def test_agenda_gives_the_urgent_first_and_each_once() -> None:
    """Addresses come by urgency, then by time; wanting one again moves it forward, never back."""
    agenda = Agenda()
    agenda.want(at(1), Urgency.NEW, 5.0)
    agenda.want(at(2), Urgency.NEW, 4.0)
    agenda.want(at(3), Urgency.ROUTINE, 0.0)
    agenda.want(at(3), Urgency.EXCHANGED, 9.0)
    agenda.want(at(1), Urgency.SEARCHED, 6.0)
    agenda.want(at(4), Urgency.NEW, 1.0)
    agenda.drop(at(4))
    assert len(agenda) == 3
    assert [agenda.take(3.0) for _ in range(2)] == [at(3), None]
    assert [agenda.take(9.0) for _ in range(3)] == [at(2), at(1), None]


def test_agenda_forgets_what_was_moved() -> None:
    """Outdated items of the heap do not pile up."""
    agenda = Agenda()
    for number in range(10_000):
        agenda.want(at(1), Urgency.ROUTINE, 1e6 - number)
    assert len(agenda) == 1
    assert sum(len(heap) for heap in agenda._heaps.values()) < 100


HOMES = 4
MACHINES = 6  # Two of them are not in the ledger.


@dataclass(frozen=True, slots=True)
class Step:
    """The machine at each address (0: none), and the number of addresses asked before the next change."""

    machines: tuple[int, ...]
    asked: int


STEPS = st.lists(
    st.builds(
        Step,
        st.permutations(range(MACHINES + 1)).map(lambda order: tuple(order[:HOMES])),
        st.integers(0, 6),
    ),
    max_size=6,
)


def play(book: IdentityBook, machines: tuple[int, ...], asked: int, now: float) -> None:
    """Poll every address once, then ask at most `asked` of those that are due."""
    for number, machine in enumerate(machines, start=1):
        result = poll(number, machine=machine) if machine else failed(REFUSAL, f"u{number}")
        book.credit(result, clock_s=now)
    for _ in range(asked):
        endpoint = book.inquiries.take(now)
        if endpoint is None:
            return
        machine = machines[int(endpoint.host.rpartition(".")[2]) - 1]
        if machine:
            book.on_seen(endpoint, info(machine), at=AT + now, clock_s=now)
        else:
            book.on_failed(endpoint, NO_ANSWER, clock_s=now)


@given(STEPS, st.permutations(range(MACHINES + 1)).map(lambda order: tuple(order[:HOMES])))
def test_units_that_move_are_credited_with_their_own_readings(steps: list[Step], last: tuple[int, ...]) -> None:
    """Through any exchanges, no two addresses are credited to one unit; once all were asked, each one is right."""
    rows = [row(number) for number in range(1, HOMES + 1)]
    book = IdentityBook(rows, rows, spacing_s=0.0)
    for second, step in enumerate(steps):
        play(book, step.machines, step.asked, float(second))
        credited = [book.credit(answered(f"u{number}"), clock_s=float(second)) for number in range(1, HOMES + 1)]
        names = [each.unit_id for each in credited if each is not None]
        assert len(names) == len(set(names))
        assert sum(book.counts().values()) == HOMES
    play(book, last, 1000, 1000.0)
    for number, machine in enumerate(last, start=1):
        if machine:
            credited_to = owner(book, number, machine=machine)
            assert credited_to == (f"u{machine}" if machine <= HOMES else None)
    assert len(book.unknown_units()) >= sum(1 for machine in last if machine > HOMES)


# The units in force, in the order of the addresses at which they are expected.
LEDGERS = st.lists(
    st.tuples(st.permutations(range(1, HOMES + 1)), st.integers(1, HOMES)).map(lambda cut: tuple(cut[0][: cut[1]])),
    max_size=4,
)


@given(STEPS, LEDGERS)
def test_no_unit_is_credited_twice_under_any_ledger(steps: list[Step], ledgers: list[tuple[int, ...]]) -> None:
    """While units move and the ledger changes, each unit in force is polled at one address of its own."""
    rows = [row(number) for number in range(1, HOMES + 1)]
    book = IdentityBook(rows, rows, spacing_s=0.0)
    for second, step in enumerate(steps):
        play(book, step.machines, step.asked, float(second))
        order = ledgers[second % len(ledgers)] if ledgers else range(1, HOMES + 1)
        in_force = [row(number, host=at(place).host) for place, number in enumerate(order, start=1)]
        book.replace_entries(in_force, rows, clock_s=float(second))
        credited = [book.credit(answered(entry.unit_id), clock_s=float(second)) for entry in in_force]
        names = [each.unit_id for each in credited if each is not None]
        assert len(names) == len(set(names))
        assert {entry.unit_id for entry in book.routes.entries()} == {entry.unit_id for entry in in_force}
        assert len({(entry.host, entry.port) for entry in book.routes.entries()}) == len(in_force)
        _check_derived_state(book)


def _check_derived_state(book: IdentityBook) -> None:
    """Check the counts and lists kept for scrapes against the state that they summarise."""
    wheres = book._table._whereabouts.values()
    assert {name: units for name, units in book.counts().items() if units} == Counter(one.standing for one in wheres)
    astray = {one.unit_id for one in wheres if one.standing in {Standing.MOVED, Standing.DISPLACED}}
    assert {one.unit_id for one in book.astray()} == astray
    sightings = [look.sighting for look in book._memory._looks.values() if look.sighting is not None]
    assert {seen.endpoint for seen in book.unknown_units()} == {seen.endpoint for seen in sightings if seen.is_unknown}
    for unit_id, endpoints in book._memory._seen_at.items():
        assert endpoints == {seen.endpoint for seen in sightings if seen.unit_id == unit_id}


def test_reports_of_one_unit_are_bounded() -> None:
    """A page with another serial each time is reported each time, and only the latest few are remembered."""
    book = IdentityBook([row(1)], [row(1)])

    def differences(serial: int, second: int) -> int:
        page = SystemInfo(mac=info(1).mac, serial=f"SN{serial}")
        findings = book.on_seen(at(1), page, at=0.0, clock_s=float(second))
        return sum(1 for finding in findings if isinstance(finding, Difference))

    assert [differences(serial, serial) for serial in range(100, 1100)] == [1] * 1000
    assert len(book._reported["u1"]) == REPORTS_KEPT
    assert [differences(serial, 2000) for serial in range(1100 - REPORTS_KEPT, 1100)] == [0] * REPORTS_KEPT
    book.replace_entries([], [row(1)], clock_s=3000.0)
    assert book._reported == {}


def alternate(book: IdentityBook, *, is_page_read: bool, is_legacy: bool, rounds: int = 10) -> list[Finding]:
    """Let the page of u1 show u1 and u2 in turn, while both are polled and u2's page is read or not."""
    findings: list[Finding] = []
    for now in range(1, rounds + 1):
        shown = 2 if now % 2 else 1
        findings += book.on_seen(at(1), info(shown), at=AT + now, clock_s=float(now))
        for number in (1, 2):
            assert (
                owner(book, number, is_legacy=is_legacy, uptime_s=86400.0 + now, clock_s=float(now))
                in {
                    1: {"u1"} if shown == 1 else {None},
                    2: {"u2"},
                }[number]
            )
        while (endpoint := book.inquiries.take(float(now))) is not None:
            if endpoint == at(2) and is_page_read:
                findings += book.on_seen(at(2), info(2), at=AT + now, clock_s=float(now))
            elif endpoint == at(2):
                findings += book.on_failed(at(2), NO_PAGE, clock_s=float(now))
        assert owner(book, 2, is_legacy=is_legacy, uptime_s=86400.0 + now, clock_s=float(now)) == "u2"
    return findings


@pytest.mark.parametrize("is_legacy", [False, True])
@pytest.mark.parametrize("was_verified", [False, True])
@pytest.mark.parametrize("is_page_read", [False, True])
def test_a_page_with_anothers_mac_takes_nothing_from_it(
    *, is_page_read: bool, was_verified: bool, is_legacy: bool
) -> None:
    """A page that shows another unit's MAC now and then costs that unit no reading, and proposes no exchange."""
    book = IdentityBook([row(1), row(2)], spacing_s=0.0)
    for number in (1, 2):
        owner(book, number, is_legacy=is_legacy)
        book.inquiries.take(0.0)
    book.on_seen(at(1), info(1), at=AT, clock_s=0.0)
    if was_verified:
        book.on_seen(at(2), info(2), at=AT, clock_s=0.0)
    else:
        book.on_failed(at(2), NO_PAGE, clock_s=0.0)
    found = moves(alternate(book, is_page_read=is_page_read, is_legacy=is_legacy))
    assert {standing for name, standing, _ in found if name == "u1"} == {Standing.DISPLACED, Standing.VERIFIED}
    assert {(name, standing) for name, standing, _ in found if name == "u2"} <= {("u2", Standing.VERIFIED)}
    assert book.moves == 0


def test_a_page_with_anothers_mac_corrects_no_ledger() -> None:
    """The serial on a page elsewhere is no correction for the unit whose MAC it shows."""
    book = watched(row(1), row(2))
    findings = book.on_seen(at(1), SystemInfo(mac=info(2).mac, serial="SN1"), at=AT, clock_s=1.0)
    assert [type(finding) for finding in findings] == [Move]


def test_a_home_that_falls_silent_gives_its_unit_up() -> None:
    """A unit seen elsewhere moves once its home is unreachable, and is back when the same boards answer there."""
    book = watched(row(1), row(2))
    assert moves(book.on_seen(at(1), info(2), at=AT, clock_s=1.0)) == [("u1", Standing.DISPLACED, None)]
    book.credit(failed(NO_ANSWER, "u2"), clock_s=2.0)
    assert moves(book.on_failed(at(2), NO_ANSWER, clock_s=2.0)) == [("u2", Standing.MOVED, at(1))]
    assert owner(book, 1, machine=2) == "u2"
    owner(book, 2)
    assert moves(book.on_failed(at(2), NO_PAGE, clock_s=3.0)) == [("u2", Standing.VERIFIED, at(2))]
    assert (owner(book, 1, machine=1), owner(book, 2)) == (None, "u2")


@pytest.mark.parametrize(
    ("uptime_s", "is_suspect"), [(86410.0, False), (86400.0, False), (10.0, True), (90000.0, True)]
)
def test_an_uptime_that_cannot_be_the_same_units_is_suspect(uptime_s: float, *, is_suspect: bool) -> None:
    """Without serials of boards, a home answers as itself while its uptime goes on with the clock."""
    book = IdentityBook([row(1), row(2)], spacing_s=0.0)
    for number in (1, 2):
        owner(book, number, is_legacy=True, clock_s=0.0)
        book.inquiries.take(0.0)
        book.on_seen(at(number), info(number), at=AT, clock_s=0.0)
    owner(book, 2, is_legacy=True, uptime_s=uptime_s, clock_s=10.0)
    assert (book.inquiries.take(10.0) == at(2)) is is_suspect
    found = moves(book.on_seen(at(1), info(2), at=AT, clock_s=11.0))
    assert (("u2", Standing.MOVED, at(1)) in found) is is_suspect


def test_the_home_of_a_unit_that_is_polled_elsewhere_is_looked_at() -> None:
    """A page at a former address takes a unreachable unit away until its own page, asked every ten minutes, is read."""
    former = row(9, deployed_to=AT - 86400.0)
    book = watched(row(1), known=[row(1), former])
    book.credit(failed(NO_ANSWER, "u1"), clock_s=1.0)
    book.on_seen(at(9), info(1), at=AT + 1, clock_s=1.0)
    assert book.routes.entries() == (row(1, host=at(9).host),)
    owner(book, 1, clock_s=2.0)
    asked = {book.inquiries.take(SEARCH_EVERY_S + 5.0) for _ in range(3)}
    assert at(1) in asked
    assert moves(book.on_seen(at(1), info(1), at=AT + 700, clock_s=700.0)) == [("u1", Standing.VERIFIED, at(1))]
    assert book.routes.entries() == (row(1),)


def telling(number: int, machine: int, *, uptime_s: float = 86400.0) -> Poll:
    """Return a poll at the home of unit `number`, whose report tells that `machine` answers."""
    answer = poll(number, machine=machine, uptime_s=uptime_s)
    assert answer.reading is not None
    told = msgspec.structs.replace(info(machine), source=IdentitySource.CONFIG)
    return msgspec.structs.replace(answer, reading=msgspec.structs.replace(answer.reading, system_info=told))


def test_a_unit_that_tells_its_identity_is_asked_for_no_page() -> None:
    """Its report verifies it at once, and again after a restart."""
    book = IdentityBook([row(1)], spacing_s=0.0)
    for clock_s, uptime_s in ((0.0, 500.0), (10.0, 510.0), (20.0, 3.0)):
        answer = telling(1, 1, uptime_s=uptime_s)
        assert book.credit(answer, clock_s=clock_s) == answer
        assert book.inquiries.take(clock_s) is None
    assert standings(book) == [Standing.VERIFIED]
    assert [(move.now.standing) for move in book.take_heard() if isinstance(move, Move)] == [Standing.VERIFIED]
    assert book.take_heard() == []
    where = book.whereabouts("u1")
    assert where is not None
    assert where.seen is not None
    assert where.seen.info.source is IdentitySource.CONFIG


def test_two_units_that_exchanged_addresses_are_credited_by_their_own_words() -> None:
    """The very reading that tells of the exchange is not the expected unit's; both are found where they answer."""
    book = IdentityBook([row(1), row(2)], spacing_s=0.0)
    for number in (1, 2):
        book.credit(telling(number, number), clock_s=0.0)
    book.take_heard()
    first = book.credit(telling(1, 2, uptime_s=90_000.0), clock_s=10.0)
    second = book.credit(telling(2, 1, uptime_s=90_000.0), clock_s=10.0)
    assert first is None or first.unit_id == "u2"
    assert second is None or second.unit_id == "u1"
    found = {move[0]: move[1:] for move in moves(book.take_heard())}
    assert found == {"u1": (Standing.MOVED, at(2)), "u2": (Standing.MOVED, at(1))}
    assert book.credit(telling(1, 1, uptime_s=90_010.0), clock_s=20.0) is not None


def test_a_stranger_that_tells_its_mac_is_credited_to_no_unit() -> None:
    """Its boards are others too, so it is no repair."""
    book = IdentityBook([row(1)], spacing_s=0.0)
    book.credit(telling(1, 1), clock_s=0.0)
    assert book.credit(telling(1, 7, uptime_s=90_000.0), clock_s=10.0) is None
    assert [seen.info.mac for seen in book.unknown_units()] == [info(7).mac]


def test_another_serial_in_a_report_refutes_nothing() -> None:
    """Assumed (A200): it may be a part's. A ledger without MAC addresses keeps its unit; on a page it would not."""
    told = SystemInfo(serial="OTHER", source=IdentitySource.CONFIG)
    for seen, expected in ((told, Standing.UNVERIFIED), (SystemInfo(serial="OTHER"), Standing.DISPLACED)):
        book = IdentityBook([row(1, mac=None)], spacing_s=0.0)
        book.credit(poll(1), clock_s=0.0)
        book.on_seen(at(1), seen, at=AT, clock_s=0.0)
        assert standings(book) == [expected]
    book = IdentityBook([row(1, mac=None)], spacing_s=0.0)
    book.on_seen(at(1), SystemInfo(serial="SN1", source=IdentitySource.CONFIG), at=AT, clock_s=0.0)
    assert standings(book) == [Standing.VERIFIED]
