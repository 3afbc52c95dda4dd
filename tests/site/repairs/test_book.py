"""The walk list: what opens an entry, what closes it, what it costs, and what is no entry."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from repair_cases import ALLOWED, CONDITIONS, MINUTE_S, RULES, STEP_S, Aisle, listed
from site_cases import AT, TH, entry

from agent.site.curtailment.events import Curtailments, Event, Scope
from agent.site.ledger.entries import Place
from agent.site.repairs import book as book_module
from agent.site.repairs.book import RepairBook
from agent.site.repairs.entries import Said
from agent.site.repairs.look import undeclared_loss_hs
from agent.site.repairs.past import MAX_PAST, Past
from agent.site.repairs.symptoms import DEFAULT_RULES, SYMPTOM_WORDS, Closing, Symptom
from agent.site.totals import site_figures
from agent.text.darkness import dark_containers

TEN_MINUTES_S = 10 * MINUTE_S
HOUR_S = 3600.0


def event(target_ratio: float = 0.0, until: float = AT + 10 * HOUR_S) -> Curtailments:
    """Return one event over the whole site, from now on."""
    declared = Event(id="e", scope=Scope(), start=AT - 1, end=until, target_ratio=target_ratio, source="test")
    return Curtailments(events=[declared])


@pytest.mark.parametrize(
    ("condition", "symptom", "words"),
    [
        ("board 1 dead", Symptom.BOARD_MISSING, "board 1 absent"),
        ("fan 2 stands", Symptom.FAN_STOPPED, "fan 2 at 0 rpm"),
        ("fan 2 stands, stopped", Symptom.FAN_STOPPED, "fan 2 at 0 rpm"),
        ("hot", Symptom.HOT, "chip at 91 °C on board 1"),
        ("hot boards", Symptom.HOT, "board at 82 °C"),
        ("pools dead, hashing", Symptom.NO_POOL_ALIVE, "no pool alive"),
        ("pools dead, stopped", Symptom.NO_POOL_ALIVE, "no pool alive"),
        ("stopped", Symptom.NOT_HASHING, "cause unknown"),
        ("asleep", Symptom.NOT_HASHING, "asleep"),
        ("silent", Symptom.NO_ANSWER, "no answer"),
    ],
)
def test_a_fault_that_lasts_is_one_entry_with_its_words(condition: str, symptom: Symptom, words: str) -> None:
    """One entry a fault, named by what is wrong with the unit; it begins with the fault, not when it had lasted."""
    aisle = Aisle("u1")
    aisle.wait(MINUTE_S)
    began = aisle.at + STEP_S
    aisle.wait(RULES.after_s[symptom], condition=condition)
    assert aisle.listed() == []
    aisle.wait(TEN_MINUTES_S)
    assert aisle.listed() == [("u1", symptom, words)]
    (found,) = aisle.book.entries()
    assert (found.since, found.place, found.before) == (began, Place(container="C1", rack="R1"), 0)
    # A silent unit's last reading counts for a while before it is unreachable.
    assert found.opened_at in {began + 300, began + 330}
    assert listed(aisle.opened) == aisle.listed()


@pytest.mark.parametrize("condition", ["well", "hot by its own sums", "half a reply"])
def test_what_is_no_fault_to_walk_to_opens_nothing(condition: str) -> None:
    """A healthy unit, a temperature that firmware works out, and a reply that cannot be read send no technician."""
    aisle = Aisle("u1")
    aisle.wait(HOUR_S, condition=condition)
    assert aisle.listed() == []


def test_a_short_fault_leaves_no_trace() -> None:
    """A fault that is gone before it has lasted is no entry, however often it comes with enough calm between."""
    aisle = Aisle("u1")
    for _ in range(6):
        aisle.wait(2 * MINUTE_S, condition="fan 2 stands")
        aisle.wait(TEN_MINUTES_S, condition="well")
    assert (aisle.listed(), aisle.opened) == ([], [])


def test_a_fault_that_comes_and_goes_is_one_entry() -> None:
    """Flapping neither closes the entry nor opens another; calm closes it, as of the moment the fault ended."""
    aisle = Aisle("u1")
    for _ in range(10):
        aisle.wait(3 * MINUTE_S, condition="fan 2 stands")
        aisle.wait(2 * MINUTE_S, condition="well")
    ended = aisle.at - 2 * MINUTE_S + STEP_S
    aisle.wait(TEN_MINUTES_S)
    assert (len(aisle.opened), aisle.listed()) == (1, [])
    (closed,) = aisle.closed
    assert (closed.closing, closed.since, closed.until) == (Closing.RECOVERED, AT + STEP_S, ended)


def test_how_often_before_counts_the_same_unit_and_symptom() -> None:
    """Earlier entries of the same unit and symptom count, within the days that are configured."""
    aisle = Aisle("u1")
    for _ in range(3):
        aisle.wait(TEN_MINUTES_S, condition="fan 2 stands")
        aisle.wait(TEN_MINUTES_S, condition="well")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    assert [each.before for each in aisle.opened] == [0, 1, 2, 0]
    aisle.at += RULES.count_days * 86_400
    aisle.wait(TEN_MINUTES_S, condition="fan 2 stands")
    assert aisle.opened[-1].before == 0


def test_a_silent_unit_neither_recovers_nor_closes() -> None:
    """A technician who switches a unit off finds its entry as it was, and no second one for its silence."""
    aisle = Aisle("u1")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    aisle.wait(HOUR_S, condition="silent")
    assert aisle.listed() == [("u1", Symptom.BOARD_MISSING, "board 1 absent")]
    aisle.wait(TEN_MINUTES_S, condition="well")
    assert (aisle.listed(), [each.closing for each in aisle.closed]) == ([], [Closing.RECOVERED])


def test_a_cause_that_shows_later_takes_the_place_of_not_hashing() -> None:
    """One entry for a unit that stopped without a word and then names its fan."""
    aisle = Aisle("u1")
    aisle.wait(TEN_MINUTES_S, condition="stopped")
    aisle.wait(TEN_MINUTES_S, condition="fan 2 stands, stopped")
    assert aisle.listed() == [("u1", Symptom.FAN_STOPPED, "fan 2 at 0 rpm")]
    assert [(each.symptom, each.closing) for each in aisle.closed] == [(Symptom.NOT_HASHING, Closing.EXPLAINED)]


def test_a_declared_curtailment_opens_nothing_and_closes_nothing() -> None:
    """Inside an event nothing opens; what is open stays, and what the event takes is not the fault's loss."""
    aisle = Aisle("u1", curtailments=event())
    aisle.wait(HOUR_S, condition="asleep")
    aisle.wait(HOUR_S, condition="board 1 dead")
    assert aisle.listed() == []

    aisle = Aisle("u1")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    aisle.tracker.curtailments = event()
    aisle.be("asleep")
    aisle.step()
    (before,) = aisle.book.entries()
    aisle.wait(HOUR_S)
    (found,) = aisle.book.entries()
    assert (found.symptom, found.lost_hashes) == (Symptom.BOARD_MISSING, before.lost_hashes)


