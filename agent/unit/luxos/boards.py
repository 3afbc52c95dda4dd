"""`devs`, `devdetails` and `temps` together: the boards, each at its slot.

Observed (O176): the lists are in an order of their own, 1, 2, 0, and `ID` counts slots from 0. Documented (D247): a
board that was not found is in none of them, so it is missing at its slot.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from agent.unit.cgminer.fields import clean, clock_hz
from agent.unit.limits import HS_PER_MHS
from agent.unit.luxos.reports import DetailsReport, DevRow
from agent.unit.luxos.sensors import NO_SENSORS, BoardSensors
from agent.unit.reading import BoardReading


class Detail(NamedTuple):
    """Fields of a board in `devdetails`: chips that answered (Assumed (A176)), mean clock (Hz), serial number."""

    chips: int | None = None
    frequency_hz: float | None = None
    serial: str | None = None


Details = Mapping[int, Detail]
NO_DETAILS: Final[Details] = {}
_NO_DETAIL: Final = Detail()


def details_by_slot(report: DetailsReport, repairs: set[str]) -> Details:
    """Return what is listed of each board, by slot; the names of the repairs are added to `repairs`."""
    found: dict[int, Detail] = {}
    for row in report.DEVDETAILS:
        if row.slot is not None:
            chips = None if row.chips is None else int(row.chips)
            found.setdefault(row.slot, Detail(chips, clock_hz(row.mhz, repairs), clean(row.serial)))
    return found


def are_placed(devs: Iterable[DevRow]) -> bool:
    """Return True if each board tells its slot, and no two the same.

    Otherwise `devs` does not say which boards are there, and one that hashes would count as missing.
    """
    slots = [row.slot for row in devs]
    return None not in slots and len(set(slots)) == len(slots)


def boards_of(
    devs: Sequence[DevRow] | None, details: Details, sensors: Mapping[int, BoardSensors]
) -> tuple[BoardReading, ...]:
    """Return the boards by slot.

    Args:
        devs: The rows of `devs`, `are_placed`; None without, and then the boards are those of the other reports.
        details: As last read; only of boards that are still listed.
        sensors: As last read, likewise.
    """
    if devs is None:
        return tuple([_board_without_rate(slot, details, sensors) for slot in sorted({*details, *sensors})])
    by_slot: dict[int, DevRow] = {}
    for row in devs:
        if row.slot is not None:
            by_slot[row.slot] = row
    boards = []
    for slot in sorted(by_slot):
        row, detail, (pcb, chip, coolant) = by_slot[slot], details.get(slot, _NO_DETAIL), sensors.get(slot, NO_SENSORS)
        serial, errors, rate = row.serial, row.hw_errors, row.mhs_5s
        boards.append(
            BoardReading(
                slot=slot,
                hashrate_hs=None if rate is None else rate * HS_PER_MHS,
                chips=detail.chips,
                chip_celsius=chip,
                pcb_celsius=pcb,
                coolant_celsius=coolant,
                frequency_hz=detail.frequency_hz,
                hw_errors=None if errors is None else int(errors),
                serial=serial if serial and serial.isalnum() and len(serial) <= 64 else clean(serial),
            )
        )
    return tuple(boards)


def _board_without_rate(slot: int, details: Details, sensors: Mapping[int, BoardSensors]) -> BoardReading:
    detail, (pcb, chip, coolant) = details.get(slot, _NO_DETAIL), sensors.get(slot, NO_SENSORS)
    return BoardReading(
        slot=slot,
        hashrate_hs=None,
        chips=detail.chips,
        chip_celsius=chip,
        pcb_celsius=pcb,
        coolant_celsius=coolant,
        frequency_hz=detail.frequency_hz,
        serial=detail.serial,
    )


def profile_hs(devs: Iterable[DevRow]) -> float | None:
    """Return what the running profile should give, H/s: the sum of the boards'; None if one that is up has none.

    Observed (O176): it is neither the rate on the label nor that of the default profile.
    """
    total = 0.0
    for row in devs:
        if row.nominal_mhs is None:
            return None
        total += row.nominal_mhs
    return total * HS_PER_MHS or None


def run_s(devs: Iterable[DevRow], uptime_s: float | None) -> float | None:
    """Return how long the boards have run, s: that of the oldest, or the process's uptime if that is shorter."""
    longest = max([row.run_s for row in devs if row.run_s is not None], default=None)
    if longest is None:
        return uptime_s
    return longest if uptime_s is None else min(longest, uptime_s)
