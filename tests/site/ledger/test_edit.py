"""Changes to a ledger: the resulting lines, and contradictions that change none of them."""

import csv
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.address import Endpoint
from agent.config.mistakes import SHOWN_MISTAKES
from agent.config.sections import DEFAULT_NETWORKS
from agent.errors import ConfigError
from agent.site.ledger.cells import host_cell, moment_cell, parse_moment
from agent.site.ledger.compare import Contrast, compare, same_row, same_unit
from agent.site.ledger.edit import Draft, Edited, RowChange, Rules
from agent.site.ledger.sheet import Sheet, split_raw
from agent.unit.nameplate import shipped_catalogue

RULES = Rules(catalogue=shipped_catalogue(), zone=ZoneInfo("America/Chicago"), networks=DEFAULT_NETWORKS)
HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status"
U1 = "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,,deployed"
U2 = "u2,T21,190,10.0.0.2,C1,R1,2,2025-01-01,,deployed"
WIDE = f"{HEADER},serial,mac"

Action = Callable[[Draft], None]


def edit(action: Action, *rows: str, header: str = HEADER) -> Edited:
    """Make a change to a ledger of these lines."""
    draft = Draft("\n".join((header, *rows, "")), "ledger.csv", RULES)
    action(draft)
    return draft.finish()


def lines(action: Action, *rows: str, header: str = HEADER) -> list[str]:
    """Return the lines below the header after a change."""
    return edit(action, *rows, header=header).text.splitlines()[1:]


def refusals(action: Action, *rows: str, header: str = HEADER) -> list[str]:
    """Return the reasons why a change was refused."""
    with pytest.raises(ConfigError) as caught:
        edit(action, *rows, header=header)
    return [str(mistake) for mistake in caught.value.mistakes]


def setting(unit_id: str = "u1", at: str = "2025-06-01", *, is_exchange: bool = False, **cells: str) -> Action:
    """Return the change that `ledger set` makes."""
    return lambda draft: draft.set_cells(unit_id, cells, at, is_exchange=is_exchange)


def merging(*table: str, at: str = "2025-06-01") -> Action:
    """Return the change that `ledger import` makes."""
    return lambda draft: draft.merge("\n".join(table), "new.csv", at)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"host": "10.0.0.9"}, "u1,S21,200,10.0.0.9,C1,R1,1,2025-06-01,,deployed"),
        ({"host": "10.0.0.9:4029"}, "u1,S21,200,10.0.0.9:4029,C1,R1,1,2025-06-01,,deployed"),
        ({"container": "C2", "slot": "7"}, "u1,S21,200,10.0.0.1,C2,R1,7,2025-06-01,,deployed"),
        ({"slot": ""}, "u1,S21,200,10.0.0.1,C1,R1,,2025-06-01,,deployed"),
        ({"status": "maintenance"}, "u1,S21,200,10.0.0.1,C1,R1,1,2025-06-01,,maintenance"),
        ({"hashrate_th": "195"}, "u1,S21,195,10.0.0.1,C1,R1,1,2025-06-01,,deployed"),
        ({"model": "T21", "hashrate_th": "190"}, "u1,T21,190,10.0.0.1,C1,R1,1,2025-06-01,,deployed"),
        ({"container": 'C "2", left'}, 'u1,S21,200,10.0.0.1,"C ""2"", left",R1,1,2025-06-01,,deployed'),
    ],
)
def test_one_row_ends_and_another_begins(cells: dict[str, str], expected: str) -> None:
    """The old row ends at the moment; the new one copies its other cells."""
    ended = "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-06-01,deployed"
    assert lines(setting(**cells), U1, U2) == [ended, expected, U2]