def test_maintenance_opens_nothing_and_closes_what_is_open() -> None:
    """What the ledger has out for repair is in somebody's hands."""
    ill = entry("u1", is_in_maintenance=True)
    aisle = Aisle(ill)
    aisle.wait(HOUR_S, condition="board 1 dead")
    assert aisle.listed() == []

    aisle = Aisle("u1")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    aisle.tracker.replace_entries([ill], at=aisle.at)
    aisle.step()
    assert (aisle.listed(), [each.closing for each in aisle.closed]) == ([], [Closing.MAINTENANCE])


def test_a_unit_that_leaves_the_ledger_closes_its_entry() -> None:
    """The entry says why it was closed, and suspicions are forgotten."""
    aisle = Aisle("u1", "u2")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    aisle.be("fan 2 stands", "u2")
    aisle.step()
    aisle.tracker.replace_entries([entry("u2")], at=aisle.at)
    aisle.conditions.pop("u1")
    aisle.step()
    assert [(each.unit_id, each.closing, each.until) for each in aisle.closed] == [
        ("u1", Closing.LEFT_LEDGER, aisle.at)
    ]
    assert aisle.listed() == [("u2", Symptom.BOARD_MISSING, "board 1 absent")]


def test_a_unit_that_leaves_closes_at_once_whatever_others_do() -> None:
    """The entry of a unit that is gone closes at the next look, also if a fault of another unit passes in that look."""
    aisle = Aisle("u1", "u2")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    aisle.wait(MINUTE_S * 5, condition="well")
    aisle.tracker.replace_entries([entry("u2")], at=aisle.at)
    del aisle.conditions["u1"]
    aisle.step()
    assert aisle.listed() == []
    assert sorted((each.unit_id, each.closing) for each in aisle.closed) == [
        ("u1", Closing.LEFT_LEDGER),
        ("u2", Closing.RECOVERED),
    ]


