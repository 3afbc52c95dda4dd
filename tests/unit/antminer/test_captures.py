"""The captures: named after their content, and free of anything that identifies an owner."""

import re
from datetime import datetime
from pathlib import Path

import pytest
from capture_files import FILES, FOLDERS, replies_in
from paths import CAPTURES
from recorded_units import LOGIN, only, plan, record, written
from sim_cases import make_farm
from web_cases import served

from agent.errors import MalformedReplyError
from agent.hil.capture import form
from agent.hil.capture.finishing import finished, redacted
from agent.hil.capture.folder import read_capture
from agent.hil.redaction.redactor import Redactor
from agent.unit.cgminer import wire
from agent.unit.cgminer.version import read_version
from agent.unit.model_names import short_model

_STAMP = re.compile(r'["\'][Ww]hen["\']: ?(\d+)')
_COMPILED = re.compile(r'"CompileTime": ?"\w+ (\w+ +\d+ [\d:]+) \w+ (\d{4})')
_TYPE = re.compile(r'"[Tt]ype": ?"Antminer ([^"]+)"')
_VERSIONS = re.compile(
    r"\b(?:49\.0\.1\.3|16\.8\.1\.3|26\.0\.1\.3|30\.0\.1\.3|71\.0\.1\.3|9\.0\.0\.5|2025\.4\.8\.220305)\b"
)
# Documentation addresses, RFC 5737.
_NOBODYS = re.compile(r"\b(?:192\.0\.2|198\.51\.100)\.\d+\b")
WITHOUT_MODEL = {
    "other-bmm100-braiins-2026",
    "other-s9-bosminerplus-2020",
    "other-s9-stock-2016",
    "other-z9mini-stock-2018",
    "s19pro-stock-2023-issue50",
    "stock-antminer-2024-pr151",
}


def _text_of(folder: Path) -> str:
    return "".join(path.read_text() for path in replies_in(folder))


def dates_of(folder: Path) -> tuple[str, set[str]]:
    """Return the date in a folder's name, and those in its replies."""
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
    return digits[1], found


def models_of(folder: Path) -> set[str]:
    """Return the models in a folder's replies, as names of folders have them: in letters and digits."""
    models = {model.partition(" (")[0].casefold().replace("+", "plus") for model in _TYPE.findall(_text_of(folder))}
    # Aftermarket firmware puts its own name behind the model.
    return {re.sub(r"[^a-z0-9]", "", model.removesuffix(" hiveon")) for model in models}


def begins_with(folder: Path, model: str) -> bool:
    """Return True if a folder's name begins with a model."""
    return re.sub(r"[^a-z0-9]", "", folder.name.removeprefix("other-")).startswith(model)


def identifying(path: Path) -> list[str]:
    """Return what in a reply identifies an owner."""
    text = path.read_text()
    found = re.findall(r"\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b", text)
    found += re.findall(r"\b(?!REDACTED)[A-Z]{4}[A-Z0-9]{13}\b", text)
    found += re.findall(r'"sn": ?"(?!REDACTED(?:\d+|-SERIAL)")[^"]+', text)
    found += re.findall(r'"miner_id": ?"(?!redacted\d+"|REDACTED(?:-ID)?"|0+")[^"]+', text)
    found += re.findall(r'"[Uu]ser": ?"(?!redacted(?:worker)?\.|accnt1"|DevFee|\*")[^"]+', text)
    found += re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", _NOBODYS.sub("", _VERSIONS.sub("", text)))
    return found


def is_redacted(folder: Path) -> bool:
    """Return True if a recorded capture says that it is redacted, and there is nothing left to redact."""
    capture = read_capture(folder)
    return capture.manifest.is_redacted and redacted(capture, Redactor()) == capture


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_folder_is_dated_as_its_replies_are(folder: Path) -> None:
    """Six digits are the month of the firmware's build, four the year of the reply."""
    expected, found = dates_of(folder)
    assert found == {expected}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_folder_is_named_after_the_model_in_its_replies(folder: Path) -> None:
    """A folder begins with the model in its replies; a few folders have replies without a model."""
    models = models_of(folder)
    if folder.name in WITHOUT_MODEL:
        assert models == set()
    else:
        assert len(models) == 1
        assert begins_with(folder, models.pop())


@pytest.mark.parametrize("path", [path for path in FILES if "version" in path.name], ids=lambda path: path.parent.name)
def test_reader_finds_the_model_the_folder_is_named_after(path: Path) -> None:
    """A folder's name begins with the short model from its `version` reply."""
    identity, _ = read_version(path.read_bytes())
    if identity.model is None:
        # Observed (O82): Braiins OS and BOSminer do not tell the model.
        assert identity.firmware is not None
        assert identity.firmware.startswith("BOS")
        return
    name = short_model(identity.model).partition(" (")[0].casefold().replace(" ", "").replace("+", "plus")
    assert path.parent.name.removeprefix("other-").replace("-", "").startswith(name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_identifies_an_owner(path: Path) -> None:
    """A capture has no MAC address, serial number, pool user or IP address, or our recorder redacted it."""
    folder = CAPTURES / path.relative_to(CAPTURES).parts[0]
    assert is_redacted(folder) if (folder / form.MANIFEST).exists() else identifying(path) == []


def test_every_folder_has_its_source() -> None:
    """SOURCES.md names every folder."""
    sources = (CAPTURES / "SOURCES.md").read_text()
    assert [folder.name for folder in FOLDERS if f"`{folder.name}`" not in sources] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_grade_in_the_file_name_is_true(path: Path) -> None:
    """A .json file decodes without a repair, except for the STATUS missing in subsets; a .txt file does not decode.

    One that is malformed and whole decodes with repairs alone.
    """
    if path.suffix == ".txt" and ".malformed." in path.name and ".truncated." not in path.name:
        assert wire.decode_reply(path.read_bytes(), "any").repairs
        return
    if path.suffix == ".txt":
        with pytest.raises(MalformedReplyError):
            wire.decode_reply(path.read_bytes(), "any")
        return
    reply = wire.decode_reply(path.read_bytes(), "any")
    assert reply.repairs == (("missing_status",) if ".subset." in path.name else ())


async def test_what_the_recorder_writes_belongs_here(tmp_path: Path) -> None:
    """Its folder passes the rules above: the date and the model in its name, and nothing that identifies an owner."""
    farm = make_farm(1, mix="S21 XP Hyd.=100%")
    async with served(farm) as site:
        units = plan("127.77.0.1", site.api.port, web_port=site.web.port, login=LOGIN)
        recording = only(await record(tmp_path, units))
    done = finished(recording.gathering, recording.begun, Redactor())
    folder = tmp_path / done.capture.name
    written(recording, folder, Redactor())
    expected, found = dates_of(folder)
    assert (found, models_of(folder)) == ({expected}, {"s21xphyd"})
    assert begins_with(folder, "s21xphyd")
    assert is_redacted(folder)
    assert [path.name for path in replies_in(folder) if not form.request_of(path.name)] == []