def test_what_is_not_changed_stays_byte_for_byte() -> None:
    """Comments, blanks, quotes, column order, line ends and the byte order mark stay as they are."""
    text = (
        "\ufeff# our ledger\r\n"
        "\r\n"
        "status, unit_id ,model,hashrate_th,host,deployed_from,deployed_to,container,rack,slot\r\n"
        'deployed, u1   ,"S21",200.0,10.0.0.1,  2025-01-01,  ,C1,R1, 1\r\n'
        "# moved twice already\r\n"
        "deployed, u2   ,T21  ,190  ,10.0.0.2,  2025-01-01,  ,C1,R1, 2"
    )
    draft = Draft(text, "ledger.csv", RULES)
    draft.set_cells("u1", {"slot": "7"}, "2025-06-01")
    draft.add("u3", {"model": "S21", "hashrate_th": "200", "host": "10.0.0.3"}, "2025-07-01")
    assert draft.finish().text == (
        "\ufeff# our ledger\r\n"
        "\r\n"
        "status, unit_id ,model,hashrate_th,host,deployed_from,deployed_to,container,rack,slot\r\n"
        'deployed, u1   ,"S21",200.0,10.0.0.1,  2025-01-01,  2025-06-01,C1,R1, 1\r\n'
        'deployed, u1   ,"S21",200.0,10.0.0.1,  2025-06-01,  ,C1,R1, 7\r\n'
        "# moved twice already\r\n"
        "deployed, u2   ,T21  ,190  ,10.0.0.2,  2025-01-01,  ,C1,R1, 2\r\n"
        "deployed,u3,S21,200,10.0.0.3,2025-07-01,,,,\r\n"
    )


def test_changes_name_rows_before_and_after() -> None:
    """The journal gets the row that ended and the new one."""
    edited = edit(setting(slot="7"), U1)
    cells = dict(zip(HEADER.split(","), U1.split(","), strict=True))
    assert edited.changes == (
        RowChange(unit_id="u1", before=cells, after=cells | {"deployed_to": "2025-06-01"}),
        RowChange(unit_id="u1", before=None, after=cells | {"deployed_from": "2025-06-01", "slot": "7"}),
    )
    assert len(edited.ledger.entries) == 2


@pytest.mark.parametrize("cells", [{}, {"slot": "1"}, {"host": "10.0.0.1:4028"}, {"hashrate_th": "200.0"}])
def test_what_is_so_already_changes_nothing(cells: dict[str, str]) -> None:
    """A cell with the same value in another spelling changes nothing, so a repeated change is made once."""
    edited = edit(setting(**cells), U1, U2)
    assert (edited.changes, edited.text) == ((), f"{HEADER}\n{U1}\n{U2}\n")


def test_a_change_at_the_very_beginning_corrects_the_row() -> None:
    """A row that begins at the moment of the change is changed in place: split, it would cover no time."""
    assert lines(setting(at="2025-01-01T00:00", slot="7"), U1) == ["u1,S21,200,10.0.0.1,C1,R1,7,2025-01-01,,deployed"]


def test_maintenance_and_back() -> None:
    """A repair makes three rows without a gap, and the unit is deployed in all of them."""

    def action(draft: Draft) -> None:
        draft.set_cells("u1", {"status": "maintenance"}, "2025-06-01")
        draft.set_cells("u1", {"status": "deployed"}, "2025-06-08T12:00")

    assert lines(action, U1) == [
        "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-06-01,deployed",
        "u1,S21,200,10.0.0.1,C1,R1,1,2025-06-01,2025-06-08T12:00,maintenance",
        "u1,S21,200,10.0.0.1,C1,R1,1,2025-06-08T12:00,,deployed",
    ]


def test_later_rows_stay_and_are_told_of() -> None:
    """A change before a planned one ends where the plan begins."""
    planned = "u1,S21,200,10.0.0.1,C2,R1,1,2025-09-01,,deployed"
    edited = edit(setting(slot="7"), U1.replace(",,deployed", ",2025-09-01,deployed"), planned)
    assert edited.text.splitlines()[2:] == ["u1,S21,200,10.0.0.1,C1,R1,7,2025-06-01,2025-09-01,deployed", planned]
    assert edited.notes == ("u1 has rows that begin later (2025-09-01); they stay as they are",)


def test_a_unit_leaves_and_comes_back() -> None:
    """Removal ends a unit's row; a status brings it back with its old cells, and the time between stays a gap."""

    def action(draft: Draft) -> None:
        draft.remove("u1", "2025-06-01")
        draft.set_cells("u1", {"status": "deployed", "slot": "9"}, "2025-07-01")

    assert lines(action, U1, U2) == [
        "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-06-01,deployed",
        "u1,S21,200,10.0.0.1,C1,R1,9,2025-07-01,,deployed",
        U2,
    ]


def test_removal_at_its_beginning_takes_the_row_out() -> None:
    """Removing a unit at the moment it enters deletes its row."""
    assert lines(lambda draft: draft.remove("u1", "2025-01-01"), U1, U2) == [U2]


