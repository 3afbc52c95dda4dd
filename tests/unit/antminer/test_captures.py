"""The captures: named after their content, and free of anything that identifies an owner."""

import re
from datetime import datetime
from pathlib import Path

import pytest
from capture_files import FILES, FOLDERS
from paths import CAPTURES

from agent.errors import MalformedReplyError
from agent.unit.cgminer import wire
from agent.unit.cgminer.version import read_version
from agent.unit.model_names import short_model

_STAMP = re.compile(r'["\'][Ww]hen["\']: ?(\d+)')
_COMPILED = re.compile(r'"CompileTime": ?"\w+ (\w+ +\d+ [\d:]+) \w+ (\d{4})')
_TYPE = re.compile(r'"[Tt]ype": ?"Antminer ([^"]+)"')


def _text_of(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.iterdir()))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_folder_is_dated_as_its_replies_are(folder: Path) -> None:
    """Six digits are the month of the firmware's build, four the year of the reply."""
    text = _text_of(folder)
    digits = re.search(r"-(\d{6}|\d{4})(?:-|$)", folder.name)
    assert digits is not None
    if len(digits[1]) == 6:
        found = {
            datetime.strptime(f"{day} {year} +0800", "%b %d %H:%M:%S %Y %z").strftime("%Y%m")
            for day, year in _COMPILED.findall(text)
        }
    else:
        found = {datetime.fromtimestamp(int(stamp)).astimezone().strftime("%Y") for stamp in _STAMP.findall(text)}
    assert found == {digits[1]}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_folder_is_named_after_the_model_in_its_replies(folder: Path) -> None:
    """A folder begins with the model in its replies; some folders have replies without a model."""
    models = set(_TYPE.findall(_text_of(folder)))
    expected = {
        re.sub(r"^(s[0-9]+[jk]?) (?=pro|xp)", r"\1", model.split(" (")[0].casefold().replace("+", "plus"))
        .replace(" ", "-")
        .strip(".")
        for model in models
    }
    without_model = {
        "other-bmm100-braiins-2026",
        "other-luxos-2026-events",
        "other-s9-bosminerplus-2020",
        "other-s9-bosminerplus-2020-tuning",
        "other-s9-bosminerplus-2021",
        "other-s9-braiins-2025",
        "other-s9-stock-2016",
        "other-z9mini-stock-2018",
        "s19jpro-braiins-2023",
        "s19pro-stock-2023-issue50",
        "s21plus-braiins-2026",
        "s21pro-braiins-2026",
        "stock-antminer-2024-pr151",
    }
    if folder.name in without_model:
        assert expected == set()
    else:
        assert len(expected) == 1
        assert folder.name.removeprefix("other-").startswith(f"{expected.pop()}-")


VERSIONS = [path for path in FILES if "version" in path.name and "joined" not in path.name]


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.parent.name)
def test_reader_finds_the_model_the_folder_is_named_after(path: Path) -> None:
    """A folder's name begins with the short model from its `version` reply."""
    identity, _ = read_version(path.read_bytes())
    if identity.model is None:
        # Observed (O82): Braiins OS and BOSminer do not tell the model.
        assert identity.firmware is not None
        assert identity.firmware.startswith("BOS")
        return
    name = short_model(identity.model).partition(" (")[0].casefold().replace(" ", "")
    assert path.parent.name.removeprefix("other-").replace("-", "").startswith(name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_identifies_an_owner(path: Path) -> None:
    """A capture has no MAC address, serial number, pool user or IP address."""
    text = path.read_text()
    assert re.findall(r"\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b", text) == []
    assert re.findall(r"\b(?!REDACTED)[A-Z]{4}[A-Z0-9]{13}\b", text) == []
    assert re.findall(r'"sn": ?"(?!REDACTED\d+")[^"]', text) == []
    assert re.findall(r'"miner_id": ?"(?!redacted\d+")', text) == []
    assert re.findall(r'"[Uu]ser": ?"(?!redacted\.|accnt1"|DevFee")[^"]', text) == []
    versions = re.compile(r"\b(?:49\.0\.1\.3|16\.8\.1\.3|26\.0\.1\.3|2025\.[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{6})\b")
    assert re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", versions.sub("", text)) == []


def test_every_folder_has_its_source() -> None:
    """SOURCES.md names every folder."""
    sources = (CAPTURES / "SOURCES.md").read_text()
    assert [folder.name for folder in FOLDERS if f"`{folder.name}`" not in sources] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_grade_in_the_file_name_is_true(path: Path) -> None:
    """A .json file decodes without a repair, except for a STATUS missing in subsets; a .txt file does not decode.

    One that is malformed and whole decodes with repairs alone.
    """
    if path.suffix == ".txt" and ".malformed." in path.name and ".truncated." not in path.name:
        assert wire.decode_reply(path.read_bytes(), "any").repairs
        return
    if path.suffix == ".txt":
        with pytest.raises(MalformedReplyError):
            wire.decode_reply(path.read_bytes(), "any")
        return
    if "joined" in path.name:
        assert wire.decode_object(path.read_bytes())[1] == ()
        return
    reply = wire.decode_reply(path.read_bytes(), "any")
    assert reply.repairs in ([(), ("missing_status",)] if ".subset." in path.name else [()])