def test_two_entries_of_one_fault_become_one_at_a_restart() -> None:
    """After a start that could not read history, a fault was listed anew; the next start keeps the older entry."""
    aisle = Aisle(*(f"u{number}" for number in range(5)))
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    aisle.wait(TEN_MINUTES_S, condition="silent")
    kept = aisle.book.entries()
    noted = Said("ana", AT, "breaker")
    again = [msgspec.structs.replace(each, id=each.id + 100, opened_at=aisle.at, note=noted) for each in kept]

    book = RepairBook(RULES, longest_gap_s=3 * STEP_S)
    assert book.restore([*again, *kept]) == len(kept) == 6
    assert book.entries() == [msgspec.structs.replace(each, note=noted) for each in kept]
    later = Aisle(*(f"u{number}" for number in range(5)), book=book, at=aisle.at)
    later.wait(TEN_MINUTES_S, condition="silent")
    assert {(each.id, each.until, each.closing) for each in later.closed} == {
        (each.id, aisle.at, Closing.EXPLAINED) for each in again
    }


def test_a_unit_that_moves_takes_its_entry_along() -> None:
    """The place is the one of today's ledger."""
    aisle = Aisle("u1")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    aisle.tracker.replace_entries([entry("u1", place=Place(container="C2", rack="R9", slot="4"))], at=aisle.at)
    aisle.step()
    assert [each.place.rack for each in aisle.book.entries()] == ["R9"]


def test_a_dark_container_is_one_entry() -> None:
    """Twenty units without power are one entry with what they lose together, and none of their own."""
    aisle = Aisle(*(f"u{number}" for number in range(20)))
    aisle.wait(MINUTE_S)
    aisle.wait(HOUR_S, condition="silent")
    assert aisle.listed() == [
        ("C1", Symptom.CONTAINER_DARK, "20 of 20 units do not hash; no answer (20)"),
    ]
    (found,) = aisle.book.entries()
    assert (found.since, found.place) == (AT + MINUTE_S + STEP_S, Place(container="C1"))
    assert found.lost_hashes == pytest.approx(20 * 294e12 * (HOUR_S - STEP_S))


def test_who_does_not_come_back_after_the_dark_is_listed_then() -> None:
    """A unit that stays silent when its container returns gets the time that any unit gets, from then on."""
    aisle = Aisle(*(f"u{number}" for number in range(20)))
    aisle.wait(HOUR_S, condition="silent")
    began = aisle.book.entries()[0].since
    aisle.wait(4 * MINUTE_S, condition="well")
    aisle.be("silent", "u3")
    aisle.wait(4 * MINUTE_S)
    assert [name for name, *_ in aisle.listed()] == []
    aisle.wait(5 * MINUTE_S)
    assert aisle.listed() == [("u3", Symptom.NO_ANSWER, "no answer")]
    assert [(each.symptom, each.since) for each in aisle.closed] == [(Symptom.CONTAINER_DARK, began)]


def test_a_small_or_curtailed_or_unreadable_container_is_not_dark() -> None:
    """Three units are listed one by one; an event explains a container; what cannot be read may hash."""
    aisle = Aisle("u1", "u2", "u3")
    aisle.wait(HOUR_S, condition="silent")
    assert [symptom for _, symptom, _ in aisle.listed()] == [Symptom.NO_ANSWER] * 3

    names = [f"u{number}" for number in range(20)]
    aisle = Aisle(*names, curtailments=event())
    aisle.wait(HOUR_S, condition="asleep")
    assert aisle.listed() == []
    aisle = Aisle(*names)
    aisle.wait(HOUR_S, condition="half a reply")
    assert aisle.listed() == []