def test_a_column_that_is_needed_comes_to_the_right() -> None:
    """A ledger without serial numbers gets the column with the first one; no other row counts as changed."""
    edited = edit(setting(serial="SN1"), U1, U2)
    assert edited.text.splitlines() == [
        f"{HEADER},serial",
        "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-06-01,deployed,",
        "u1,S21,200,10.0.0.1,C1,R1,1,2025-06-01,,deployed,SN1",
        f"{U2},",
    ]
    assert [change.unit_id for change in edited.changes] == ["u1", "u1"]


def test_two_units_exchange_addresses() -> None:
    """Two units exchange addresses in one change, which neither could get alone; their places stay."""
    expected = [
        "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-06-01,deployed",
        "u1,S21,200,10.0.0.2,C1,R1,1,2025-06-01,,deployed",
        "u2,T21,190,10.0.0.2,C1,R1,2,2025-01-01,2025-06-01,deployed",
        "u2,T21,190,10.0.0.1,C1,R1,2,2025-06-01,,deployed",
    ]
    assert lines(setting(host="10.0.0.2", is_exchange=True), U1, U2) == expected


def test_two_units_exchange_places() -> None:
    """Two units exchange slots as they exchange addresses."""
    assert lines(setting(slot="2", is_exchange=True), U1, U2)[1::2] == [
        "u1,S21,200,10.0.0.1,C1,R1,2,2025-06-01,,deployed",
        "u2,T21,190,10.0.0.2,C1,R1,1,2025-06-01,,deployed",
    ]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1), (3, 2, 1)])
def test_a_ring_is_set_right_one_command_at_a_time(order: tuple[int, ...]) -> None:
    """Each exchange puts its unit in its final place: any permutation works in any order, and repeating it is safe."""
    rows = [f"u{number},S21,200,10.0.0.{number},,,,2025-01-01,,deployed" for number in (1, 2, 3)]
    new_hosts = {1: 2, 2: 3, 3: 1}

    def action(draft: Draft) -> None:
        for number in (*order, *order):
            host = f"10.0.0.{new_hosts[number]}"
            draft.set_cells(f"u{number}", {"host": host}, "2025-06-01", is_exchange=True)

    entries = edit(action, *rows).ledger.at(parse_moment("2025-06-02", zone=RULES.zone) or 0.0)
    assert {entry.unit_id: entry.host for entry in entries} == {
        f"u{number}": f"10.0.0.{home}" for number, home in new_hosts.items()
    }


POSITIVE = "a number of TH/s above 0 is expected, such as 200 or 151.5"
AS_WOULD_BE = "ledger.csv as it would be"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (setting("u9", slot="1"), ["ledger.csv: unit_id = 'u9': no such unit"]),
        (setting("U1", slot="2"), ["ledger.csv: unit_id = 'U1': no such unit; did you mean u1?"]),
        (
            setting(at="2024-01-01", slot="9"),
            ["ledger.csv: at = '2024-01-01': u1 is not deployed then; with a status it comes back"],
        ),
        (setting(at="soon", slot="9"), [None]),
        (setting(at="", slot="9"), ["ledger.csv: at: a date or a time is expected"]),
        (
            setting(at="2025-03-09T02:30", slot="9"),
            ["ledger.csv: at = '2025-03-09T02:30': the clocks of America/Chicago skip this time"],
        ),
        (
            setting(hashrate_th="-200"),
            ["set: hashrate_th = '-200': a number of TH/s above 0 is expected, such as 200 or 151.5"],
        ),
        (
            setting(host="miner", status="broken"),
            [
                ("set: host = 'miner': a literal IP address is expected, such as 10.0.3.17; names are not looked up"),
                "set: status = 'broken': deployed or maintenance is expected",
            ],
        ),
        (
            setting(hashrate_th="190"),
            [f"{AS_WOULD_BE}: line 3, column hashrate_th = '190': S21 comes with"],
        ),
        (
            setting(slot="2"),
            [f"{AS_WOULD_BE}: line 4, column slot = 'C1 / R1 / 2': also of u1 on line 3, for a span of time that"],
        ),
        (
            setting(host="10.0.0.2"),
            [f"{AS_WOULD_BE}: line 4, column host = '10.0.0.2:4028': also of u1 on line 3, for a span of time that"],
        ),
        (
            lambda draft: draft.remove("u9", "2025-06-01"),
            ["ledger.csv: unit_id = 'u9': no such unit"],
        ),
        (lambda draft: draft.remove("u1", "2024-01-01"), ["ledger.csv: at = '2024-01-01': u1 is not deployed then"]),
        (
            lambda draft: draft.add("u1", {"model": "S21"}, "2025-06-01"),
            ["ledger.csv: unit_id = 'u1': the ledger has this unit already"],
        ),
        (
            lambda draft: draft.add("u3", {"model": "S21", "hashrate_th": "200"}, "2025-06-01"),
            [f"{AS_WOULD_BE}: line 4, column host: a literal IP address is expected"],
        ),
    ],
)
def test_contradictions_are_refused(action: Action, expected: list[str | None]) -> None:
    """Every refusal names the fault; a fault in a line never written comes with its row."""
    found = refusals(action, U1, U2)
    assert len(found) == len(expected)
    for message, beginning in zip(found, expected, strict=True):
        assert beginning is None or message.startswith(beginning), message


