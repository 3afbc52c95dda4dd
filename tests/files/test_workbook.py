"""Tables in workbooks: read as CSV text with nothing lost, refused with the cell where something would be."""

import csv
import io
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.files import workbook as module
from agent.files.workbook import read_table, workbook

MAX_BYTES = 1 << 20


def saved(path: Path, *rows: list[Any], title: str = "Units") -> Path:
    """Write a workbook as a spreadsheet does, and return its path."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def mistake(path: Path, max_bytes: int = MAX_BYTES) -> tuple[str, str, str]:
    """Return place, value and reason of the mistake for which a file is refused."""
    with pytest.raises(ConfigError) as caught:
        read_table(path, max_bytes=max_bytes)
    (found,) = caught.value.mistakes
    assert found.file == str(path)
    return found.where, found.value, found.reason


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("S21", "S21"),
        (200, "200"),
        (200.0, "200"),
        (151.5, "151.5"),
        (True, "yes"),
        (False, "no"),
        (None, ""),
        (datetime.fromisoformat("2025-10-01"), "2025-10-01"),
        (datetime.fromisoformat("2025-10-01T06:30"), "2025-10-01T06:30:00"),
        (date(2025, 10, 1), "2025-10-01"),
        ('a "quoted", cell', '"a ""quoted"", cell"'),
        ("0012", "0012"),
    ],
)
def test_cells_become_text_as_a_ledger_has_it(tmp_path: Path, value: object, text: str) -> None:
    """Whole numbers lose the point that spreadsheets add, dates become ISO, and text stays as it is."""
    assert read_table(saved(tmp_path / "a.xlsx", ["x", value, "y"]), max_bytes=MAX_BYTES) == f"x,{text},y\n"


def test_a_workbook_is_told_by_its_content(tmp_path: Path) -> None:
    """A workbook under another name is read as one, and text under a workbook's name as text."""
    path = saved(tmp_path / "ledger.csv", ["unit_id"], ["u1"])
    assert read_table(path, max_bytes=MAX_BYTES) == "unit_id\nu1\n"
    text = tmp_path / "ledger.xlsx"
    text.write_text("unit_id\nu2\n", encoding="utf-8")
    assert read_table(text, max_bytes=MAX_BYTES) == "unit_id\nu2\n"


def test_the_first_sheet_is_read(tmp_path: Path) -> None:
    """Other sheets are left alone."""
    path = saved(tmp_path / "a.xlsx", ["first"])
    book = openpyxl.load_workbook(path)
    book.create_sheet("notes").append(["second"])
    book.save(path)
    assert read_table(path, max_bytes=MAX_BYTES) == "first\n"


def with_sheets(path: Path, **sheets: list[list[Any]]) -> Path:
    """Write a workbook with these sheets; one whose name begins with "hidden" is hidden."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        sheet.sheet_state = "hidden" if title.startswith("hidden") else "visible"
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


@pytest.mark.parametrize(
    "before",
    [{"notes": [["Read me"]]}, {"hidden": [["unit_id"], ["old"]]}, {"empty": []}],
    ids=lambda sheets: next(iter(sheets)),
)
def test_the_sheet_with_the_column_is_read(tmp_path: Path, before: dict[str, list[list[Any]]]) -> None:
    """Notes, an empty sheet or a hidden one before it do not stand in its way."""
    path = with_sheets(tmp_path / "a.xlsx", **before, units=[["Unit_ID", "model"], ["u1", "S21"]])
    assert read_table(path, max_bytes=MAX_BYTES, column="unit_id") == "Unit_ID,model\nu1,S21\n"


def test_two_sheets_with_the_column_are_refused(tmp_path: Path) -> None:
    """The units of the second would be left out without a word."""
    path = with_sheets(tmp_path / "a.xlsx", C1=[["unit_id"], ["u1"]], C2=[["unit_id"], ["u2"]])
    with pytest.raises(ConfigError) as caught:
        read_table(path, max_bytes=MAX_BYTES, column="unit_id")
    assert "'C1, C2': 2 sheets have a column unit_id" in str(caught.value)


def test_merged_cells_are_refused_with_their_range(tmp_path: Path) -> None:
    """Three units under one merged container: two of them would have none."""
    path = saved(tmp_path / "a.xlsx", ["unit_id", "container"], ["u1", "C1"], ["u2"], ["u3"])
    book = openpyxl.load_workbook(path)
    book.worksheets[0].merge_cells("B2:B4")
    book.save(path)
    where, _, reason = mistake(path)
    assert where == "Units!B2:B4"
    assert reason.startswith("merged cells: only the first of them has the value")


def test_hidden_rows_are_refused(tmp_path: Path) -> None:
    """Nobody sees the rows that a filter hides: to read them and to leave them out would both be wrong."""
    path = saved(tmp_path / "a.xlsx", ["unit_id"], ["u1"], ["u2"])
    book = openpyxl.load_workbook(path)
    book.worksheets[0].row_dimensions[3].hidden = True
    book.save(path)
    where, _, reason = mistake(path)
    assert where == "Units row 3"
    assert reason.startswith("a hidden row, as a filter leaves it")


def test_a_formula_without_its_value_is_refused(tmp_path: Path) -> None:
    """A formula's cell is empty until a spreadsheet has computed it; a ledger must not lose what it stands for."""
    path = saved(tmp_path / "a.xlsx", ["hashrate_th"], ["=100*2"])
    where, value, reason = mistake(path)
    assert (where, value) == ("Units!A2", "=100*2")
    assert reason.startswith("a formula without a stored value")