def test_dead_units_among_curtailed_ones_are_listed_one_by_one() -> None:
    """A container of which an event explains more than a tenth is not dark, on the site's page and here alike."""
    rows = [entry(f"u{number}", place=Place(container="C1", rack="R1" if number < 4 else "R2")) for number in range(10)]
    declared = Event(id="e", scope=Scope(rack="R2"), start=AT - 1, end=AT + HOUR_S, target_ratio=0.0, source="test")
    aisle = Aisle(*rows, curtailments=Curtailments(events=[declared]))
    aisle.be("silent", *(f"u{number}" for number in range(4)))
    aisle.be("asleep", *(f"u{number}" for number in range(4, 10)))
    aisle.wait(TEN_MINUTES_S)
    assert dark_containers(site_figures(aisle.tracker.statuses(), aisle.at), aisle.tracker.statuses(), ()) == []
    assert [unit for unit, *_ in aisle.listed()] == ["u0", "u1", "u2", "u3"]


def test_an_event_does_not_close_a_dark_container() -> None:
    """A curtailment that is declared for a part of a dark container is no recovery of it."""
    rows = [entry(f"u{number}", place=Place(container="C1", rack="R1" if number < 4 else "R2")) for number in range(10)]
    aisle = Aisle(*rows)
    aisle.wait(TEN_MINUTES_S, condition="silent")
    declared = Event(id="e", scope=Scope(rack="R2"), start=AT - 1, end=AT + HOUR_S, target_ratio=0.0, source="test")
    later = Aisle(*rows, curtailments=Curtailments(events=[declared]), book=aisle.book, at=aisle.at)
    later.wait(HOUR_S / 2, condition="silent")
    assert later.closed == []


@pytest.mark.parametrize(
    ("units", "is_maintained", "closing"),
    [(3, False, Closing.LEFT_LEDGER), (0, False, Closing.LEFT_LEDGER), (12, True, Closing.MAINTENANCE)],
)
def test_a_dark_container_of_which_little_is_left_closes(units: int, is_maintained: bool, closing: Closing) -> None:  # noqa: FBT001
    """Units that were moved away or taken for repair end the container's entry; those left are listed by themselves."""
    names = [f"u{number}" for number in range(12)]
    aisle = Aisle(*names)
    aisle.wait(TEN_MINUTES_S, condition="silent")
    assert aisle.listed()[0][:2] == ("C1", Symptom.CONTAINER_DARK)
    smaller = Aisle(
        *(entry(name, is_in_maintenance=is_maintained) for name in names[:units]), book=aisle.book, at=aisle.at
    )
    smaller.clock_s = aisle.clock_s
    smaller.wait(TEN_MINUTES_S, condition="silent")
    assert [(each.symptom, each.closing) for each in smaller.closed] == [(Symptom.CONTAINER_DARK, closing)]
    alone = {Symptom.NO_ANSWER} if units and not is_maintained else set()
    assert {symptom for _, symptom, _ in smaller.listed()} == alone


def test_diverted_work_is_an_entry_that_counts_what_works_elsewhere() -> None:
    """A unit whose work goes elsewhere is listed although it loses nothing; it closes when its work is ours again."""
    aisle = Aisle("u1")
    aisle.tracker.allow = ALLOWED
    aisle.wait(MINUTE_S, condition="working for us")
    began = aisle.at + STEP_S
    aisle.wait(HOUR_S, condition="working for them")
    assert aisle.listed() == [("u1", Symptom.DIVERTED, "works for an address that is not yours")]
    (found,) = aisle.book.entries()
    assert found.since == began
    assert found.lost_hashes == pytest.approx(294e12 * (HOUR_S - STEP_S))
    # Silence says nothing of where the work goes.
    aisle.wait(TEN_MINUTES_S, condition="silent")
    assert Symptom.DIVERTED in {symptom for _, symptom, _ in aisle.listed()}
    aisle.wait(TEN_MINUTES_S, condition="working for us")
    assert aisle.listed() == []


