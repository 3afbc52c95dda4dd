"""What meters may measure, looked up in the ledger in force."""

from collections.abc import Iterator

from exporter_cases import entry

from agent.exporters.mqtt.topics import MeterScope
from agent.runtime.mqtt import _Names
from agent.site.ledger.entries import Ledger, LedgerEntry, Place


class CountedEntries(tuple[LedgerEntry, ...]):
    """Entries that count how often all of them were read."""

    __slots__ = ()
    readings = 0

    def __iter__(self) -> Iterator[LedgerEntry]:
        CountedEntries.readings += 1
        return super().__iter__()


def test_a_ledger_is_read_once_for_any_number_of_readings() -> None:
    """Ten thousand readings read the ledger once; a new ledger is looked up at once."""
    ledger = Ledger(
        entries=CountedEntries(entry(f"u{number}", place=Place(container="C1")) for number in range(50)), digest=""
    )
    names = _Names(lambda: ledger)
    before = CountedEntries.readings
    for _ in range(10_000):
        assert names.has(MeterScope(container="C1"))
        assert names.has(MeterScope(unit="u49"))
        assert not names.has(MeterScope(unit="u50"))
        assert names.has(MeterScope())
    assert CountedEntries.readings - before <= 1
    ledger = Ledger(entries=(entry("u50", place=Place(container="C2")),), digest="")
    assert names.has(MeterScope(unit="u50"))
    assert not names.has(MeterScope(container="C1"))