def test_a_unit_with_a_future_does_not_leave() -> None:
    """A unit with rows that begin later cannot be removed before those are changed."""
    rows = [U1.replace(",,deployed", ",2025-09-01,deployed"), "u1,S21,200,10.0.0.1,C2,R1,1,2025-09-01,,deployed"]
    assert refusals(lambda draft: draft.remove("u1", "2025-06-01"), *rows) == [
        "ledger.csv: at = '2025-06-01': u1 has rows that begin later (2025-09-01); change those first"
    ]


def test_a_refused_change_shows_its_row() -> None:
    """A fault in a line that was never written comes with the row itself."""
    [message] = refusals(setting(slot="2"), U1, U2)
    assert message.endswith(f"; the row: {U2}")


def test_no_row_turns_into_a_comment() -> None:
    """If the first column is the rack, a rack called #1 is refused: it would comment out its unit."""
    header = "rack,unit_id,model,hashrate_th,host,container,slot,deployed_from,deployed_to,status"
    assert refusals(setting(rack="#1"), "R1,u1,S21,200,10.0.0.1,C1,1,2025-01-01,,deployed", header=header) == [
        "ledger.csv: row: a row would read as a comment; no cell may begin with #"
    ]


def test_an_unsound_ledger_is_not_edited() -> None:
    """A ledger with a mistake of its own cannot be changed; that mistake is reported."""
    assert refusals(setting(slot="7"), U1, U1)[0].startswith(
        "ledger.csv: line 3, column unit_id = 'u1': also on line 2"
    )


def test_import_adds_and_changes() -> None:
    """New units enter at the moment, known ones change there; an empty cell keeps the ledger's value."""
    action = merging(
        "# from the commissioning list",
        "unit_id,model,hashrate_th,host,slot,serial",
        "u3,S21,195,10.0.0.3,3,SN3",
        'u1,,,10.0.0.11,,"SN1"',
        "u2,T21,190.0,10.0.0.2:4028,2,",
    )
    assert edit(action, U1, U2, header=HEADER).text.splitlines() == [
        f"{HEADER},serial",
        "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-06-01,deployed,",
        "u1,S21,200,10.0.0.11,C1,R1,1,2025-06-01,,deployed,SN1",
        f"{U2},",
        "u3,S21,195,10.0.0.3,,,3,2025-06-01,,deployed,SN3",
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # The row that begins then is corrected.
        (["unit_id,deployed_from,slot", "u1,2025-01-01,7"], ["u1,S21,200,10.0.0.1,C1,R1,7,2025-01-01,,deployed"]),
        # One begins there.
        (
            ["unit_id,deployed_from,slot", "u1,2025-03-01,7"],
            [
                "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-03-01,deployed",
                "u1,S21,200,10.0.0.1,C1,R1,7,2025-03-01,,deployed",
            ],
        ),
        # It ends there.
        (["unit_id,deployed_to", "u1,2025-09-01"], ["u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-09-01,deployed"]),
        # Several rows of one unit, in any order.
        (
            ["unit_id,deployed_from,deployed_to,slot", "u1,2025-05-01,2025-08-01,9", "u1,2025-03-01,,7"],
            [
                "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-03-01,deployed",
                "u1,S21,200,10.0.0.1,C1,R1,7,2025-03-01,2025-05-01,deployed",
                "u1,S21,200,10.0.0.1,C1,R1,9,2025-05-01,2025-08-01,deployed",
            ],
        ),
        # Before its other rows, if the time is free: the unit keeps its identity but not its place.
        (
            ["unit_id,deployed_from,deployed_to,host", "u1,2024-03-01,2024-06-01,10.0.0.7"],
            [
                "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,,deployed",
                "u1,S21,200,10.0.0.7,,,,2024-03-01,2024-06-01,deployed",
            ],
        ),
        # The ledger itself.
        ([HEADER, U1], [U1]),
    ],
)
def test_import_by_date(table: list[str], expected: list[str]) -> None:
    """A row with a date changes the row that begins then, or begins one there."""
    assert lines(merging(*table), U1) == expected