def test_diverted_work_is_forgotten_with_the_allow_list() -> None:
    """Where pools are judged no longer, nothing stays listed for good."""
    aisle = Aisle("u1")
    aisle.tracker.allow = ALLOWED
    aisle.wait(TEN_MINUTES_S, condition="working for them")
    assert [symptom for _, symptom, _ in aisle.listed()] == [Symptom.DIVERTED]
    aisle.tracker.allow = None
    aisle.wait(TEN_MINUTES_S)
    assert aisle.listed() == []


def test_units_without_a_container_are_never_dark_together() -> None:
    """What has no container in the ledger is listed unit by unit."""
    aisle = Aisle(*(entry(f"u{number}", place=Place()) for number in range(6)))
    aisle.wait(HOUR_S, condition="silent")
    assert len(aisle.listed()) == 6


def test_entries_outlive_a_restart() -> None:
    """A new process goes on with age, loss, note and count, and the entry's number stays."""
    aisle = Aisle("u1")
    aisle.wait(TEN_MINUTES_S, condition="fan 2 stands")
    aisle.wait(TEN_MINUTES_S, condition="well")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    (number,) = (each.id for each in aisle.book.entries())
    aisle.book.annotate(number, note=Said("ana", AT, "board ordered"), seen=Said("ben", AT))
    (kept,) = aisle.book.entries()

    book = RepairBook(RULES, longest_gap_s=3 * STEP_S)
    assert book.restore([*aisle.closed, kept]) == 1
    assert book.entries() == [kept]
    later = Aisle("u1", book=book, at=aisle.at + 300)
    later.wait(TEN_MINUTES_S, condition="board 1 dead")
    (found,) = book.entries()
    assert (found.id, found.since, found.note, found.seen) == (kept.id, kept.since, kept.note, kept.seen)
    assert found.lost_hashes == pytest.approx(kept.lost_hashes + 98e12 * (TEN_MINUTES_S - STEP_S))
    later.wait(TEN_MINUTES_S, condition="fan 2 stands")
    assert [(each.symptom, each.before) for each in later.opened] == [(Symptom.FAN_STOPPED, 1)]


def test_a_restart_in_another_ledger_closes_what_is_gone() -> None:
    """Units that left the ledger while no agent ran close at the first look, and so do containers."""
    aisle = Aisle(*(f"u{number}" for number in range(5)))
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    aisle.wait(TEN_MINUTES_S, condition="silent")
    book = RepairBook(RULES, longest_gap_s=3 * STEP_S)
    assert book.restore(aisle.book.entries()) == 6
    later = Aisle(entry("x1", place=Place(container="C7")), book=book, at=aisle.at)
    later.step()
    assert (later.listed(), {each.closing for each in later.closed}) == ([], {Closing.LEFT_LEDGER})


def test_an_operator_speaks_of_open_entries_only() -> None:
    """A note replaces the one before, "seen" leaves it, and a number that is not open is refused."""
    aisle = Aisle("u1")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    (number,) = (each.id for each in aisle.book.entries())
    first, second, seen = Said("ana", AT, "one"), Said("ben", AT + 1, "two"), Said("cleo", AT + 2)
    aisle.book.annotate(number, note=first)
    aisle.book.annotate(number, note=second)
    changed = aisle.book.annotate(number, seen=seen)
    assert changed is not None
    assert (changed.note, changed.seen) == (second, seen)
    assert aisle.book.annotate(number + 1, seen=seen) is None


