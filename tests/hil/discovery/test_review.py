"""Machines that answered a look, held against the ledger."""

from discovery_cases import machines, seen
from hypothesis import given
from hypothesis import strategies as st
from site_cases import entry

from agent.address import Endpoint
from agent.hil.discovery.figures import Machine, MachineKind, Seen
from agent.hil.discovery.review import review, seen_of
from agent.hil.scan.found import Found, Kind
from agent.site.ledger.entries import Ledger, LedgerEntry
from agent.unit.reading import Dialect, SystemInfo, UnitReading

AT = 1763674560.0
MAC, SERIAL = "02:00:00:00:00:07", "SIMABC00007"


def found_by(row: LedgerEntry, machine: Seen) -> list[Machine]:
    """Return how a machine stands to a ledger of one row."""
    return list(review([machine], Ledger(entries=(row,), digest=""), AT))


def test_a_machine_at_a_deployed_units_address_is_left_to_polling() -> None:
    """Also if it says that it is another: the identity checks know that already."""
    assert found_by(entry(host="10.0.1.7"), seen()) == []
    assert found_by(entry(host="10.0.1.7", mac="02:00:00:00:00:99"), seen()) == []


def test_a_unit_that_no_row_knows_is_unlisted() -> None:
    """Neither its address nor its identity is in the ledger."""
    (machine,) = found_by(entry(host="10.0.1.8"), seen())
    assert (machine.kind, machine.unit_id) == (MachineKind.UNLISTED, None)


def test_a_deployed_unit_at_another_address_has_moved() -> None:
    """By its MAC address or by its serial number, whatever their case."""
    for name in ({"mac": MAC.upper()}, {"serial": SERIAL.lower()}):
        (machine,) = found_by(entry("u5", host="10.0.1.8", **name), seen())
        assert (machine.kind, machine.unit_id) == (MachineKind.MOVED, "u5")


def test_a_unit_whose_rows_are_over_is_not_deployed() -> None:
    """By its identity, or by the address at which it stood."""
    for row in (
        entry("u5", host="10.0.1.8", mac=MAC, deployed_to=AT),
        entry("u5", host="10.0.1.7", deployed_from=AT + 1.0),
    ):
        (machine,) = found_by(row, seen())
        assert (machine.kind, machine.unit_id) == (MachineKind.NOT_DEPLOYED, "u5")


def test_a_row_in_force_wins_over_a_former_one() -> None:
    """An identity that was removed and entered again is that of today."""
    rows = (
        entry("new", host="10.0.1.8", mac=MAC, deployed_from=AT),
        entry("old", host="10.0.1.9", mac=MAC, deployed_to=AT),
    )
    (machine,) = review([seen()], Ledger(entries=rows, digest=""), AT)
    assert (machine.kind, machine.unit_id) == (MachineKind.MOVED, "new")


def test_a_port_of_its_own_is_another_address() -> None:
    """Units of one address are told apart by their ports."""
    (machine,) = found_by(entry(host="10.0.1.7", port=4029), seen())
    assert machine.kind is MachineKind.UNLISTED


def test_what_no_reader_fits_is_unidentified_whatever_it_says() -> None:
    """It may be another make, or no miner at all."""
    (machine,) = found_by(entry(host="10.0.1.8"), seen(is_identified=False, looks_like="HTTP"))
    assert machine.kind is MachineKind.UNIDENTIFIED


def test_machines_come_by_address() -> None:
    """10.0.1.9 comes before 10.0.1.10."""
    hosts = ["10.0.1.10", "10.0.1.9", "10.0.0.200"]
    ordered = review(map(seen, hosts), Ledger(entries=(), digest=""), AT)
    assert [machine.seen.endpoint.host for machine in ordered] == ["10.0.0.200", "10.0.1.9", "10.0.1.10"]


@given(
    st.lists(machines(), max_size=12),
    st.lists(st.ip_addresses(v=4, network="10.0.0.0/16").map(str), max_size=6, unique=True),
)
def test_every_machine_is_polled_or_told_once(found: list[Machine], homes: list[str]) -> None:
    """Whatever answers: what stands at a deployed unit's address is left out, and all else is told once."""
    rows = [entry(f"u{number}", host=host) for number, host in enumerate(homes)]
    told = review([machine.seen for machine in found], Ledger(entries=tuple(rows), digest=""), AT)
    deployed = {Endpoint(row.host, row.port) for row in rows}
    assert not [machine for machine in told if machine.seen.endpoint in deployed]
    assert len(told) == sum(1 for machine in found if machine.seen.endpoint not in deployed)


def test_a_find_is_kept_without_control_characters() -> None:
    """A unit decides what it says; what is kept is one short printable line."""
    found = Found(
        host="10.0.1.7",
        port=4028,
        web_port=80,
        at=AT,
        kind=Kind.IDENTIFIED,
        info=SystemInfo(model="Antminer S21\x1b[2J" + 10_000 * "\n", mac="02:00:00:00:00:07\x07"),
    )
    kept = seen_of(found)
    assert kept.model is not None
    assert kept.model.isprintable()
    assert len(kept.model) <= 64
    assert kept.mac == MAC


def test_a_rate_without_a_window_is_kept() -> None:
    """As of ePIC firmware, which does not tell over which time its rate is averaged."""
    reading = UnitReading(unit_id="u", at=1.0, dialect=Dialect.LEGACY, mode=None, stand_in_hs=99e12)
    find = Found(host="10.0.0.1", port=4028, web_port=80, at=1.0, kind=Kind.IDENTIFIED, reading=reading)
    assert seen_of(find).hashrate_hs == 99e12