def test_import_brings_a_unit_back_with_a_column_that_is_new() -> None:
    """A unit that comes back may bring the ledger's first serial number."""
    former = "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-03-01,deployed"
    edited = edit(merging("unit_id,host,serial", "u1,10.0.0.7,SN1"), former, U2)
    assert edited.text.splitlines() == [
        f"{HEADER},serial",
        f"{former},",
        "u1,S21,200,10.0.0.7,,,,2025-06-01,,deployed,SN1",
        f"{U2},",
    ]


@pytest.mark.parametrize("ledger", ["", "\n", f"{HEADER}\n", f"# none yet\n{HEADER}\n"])
def test_import_into_a_ledger_without_units(ledger: str) -> None:
    """The first units may be imported, or added, into a file that is empty or has its header only."""
    draft = Draft(ledger, "ledger.csv", RULES)
    draft.merge(f"{HEADER}\n{U1}\n", "new.csv", "2025-06-01")
    draft.add("u2", {"model": "T21", "hashrate_th": "190", "host": "10.0.0.2"}, "2025-06-01")
    edited = draft.finish()
    assert edited.ledger.unit_ids == ("u1", "u2")
    assert edited.text.startswith(ledger.strip() or HEADER)


def test_the_last_unit_cannot_be_taken_out() -> None:
    """A ledger without units watches nothing, so no change may leave one."""
    assert refusals(lambda draft: draft.remove("u1", "2025-01-01"), U1) == [
        "ledger.csv as it would be: file: no units: there is nothing to watch"
    ]


@pytest.mark.parametrize(
    "table",
    [
        ["Unit ID;Hashrate TH;Model;Host;Remarks;;", "u3;200,5T;X9;10.0.0.3;fan replaced;;", ";;;;;;"],
        ["Unit ID\thashrate_th\tmodel\thost\tRemarks", "u3\t200,5\tX9\t10.0.0.3\t"],
        ["unit_id,hashrate_th,model,host,Remarks,,", "u3,200.5TH/s,X9,10.0.0.3,,,"],
    ],
)
def test_import_takes_a_spreadsheets_table(table: list[str]) -> None:
    """Semicolons, tabs, decimal commas, columns of other names, and empty cells at the end of every line."""
    mistakes = refusals(merging(*table), U1)
    # Only the model is wrong: every cell was understood.
    assert [mistake.split(": ")[1] for mistake in mistakes] == ["line 3, column model = 'X9'"]
    edited = edit(
        merging(*(line.replace("X9", "S21").replace("200,5", "200").replace("200.5", "200") for line in table)), U1
    )
    assert edited.ledger.entries[1].nameplate.hashrate_hs == 200e12
    assert edited.notes == ("new.csv: columns that a ledger does not have are left out: Remarks",)


@pytest.mark.parametrize("name", ["remark", "Remarks", "site", "customer", "Location", "notes"])
def test_a_column_of_a_persons_own_is_left_out_and_named(name: str) -> None:
    """However much it looks like one of a ledger's."""
    edited = edit(merging(f"unit_id,slot,{name}", "u1,7,text"), U1)
    assert edited.notes == (f"new.csv: columns that a ledger does not have are left out: {name}",)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("slots", "; did you mean slot?"),
        ("rak", "; did you mean rack?"),
        ("hashrate", "; did you mean hashrate_th?"),
        ("serial_number", "; did you mean serial?"),
        ("mac_address", "; known are unit_id, "),
    ],
)
def test_a_misspelt_column_is_refused(name: str, suggestion: str) -> None:
    """What it holds would be missed late, an identity most of all."""
    (mistake,) = refusals(merging(f"unit_id,{name}", "u1,text"), U1)
    assert mistake.startswith(f"new.csv: line 1 = '{name}': unknown column{suggestion}")