def test_a_formulas_stored_value_is_read(tmp_path: Path) -> None:
    """As a spreadsheet saves it: the formula beside the value."""
    path = saved(tmp_path / "a.xlsx", ["=100*2"])
    members: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sheet = members["xl/worksheets/sheet1.xml"]
    assert b"<f>100*2</f>" in sheet
    members["xl/worksheets/sheet1.xml"] = (
        sheet.replace(b"<v></v>", b"").replace(b"<v />", b"").replace(b"<f>100*2</f>", b"<f>100*2</f><v>200</v>")
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert read_table(path, max_bytes=MAX_BYTES) == "200\n"


@pytest.mark.parametrize(
    ("row", "where", "words"),
    [
        (["a", "#N/A"], "Units!B1", "the cell shows an error"),
        (["a\nb"], "Units!A1", "a line break inside a cell"),
        (["x"] * 300, "Units row 1", "300 columns; 256 are the most"),
    ],
)
def test_what_a_ledger_cannot_hold_is_refused_with_its_cell(
    tmp_path: Path, row: list[str], where: str, words: str
) -> None:
    """The mistake names sheet and cell."""
    found, _, reason = mistake(saved(tmp_path / "a.xlsx", row))
    assert found == where
    assert reason.startswith(words)


def test_an_archive_that_unpacks_to_gigabytes_is_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sizes in the archive's directory decide, before openpyxl sees it."""
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 3_000_000)
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", 2 << 20)
    assert mistake(path)[2] == "it unpacks to 2 MiB; 2 are the most"


def test_sizes_are_bounded(tmp_path: Path) -> None:
    """The file's size, and that of the text in its sheet."""
    path = saved(tmp_path / "a.xlsx", *([["x" * 1000]] * 2000))
    assert path.stat().st_size < MAX_BYTES
    assert mistake(path)[2] == "its sheet Units has more than 1 MiB of text"
    assert mistake(path, 1000)[2].startswith("longer than")


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"PK\x03\x04" + b"\0" * 100])
def test_a_damaged_workbook_is_refused(tmp_path: Path, data: bytes) -> None:
    """Also an archive that is no workbook, such as an OpenDocument sheet."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(data)
    assert mistake(path)[2].startswith("not a workbook that can be read: ")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("content.xml", "<a/>")
    assert mistake(path)[2].startswith("not a workbook that can be read: ")


def test_an_entity_does_not_expand(tmp_path: Path) -> None:
    """XML that declares entities is refused, not expanded."""
    path = saved(tmp_path / "a.xlsx", ["x"])
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    bomb = b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "aaaaaaaaaa">]>'
    for name in ("xl/workbook.xml", "xl/worksheets/sheet1.xml"):
        changed = members | {name: bomb + members[name].partition(b"?>")[2]}
        if not members[name].startswith(b"<?xml"):
            changed[name] = bomb + members[name]
        with zipfile.ZipFile(path, "w") as archive:
            for each, data in changed.items():
                archive.writestr(each, data)
        reason = mistake(path)[2]
        assert "EntitiesForbidden" in reason or "invalid XML" in reason


def test_text_stays_text() -> None:
    """A name that looks like a formula or a number is written as text; numbers of numeric columns as numbers."""
    data = workbook("ledger", ("name", "slot", "th"), [{"name": "=1+1", "slot": "01", "th": "200"}], numeric={"th"})
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert sheet is not None
    assert [cell.value for cell in sheet[2]] == ["=1+1", "01", 200]
    assert [cell.data_type for cell in sheet[2]] == ["s", "s", "n"]
    assert sheet.freeze_panes == "A2"


PRINTABLE = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)


@given(rows=st.lists(st.lists(PRINTABLE, min_size=2, max_size=2), max_size=5))
def test_a_table_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    """Any printable text survives a workbook, but for empty rows at the end."""
    path = tmp_path_factory.mktemp("book") / "a.xlsx"
    path.write_bytes(workbook("t", ("a", "b"), [dict(zip("ab", row, strict=True)) for row in rows]))
    found = list(csv.reader(io.StringIO(read_table(path, max_bytes=MAX_BYTES))))
    expected = [["a", "b"], *rows]
    while expected and not any(expected[-1]):
        expected.pop()
    while found and not any(found[-1]):
        found.pop()
    assert found == expected
