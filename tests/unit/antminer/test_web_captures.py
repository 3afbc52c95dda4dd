"""The recorded pages: each with its source, free of anything that identifies an owner, and read where a reader is."""

import json
import re
from pathlib import Path

import pytest
from paths import WEB_CAPTURES

from agent.errors import ForeignProtocolError
from agent.unit.antminer.webpage import read_system_info
from agent.unit.cgminer import wire

FOLDERS = sorted(path for path in WEB_CAPTURES.iterdir() if path.is_dir())
FILES = sorted(path for folder in FOLDERS for path in folder.iterdir())
SYSTEM_INFO = [path for path in FILES if path.name.startswith("http-get_system_info") and path.suffix == ".json"]


def test_every_folder_has_its_source() -> None:
    """SOURCES.md names every folder."""
    sources = (WEB_CAPTURES / "SOURCES.md").read_text()
    assert [folder.name for folder in FOLDERS if f"`{folder.name}`" not in sources] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_identifies_an_owner(path: Path) -> None:
    """Hardware addresses and serial numbers are invented, and accounts of pools are replaced."""
    text = path.read_text()
    assert re.findall(r"\b(?!02:00:00:00:00:)[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b", text) == []
    assert re.findall(r"\b(?!REDACTED)[A-Z]{4}[A-Z0-9]{13}\b", text) == []
    assert re.findall(r'"(?:user|login|Current User)": ?"(?!redact)[^"]+', text) == []


@pytest.mark.parametrize("path", SYSTEM_INFO, ids=lambda path: path.parent.name)
def test_the_page_of_identity_is_read(path: Path) -> None:
    """Its model and build are those of the folder's name."""
    info = read_system_info(path.read_bytes())
    assert info.model is not None
    assert path.parent.name.startswith(f"{info.model.removeprefix('Antminer ').casefold()}-stock-")
    assert info.firmware is not None
    assert path.parent.name.split("-")[2 if "aml" not in path.parent.name else 3][:4] in info.firmware


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name.startswith("http4028")], ids=lambda path: path.name
)
def test_what_answers_http_on_4028_is_no_reply(path: Path) -> None:
    """Its documents are JSON; the answer that carries one is told as HTTP, not read as a reply of the API."""
    body = path.read_bytes()
    assert isinstance(json.loads(body), dict | list)
    with pytest.raises(ForeignProtocolError, match="speaks HTTP"):
        wire.decode_reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + body, "summary")