def test_a_ledger_with_trailing_commas_stays_byte_for_byte() -> None:
    """A change leaves the cells beyond the header where they are, and a new column goes before them."""
    edited = edit(setting("u2", serial="SN2"), f"{U1},,", f"{U2},,", header=f"{HEADER},,")
    assert edited.text.splitlines() == [
        f"{HEADER},serial",
        f"{U1},,,",
        f"{U2.replace('2025-01-01,', '2025-01-01,2025-06-01')},,,",
        f"{U2.replace('2025-01-01', '2025-06-01')},SN2",
    ]
    untouched = edit(setting("u2", slot="7"), f"{U1},,", f"{U2},,", header=f"{HEADER},,").text.splitlines()
    assert untouched[:2] == [f"{HEADER},,", f"{U1},,"]


def test_import_sets_an_exchange_right() -> None:
    """All rows are one change, even if each alone would contradict the ledger."""
    action = merging("unit_id,host", "u1,10.0.0.2", "u2,10.0.0.1")
    assert lines(action, U1, U2)[1::2] == [
        "u1,S21,200,10.0.0.2,C1,R1,1,2025-06-01,,deployed",
        "u2,T21,190,10.0.0.1,C1,R1,2,2025-06-01,,deployed",
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([], ["new.csv: line 1: no rows: there is nothing to import"]),
        (["unit_id,slot"], ["new.csv: line 1: no rows: there is nothing to import"]),
        (["slot", "7"], ["new.csv: line 1: a column unit_id is expected", "new.csv: line 2: a unit_id is expected"]),
        (
            ["unit_id,slots,slot,slot", "u1,1,2,3"],
            [
                "new.csv: line 1 = 'slots': unknown column; did you mean slot?",
                "new.csv: line 1 = 'slot': this column is there twice",
            ],
        ),
        (["unit_id,slot", "u1"], ["new.csv: line 2: 2 cells are expected, as in the header; here are 1"]),
        (["unit_id,slot", ",1"], ["new.csv: line 2: a unit_id is expected"]),
        (
            ["unit_id,slot", 'u1,"1'],
            ["new.csv: line 2 = 'u1,\"1': a quote is opened and not closed, or followed by more than a comma"],
        ),
        (["unit_id,slot", "u1,\0"], ["new.csv: line 2: a NUL byte; save the file as UTF-8 text"]),
        (
            ["unit_id,hashrate_th,mac", "u1,-5,", "u2,0,zz"],
            [
                f"new.csv: line 2, column hashrate_th = '-5': {POSITIVE}",
                f"new.csv: line 3, column hashrate_th = '0': {POSITIVE}",
                (
                    "new.csv: line 3, column mac = 'zz': the MAC address of one machine is expected,"
                    " such as 02:1a:2b:3c:4d:5e"
                ),
            ],
        ),
    ],
)
def test_bad_tables(table: list[str], expected: list[str]) -> None:
    """Every mistake of a table is reported, each with its line."""
    assert refusals(merging(*table), U1, U2) == expected


def test_a_table_of_another_kind_does_not_fill_the_screen() -> None:
    """Mistakes beyond the limit are counted."""
    messages = refusals(merging("unit_id,slot", *["u1"] * 500), U1)
    assert len(messages) == SHOWN_MISTAKES + 1
    assert messages[-1] == "new.csv: file: 400 more mistakes are not shown"


def test_import_of_a_contradiction_takes_in_nothing() -> None:
    """One bad row of many refuses all of them, with the rows that contradict each other."""
    found = refusals(merging("unit_id,slot,host", "u1,7,10.0.0.2", "u2,9,"), U1, U2)
    assert [message.partition(": also")[0] for message in found] == [
        f"{AS_WOULD_BE}: line 5, column host = '10.0.0.2:4028'"
    ]


def test_import_of_a_whole_fleet() -> None:
    """Thousands of units are moved in one change, each once."""
    rows = [f"u{number},S21,200,10.{number >> 8}.{number & 255}.1,,,,2025-01-01,,deployed" for number in range(3_000)]
    table = ["unit_id,container", *(f"u{number},C{number % 7}" for number in range(3_000))]
    edited = edit(merging(*table), *rows)
    assert len(edited.changes) == len(edited.ledger.entries) == 6_000


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=6)