def test_the_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full list counts what it cannot take, and takes it as soon as there is room."""
    monkeypatch.setattr(book_module, "MAX_OPEN", 2)
    aisle = Aisle("u1", "u2", "u3")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    assert (len(aisle.book.entries()), aisle.book.unlisted) == (2, 1)
    aisle.be("well", "u1")
    aisle.wait(TEN_MINUTES_S)
    assert ([unit for unit, *_ in aisle.listed()], aisle.book.unlisted) == (["u2", "u3"], 0)


def test_the_past_is_bounded() -> None:
    """The oldest are forgotten first, by number and by time."""
    past = Past()
    for number in range(MAX_PAST + 5):
        past.add(f"u{number % 5}", Symptom.HOT, float(number))
    assert sum(past.count(f"u{number}", Symptom.HOT) for number in range(5)) == MAX_PAST
    past.forget(before=float(MAX_PAST))
    assert [past.count(f"u{number}", Symptom.HOT) for number in range(5)] == [1] * 5
    past.forget(before=1e12)
    assert past.count("u1", Symptom.HOT) == 0


def test_healthy_units_cost_no_memory() -> None:
    """Nothing is kept of a unit without a symptom, and nothing of one whose fault passed."""
    aisle = Aisle("u1", "u2")
    aisle.wait(MINUTE_S)
    assert aisle.book._units == {}
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    aisle.wait(TEN_MINUTES_S, condition="well")
    assert (aisle.book._units, aisle.book._open) == ({}, {})


def test_every_symptom_has_words_and_a_time() -> None:
    """The closed list is complete: a new symptom needs its words and its default."""
    assert set(SYMPTOM_WORDS) == set(Symptom) == set(DEFAULT_RULES.after_s)


def test_time_in_which_the_agent_did_not_look_counts_for_nothing() -> None:
    """A gap, a standstill and an agent that is late add neither duration nor loss."""
    aisle = Aisle("u1")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    (before,) = aisle.book.entries()
    # A gap: the process was suspended.
    aisle.at += HOUR_S
    aisle.clock_s += HOUR_S
    aisle.step()
    # The agent is late: it does not poll, and the unit is held as it was.
    aisle.step(is_polled=False)
    aisle.wait(HOUR_S, is_polled=False)
    aisle.book.pause()
    aisle.step()
    (after,) = aisle.book.entries()
    looked_s = (after.lost_hashes - before.lost_hashes) / 98e12
    assert looked_s == pytest.approx(STEP_S)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["look", "look", "look", "unpolled", "gap", "pause"]), st.sampled_from(sorted(CONDITIONS))
        ),
        min_size=1,
        max_size=60,
    )
)
def test_a_loss_is_the_sum_of_what_was_attributed_while_the_agent_looked(steps: list[tuple[str, str]]) -> None:
    """The integral of an open entry is the unit's undeclared loss times looked-at time, from its beginning on."""
    aisle = Aisle("u1")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    (first,) = aisle.book.entries()
    expected, held_hs, calm, lost_in_calm = first.lost_hashes, float(98 * TH), False, 0.0
    for kind, condition in steps:
        aisle.be(condition)
        if kind == "pause":
            aisle.book.pause()
        if kind == "gap":
            aisle.at += HOUR_S
            aisle.clock_s += HOUR_S
        aisle.step(is_polled=kind != "unpolled")
        passed = 0.0 if kind in {"pause", "gap"} else held_hs * STEP_S
        (status,) = aisle.tracker.statuses()
        held_hs = 0.0 if status.is_overdue else undeclared_loss_hs(status)
        still = [each for each in aisle.book.entries() if each.id == first.id]
        closed = [each for each in aisle.closed if each.id == first.id]
        calm_before, calm = calm, not still or aisle.book._open[first.id].calm_from > 0
        lost_in_calm, expected = (lost_in_calm + passed, expected) if calm_before else (lost_in_calm, expected + passed)
        if not calm:
            expected, lost_in_calm = expected + lost_in_calm, 0.0
        (found,) = still or closed
        assert found.lost_hashes == pytest.approx(expected)
        if closed:
            break


def test_numbers_never_repeat() -> None:
    """Entries that open in one round have numbers of their own, in order, also after a clock was set back."""
    aisle = Aisle(*(entry(f"u{number}", place=Place()) for number in range(5)))
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    aisle.at -= 86_400
    aisle.wait(TEN_MINUTES_S, condition="fan 2 stands")
    numbers = [each.id for each in aisle.opened]
    assert len(numbers) == 10
    assert numbers == sorted(set(numbers))


def test_an_entry_is_compact() -> None:
    """Ten thousand open entries stay within a few megabytes: a course has no dictionary of its own."""
    aisle = Aisle("u1")
    aisle.wait(TEN_MINUTES_S, condition="board 1 dead")
    (course,) = aisle.book._open.values()
    assert not hasattr(course, "__dict__")
    assert len(msgspec.msgpack.encode(aisle.book.entries())) < 400
