"""A ledger held against a proposal: each kind of difference, and what an import of it writes."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.config.sections import DEFAULT_NETWORKS
from agent.errors import ConfigError
from agent.hil.review.applying import apply_changes
from agent.hil.review.changes import Change, changes
from agent.hil.review.kinds import IMPORTABLE, KIND_WORDS, Kind
from agent.hil.review.reading import is_proposal, read_proposed
from agent.hil.review.unread import unread_rows
from agent.hil.scan.found import Found
from agent.hil.scan.found import Kind as FoundKind
from agent.hil.scan.proposal import EXTRA_COLUMNS, Proposed, write_proposal
from agent.site.ledger.edit import Draft, Rules
from agent.site.ledger.reader import COLUMNS
from agent.unit.nameplate import shipped_catalogue

RULES = Rules(catalogue=shipped_catalogue(), zone=ZoneInfo("UTC"), networks=DEFAULT_NETWORKS)
AT = "2026-03-01"
AT_S = 1772323200.0
# The columns of before `reader`: a ledger may leave optional ones out.
WRITTEN = COLUMNS[: COLUMNS.index("reader")]
HEADER = ",".join(WRITTEN)
MACS = [f"02:1a:2b:00:00:{number:02x}" for number in range(10)]
LEDGER = f"""\
{HEADER}
u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,,deployed,SN1,{MACS[1]},,
u2,S21,200,10.0.0.2,C1,R1,2,2025-01-01,,deployed,SN2,,,
u3,S21,200,10.0.0.3,C1,R1,3,2025-01-01,,deployed,,,,
"""
U1 = Proposed("SN1", "S21", "200", "10.0.0.1", serial="SN1", mac=MACS[1])
U2 = Proposed("SN2", "S21", "200", "10.0.0.2", serial="sn2", mac="")
U3 = Proposed("at-10.0.0.3", "S21", "200", "10.0.0.3")
SAME = [U1, U2, U3]


def found(*rows: Proposed, ledger: str = LEDGER) -> list[Change]:
    """Return the differences of a ledger and these rows."""
    return changes(RULES.read(ledger, "ledger.csv").at(AT_S), rows)


def imported(*rows: Proposed, kinds: tuple[Kind, ...], ledger: str = LEDGER) -> list[str]:
    """Return the lines of a ledger, below its header, after an import of differences of these kinds."""
    draft = Draft(ledger, "ledger.csv", RULES)
    apply_changes(draft, [each for each in found(*rows, ledger=ledger) if each.kind in kinds], AT)
    return draft.finish().text.splitlines()[1:]


def test_a_ledger_that_says_what_answers_has_no_differences() -> None:
    """Known by MAC address, by serial number in any case, or by address alone."""
    assert found(*SAME) == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [*SAME, Proposed("SN9", "T21", "190", "10.0.0.9", rack="R9", guessed=("hashrate_th",))],
            [(Kind.NEW, "SN9", "at 10.0.0.9: T21 of 190 TH/s (guessed), R9")],
        ),
        ([U1, U2], [(Kind.GONE, "u3", "nothing was identified at 10.0.0.3")]),
        ([U2, U3], [(Kind.GONE, "u1", f"nothing was identified at 10.0.0.1, nor {MACS[1]} elsewhere")]),
        ([U1._replace(host="10.0.0.7"), U2, U3], [(Kind.MOVED, "u1", "from 10.0.0.1 to 10.0.0.7")]),
        ([U1, U2._replace(host="10.0.0.7:4029"), U3], [(Kind.MOVED, "u2", "from 10.0.0.2 to 10.0.0.7:4029")]),
        (
            [U1, U2, U3._replace(container="C2", rack="R1", slot="3")],
            [(Kind.MOVED, "u3", "from C1 / R1 / 3 to C2 / R1 / 3")],
        ),
        # Two units in each other's place.
        (
            [U1._replace(host="10.0.0.2"), U2._replace(host="10.0.0.1"), U3],
            [(Kind.MOVED, "u1", "from 10.0.0.1 to 10.0.0.2"), (Kind.MOVED, "u2", "from 10.0.0.2 to 10.0.0.1")],
        ),
        # One moved to the address of one that is gone.
        (
            [U1._replace(host="10.0.0.2"), U3],
            [
                (Kind.MOVED, "u1", "from 10.0.0.1 to 10.0.0.2"),
                (Kind.GONE, "u2", "nothing was identified at 10.0.0.2, nor SN2 elsewhere"),
            ],
        ),
        (
            [U1._replace(mac=MACS[5], serial="SN5", unit_id="SN5"), U2, U3],
            [(Kind.EXCHANGED, "u1", f"at 10.0.0.1: the ledger has {MACS[1]}, {MACS[5]} answers: SN5, S21 of 200 TH/s")],
        ),
        # The machine at a unit's old address is new, because the unit was found.
        (
            [U1._replace(host="10.0.0.7"), U2, U3, Proposed("at-10.0.0.1", "S21", "200", "10.0.0.1")],
            [
                (Kind.NEW, "at-10.0.0.1", "at 10.0.0.1: S21 of 200 TH/s"),
                (Kind.MOVED, "u1", "from 10.0.0.1 to 10.0.0.7"),
            ],
        ),
        (
            [U1._replace(model="T21", hashrate_th="190"), U2._replace(hashrate_th="188"), U3],
            [
                (Kind.MODEL, "u1", "the ledger says S21 of 200 TH/s, the unit T21 of 190 TH/s"),
                (Kind.MODEL, "u2", "the ledger says S21 of 200 TH/s, the unit S21 of 188 TH/s"),
            ],
        ),
        (
            [U1, U2, U3._replace(mac=MACS[3], serial="SN3")],
            [(Kind.IDENTITY, "u3", f"mac {MACS[3]}, serial SN3")],
        ),
        (
            [U1, U2._replace(model="", hashrate_th="", note="names no model: fill it in"), U3],
            [(Kind.UNREADABLE, "u2", "at 10.0.0.2: names no model: fill it in")],
        ),
        (
            [*SAME, Proposed("SN9", "", "", "10.0.0.9")],
            [(Kind.UNREADABLE, "SN9", "at 10.0.0.9: no model or bin; fill in model and hashrate_th")],
        ),
        # Moved, and something else.
        (
            [U1._replace(host="10.0.0.7", hashrate_th="195"), U2, U3],
            [
                (Kind.MOVED, "u1", "from 10.0.0.1 to 10.0.0.7"),
                (Kind.MODEL, "u1", "the ledger says S21 of 200 TH/s, the unit S21 of 195 TH/s"),
            ],
        ),
    ],
)
def test_each_difference_has_its_kind(rows: list[Proposed], expected: list[tuple[Kind, str, str]]) -> None:
    """One line for each, in the order of kinds."""
    assert [(each.kind, each.unit_id, each.text) for each in found(*rows)] == expected


def test_what_answers_and_is_not_identified_is_not_gone() -> None:
    """A Whatsminer at a unit's address, and a silent server at no unit's: both are named, neither can be imported."""
    finds = [
        Found(host=host, port=4028, web_port=80, at=0, kind=FoundKind.UNIDENTIFIED, looks_like=looks, error="x")
        for host, looks in (("10.0.0.3", "a Whatsminer"), ("10.0.0.9", None))
    ]
    differences = found(U1, U2, *unread_rows(finds))
    assert [(each.kind, each.unit_id, each.text) for each in differences] == [
        (Kind.UNREADABLE, "u3", "at 10.0.0.3: not identified: this is a Whatsminer"),
        (Kind.UNREADABLE, "at-10.0.0.9", "at 10.0.0.9: not identified: x; fill in model and hashrate_th"),
    ]
    assert imported(U1, U2, *unread_rows(finds), kinds=tuple(Kind)) == LEDGER.splitlines()[1:]


def test_a_unit_is_known_by_its_id_too() -> None:
    """A ledger without MAC and serial columns, whose ids are serial numbers; an id from an address tells nothing."""
    ledger = f"{HEADER}\nSN1,S21,200,10.0.0.1,,,,,,deployed,,,,\nat-10.0.0.2,S21,200,10.0.0.2,,,,,,deployed,,,,\n"
    rows = (U1._replace(host="10.0.0.7"), Proposed("at-10.0.0.2", "S21", "200", "10.0.0.8"))
    assert [(each.kind, each.unit_id) for each in found(*rows, ledger=ledger)] == [
        (Kind.NEW, "at-10.0.0.2"),
        (Kind.MOVED, "SN1"),
        (Kind.IDENTITY, "SN1"),
        (Kind.GONE, "at-10.0.0.2"),
    ]


def test_ten_t21_and_ten_s21_188_entered_as_s21_200_are_named() -> None:
    """Every wrong row is named with what the unit says it is."""
    ledger = HEADER + "\n" + "".join(f"u{n},S21,200,10.0.1.{n},,,,,,deployed,,,,\n" for n in range(1, 21))
    rows = [Proposed(f"at-{n}", "T21", "190", f"10.0.1.{n}") for n in range(1, 11)]
    rows += [Proposed(f"at-{n}", "S21", "188", f"10.0.1.{n}", guessed=("hashrate_th",)) for n in range(11, 21)]
    differences = found(*rows, ledger=ledger)
    assert [each.kind for each in differences] == [Kind.MODEL] * 20
    assert sum("T21 of 190 TH/s" in each.text for each in differences) == 10
    assert [each.is_guess for each in differences] == [False] * 10 + [True] * 10


@pytest.mark.parametrize(
    ("rows", "kind", "expected"),
    [
        (
            [*SAME, Proposed("SN9", "T21", "190", "10.0.0.9", mac=MACS[9])],
            Kind.NEW,
            {3: f"SN9,T21,190,10.0.0.9,,,,2026-03-01,,deployed,,{MACS[9]},,"},
        ),
        (
            [U1._replace(host="10.0.0.2"), U2._replace(host="10.0.0.1"), U3],
            Kind.MOVED,
            {
                1: f"u1,S21,200,10.0.0.2,C1,R1,1,2026-03-01,,deployed,SN1,{MACS[1]},,",
                3: "u2,S21,200,10.0.0.1,C1,R1,2,2026-03-01,,deployed,SN2,,,",
            },
        ),
        (
            [U1._replace(mac=MACS[5], serial="SN5", unit_id="SN5", model="T21", hashrate_th="190"), U2, U3],
            Kind.EXCHANGED,
            {
                0: f"u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2026-03-01,deployed,SN1,{MACS[1]},,",
                3: f"SN5,T21,190,10.0.0.1,C1,R1,1,2026-03-01,,deployed,SN5,{MACS[5]},,",
            },
        ),
        (
            [U1._replace(model="T21", hashrate_th="190"), U2._replace(hashrate_th="188", guessed=("hashrate_th",)), U3],
            Kind.MODEL,
            {1: f"u1,T21,190,10.0.0.1,C1,R1,1,2026-03-01,,deployed,SN1,{MACS[1]},,"},
        ),
        (
            [U1, U2, U3._replace(mac=MACS[3])],
            Kind.IDENTITY,
            {2: f"u3,S21,200,10.0.0.3,C1,R1,3,2025-01-01,,deployed,,{MACS[3]},,"},
        ),
        ([U1, U2], Kind.GONE, {2: "u3,S21,200,10.0.0.3,C1,R1,3,2025-01-01,2026-03-01,deployed,,,,"}),
    ],
)
def test_an_import_writes_one_kind(rows: list[Proposed], kind: Kind, expected: dict[int, str]) -> None:
    """Dated, with every other line as it was; two units that changed places included."""
    lines = imported(*rows, kinds=(kind,))
    assert {place: lines[place] for place in expected} == expected
    assert kind is Kind.MOVED or LEDGER.splitlines()[2] in lines


def test_all_kinds_at_once() -> None:
    """A rack re-stocked: every kind in one import, and nothing is left to import afterwards."""
    rows = [
        U1._replace(host="10.0.0.3", hashrate_th="195"),
        U2._replace(mac=MACS[2], host="10.0.0.2"),
        Proposed("SN9", "T21", "190", "10.0.0.1", mac=MACS[9]),
    ]
    lines = imported(*rows, kinds=tuple(Kind))
    ledger = "\n".join((HEADER, *lines, ""))
    entries = RULES.read(ledger, "ledger.csv").at(AT_S)
    assert changes(entries, rows) == []
    assert sorted(entry.unit_id for entry in entries) == ["SN9", "u1", "u2"]


def test_a_unit_that_was_removed_comes_back() -> None:
    """Its id has rows of the past; the new one follows them."""
    ledger = f"{LEDGER}SN9,T21,190,10.0.0.9,C9,R9,9,2025-01-01,2025-06-01,deployed,,,,\n"
    rows = [*SAME, Proposed("SN9", "T21", "190", "10.0.0.8", container="C1", rack="R1", slot="9")]
    assert imported(*rows, kinds=(Kind.NEW,), ledger=ledger)[4] == (
        "SN9,T21,190,10.0.0.8,C1,R1,9,2026-03-01,,deployed,,,,"
    )


def test_what_would_contradict_the_ledger_is_refused_whole() -> None:
    """A new unit in a slot that is taken: the row is named, and nothing is imported."""
    row = Proposed("SN9", "T21", "190", "10.0.0.9", container="C1", rack="R1", slot="3")
    with pytest.raises(ConfigError, match="also of u3 on line 4"):
        imported(*SAME, row, kinds=(Kind.NEW,))


def test_a_refused_cell_names_its_unit() -> None:
    """A cell such as a status says nothing about its row, of which there may be thousands."""
    row = Proposed("SN9", "T21", "190", "10.0.0.9", status="broken")
    with pytest.raises(ConfigError, match="ledger import: unit SN9, status = 'broken': deployed or maintenance"):
        imported(*SAME, row, kinds=(Kind.NEW,))


def test_a_declared_identity_is_never_written_over() -> None:
    """`fill` writes into empty cells only."""
    draft = Draft(LEDGER, "ledger.csv", RULES)
    with pytest.raises(ConfigError, match="u1 has SN1 there"):
        draft.fill("u1", {"serial": "SN7"}, AT)
    with pytest.raises(ConfigError, match="u1 is not deployed then"):
        draft.fill("u1", {"serial": "SN7"}, "2024-01-01")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_proposal_comes_back_from_a_spreadsheet(separator: str) -> None:
    """With any separator, with empty cells at the end of lines, with a column more."""
    header = separator.join((*WRITTEN, *EXTRA_COLUMNS, "Checked by", "", ""))
    cells = [
        "SN9",
        "T21",
        "190",
        "10.0.0.9",
        *[""] * 10,
        "unit_id hashrate_th",
        "a note",
        "10.0.0.9:4028",
        "me",
        "",
        "",
    ]
    text = f"{header}\n{separator.join(cells)}\n{separator * 19}\n"
    assert is_proposal(text)
    (row,) = read_proposed(text, "proposal.csv")
    assert (row.unit_id, row.guessed, row.note) == ("SN9", ("unit_id", "hashrate_th"), "a note")
    assert not is_proposal(LEDGER)
    assert not is_proposal("")


def test_a_proposal_without_an_address_is_refused() -> None:
    """The line and what is missing."""
    with pytest.raises(ConfigError, match=r"line 2, column host: an address is expected"):
        read_proposed("unit_id,guessed,source\nSN1,,\n", "proposal.csv")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("T21,abc,10.0.0.9,", r"line 3, column hashrate_th = 'abc': a number of TH/s above 0 is expected"),
        ("T21,190,10.0.0,", r"line 3, column host = '10.0.0': "),
        ("T21,190,10.0.0.9,02:1a", r"line 3, column mac = '02:1a': "),
    ],
)
def test_a_mistyped_cell_is_refused_and_not_taken_for_an_empty_one(cells: str, reason: str) -> None:
    """A row with an empty bin waits for a person; one with a wrong bin would be left out without a word."""
    text = f"unit_id,model,hashrate_th,host,mac,guessed,source\nSN1,S21,,10.0.0.1,,,\nSN9,{cells},,\n"
    with pytest.raises(ConfigError, match=reason) as raised:
        read_proposed(text, "proposal.csv")
    assert len(raised.value.mistakes) == 1


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (f"SN9,10.0.0.9,{MACS[1].upper()},", "mac"),
        ("SN9,10.0.0.1:4028,,", "host"),
        ("SN9,10.0.0.9,,sn1", "serial"),
        ("U1,10.0.0.9,,", "unit_id"),
    ],
)
def test_a_unit_that_is_there_twice_is_refused(cells: str, column: str) -> None:
    """As after two scans were put together: which of its places is the present one, nobody can tell."""
    text = f"guessed,source,model,hashrate_th,unit_id,host,mac,serial\n,,S21,200,U1,10.0.0.1,{MACS[1]},SN1\n"
    with pytest.raises(ConfigError, match=f"line 3, column {column} = .*: also on line 2"):
        read_proposed(f"{text},,S21,200,{cells}\n", "proposal.csv")


def test_a_proposal_is_known_by_its_columns_in_any_case() -> None:
    """A spreadsheet may write every header in capitals."""
    text = "UNIT_ID,MODEL,HASHRATE_TH,HOST,GUESSED,NOTE,SOURCE\nSN9,T21,190,10.0.0.9,hashrate_th,a note,x\n"
    assert is_proposal(text)
    (row,) = read_proposed(text, "proposal.csv")
    assert (row.model, row.guessed, row.note) == ("T21", ("hashrate_th",), "a note")


def test_a_proposal_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Commas, quotes and blanks included."""
    rows = (
        Proposed("u1", "S21", "200", "10.0.0.7", guessed=("unit_id", "hashrate_th"), note='a "b", c', source="x:1"),
        Proposed("u2", "T21", "", "10.0.0.8"),
    )
    path = tmp_path / "proposal.csv"
    write_proposal(path, rows)
    assert read_proposed(path.read_text(encoding="utf-8"), str(path)) == rows


def test_a_column_of_a_persons_own_is_left_out_of_a_proposal() -> None:
    """Remarks may stand beside each row."""
    text = "unit_id,model,hashrate_th,host,remark,guessed,note,source\nSN9,T21,190,10.0.0.9,by the door,,,x\n"
    (row,) = read_proposed(text, "proposal.csv")
    assert (row.unit_id, row.rack, row.note) == ("SN9", "", "")


HEAD = "unit_id,model,hashrate_th,host,guessed,source\n"


@given(st.text(max_size=200).map(lambda rest: HEAD + rest) | st.text(max_size=200))
@example(HEAD + '"a')
@example(HEAD + "\0,,,,,\n")
def test_any_text_is_rows_or_a_message(text: str) -> None:
    """Whatever stands in it."""
    try:
        rows = read_proposed(text, "proposal.csv")
    except ConfigError:
        return
    assert all(isinstance(row, Proposed) for row in rows)


def test_every_kind_has_its_words_and_most_can_be_imported() -> None:
    """Only a unit that does not tell what it is waits for a person."""
    assert set(KIND_WORDS) == set(Kind)
    assert set(Kind) - set(IMPORTABLE) == {Kind.UNREADABLE}