@given(st.lists(CELLS, min_size=1, max_size=6), st.booleans())
def test_lines_are_split_where_the_ledger_splits_them(cells: list[str], is_quoted: bool) -> None:  # noqa: FBT001
    """A line written by csv splits into raw pieces that parse to its cells and join to the line."""
    in_quotes = [f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells]
    quoted = [full if is_quoted or set(full[1:-1]) & set('",') else full[1:-1] for full in in_quotes]
    line = ",".join(quoted)
    pieces = split_raw(line)
    assert ",".join(pieces) == line
    assert len(pieces) == len(cells)
    assert ["".join(next(csv.reader((piece,), strict=True))) for piece in pieces] == cells


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["u1", "u2", "u3"]),
            st.sampled_from(
                [
                    {"slot": "7"},
                    {"slot": "8"},
                    {"host": "10.0.0.2"},
                    {"host": "10.0.0.3"},
                    {"status": "maintenance"},
                    {"status": "deployed"},
                    {"hashrate_th": "195"},
                    {},
                ]
            ),
            st.integers(1, 12),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_any_changes_are_a_sound_ledger_or_none(changes: list[tuple[str, Mapping[str, str], int, bool]]) -> None:
    """After any accepted changes the ledger is sound, and entries before the moment are as they were."""
    text = f"{HEADER}\n{U1}\n{U2}\nu3,S21,200,10.0.0.3,C1,R1,3,2025-02-01,,deployed\n"
    for unit_id, cells, month, is_exchange in changes:
        at = f"2025-{month:02d}-15"
        before = RULES.read(text, "ledger.csv")
        draft = Draft(text, "ledger.csv", RULES)
        try:
            if cells:
                draft.set_cells(unit_id, cells, at, is_exchange=is_exchange)
            else:
                draft.remove(unit_id, at)
            text = draft.finish().text
        except ConfigError:
            continue
        after = RULES.read(text, "ledger.csv")
        moment = parse_moment(at, zone=RULES.zone) or 0.0
        assert not compare(before.at(moment - 1), after.at(moment - 1), same=same_unit, zone=RULES.zone)


def test_an_untouched_sheet_is_the_file() -> None:
    """A sheet without changes has the text it was read from, byte for byte."""
    text = f"\ufeff#,\r{HEADER}\r\n\n ,,,,,,,,,\n{U1}\r\r{U2}"
    assert Sheet(text).text == text


def test_comparing_moments_and_files() -> None:
    """Two moments are compared unit by unit without dates; two files row by row with them."""
    before = RULES.read(f"{HEADER}\n{U1}\n{U2}", "a").entries
    after = RULES.read(edit(setting(slot="7"), U1).text, "b").entries
    rows = compare(before, after, same=same_row, zone=RULES.zone)
    assert rows == [
        Contrast(unit_id="u1", before=before[0], after=after[0]),
        Contrast(unit_id="u2", before=before[1], after=None),
        Contrast(unit_id="u1", before=None, after=after[1]),
    ]
    units = compare(before[:1], after[1:], same=same_unit, zone=RULES.zone)
    assert units == [Contrast(unit_id="u1", before=before[0], after=after[1])]
    assert compare(before[:1], after[:1], same=same_unit, zone=RULES.zone) == []


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("", ""),
        ("2025-06-01", "2025-06-01"),
        ("2025-06-01T00:00", "2025-06-01"),
        ("2025-06-01T06:00", "2025-06-01T06:00:00-05:00"),
        ("2025-12-01T06:00Z", "2025-12-01"),
        ("2025-11-02T01:30-06:00", "2025-11-02T01:30:00-06:00"),
    ],
)
def test_moments_are_written_as_they_are_read(cell: str, expected: str) -> None:
    """The start of a day is a date, any other moment has its offset; both parse back to the same moment."""
    moment = parse_moment(cell, zone=RULES.zone)
    assert moment_cell(moment, RULES.zone) == expected
    assert parse_moment(expected, zone=RULES.zone) == moment


def test_addresses_are_written_as_they_are_read() -> None:
    """The default port is left out."""
    endpoints: dict[Any, str] = {("10.0.0.1", 4028): "10.0.0.1", ("fd00::1", 4029): "[fd00::1]:4029"}
    assert {host_cell(Endpoint(*endpoint)) for endpoint in endpoints} == set(endpoints.values())
