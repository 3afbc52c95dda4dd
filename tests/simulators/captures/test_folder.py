"""A capture's folder as the simulators read it: what an edit by hand breaks is named by file and key."""

import json
from pathlib import Path
from typing import Any

import pytest
from paths import CAPTURES
from recorded_cases import CHALLENGE, make_capture, make_walk

from agent.hil.capture import folder as agent_folder
from simulators.captures.folder import CaptureError, read_capture
from simulators.captures.pages import RawPageError, read_raw


def _edit(folder: Path, change: Any) -> None:
    path = folder / "capture.json"
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(form=2), "capture.json: form = '2': is of a newer version; this one reads up to 1"),
        (lambda m: m.update(from_=2), "capture.json: file: object contains unknown field `from_`"),
        (lambda m: m["replies"][2].update(ending="slam"), "replies[2].ending = 'slam': invalid enum value"),
        (lambda m: m["replies"][0].update(file="nowhere.json"), "replies[0].file = 'nowhere.json': is missing"),
        (lambda m: m["replies"][0].update(file="../x"), "replies[0].file = '../x': is no name of a reply"),
        (
            lambda m: m["replies"][0].update(file="tcp4028-summary.json"),
            "replies[2].file = 'tcp4028-summary.json': is named twice",
        ),
        (lambda m: m["replies"].pop(0), "tcp4028-stats.json: is not named in capture.json"),
        (lambda m: m["replies"][0].update(ending="length"), "replies[0].ending = 'length': is an ending of pages only"),
        (lambda m: m["replies"][9].update(ending="nul"), "replies[9].ending = 'nul': is no ending of a page"),
        (
            lambda m: m["replies"][10].update(chunks=[2, 5, 5]),
            "replies[10].chunks = '[2, 5, 5]': add up to 12 bytes, and http-get_system_info.json has 11",
        ),
        (
            lambda m: m["replies"][9].update(head=CHALLENGE.replace("6", "7")),
            "replies[9].head = 'Content-Length: 7': differs from http-get_system_info.401.txt, which has 6 bytes",
        ),
        (lambda m: m["replies"][9].update(head="200 OK"), "head = '200 OK': does not begin with the status line"),
        (lambda m: m["replies"][9].update(request="GET x"), "replies[9].request = 'GET x': is neither a command"),
        (lambda m: m["ports"].update({"http": "open"}), "ports.http = 'http': is no number of a TCP port"),
        (
            lambda m: m.update(moments=[{"folder": "later", "state": "x", "replies": []}]),
            "moments[0].folder = 'later': is not moments/NN-STATE",
        ),
    ],
)
def test_a_folder_that_was_edited_is_refused_by_file_and_key(tmp_path: Path, change: Any, message: str) -> None:
    """Each mistake names the file, the key, the value and the reason."""
    folder = make_capture(tmp_path / "unit")
    _edit(folder, change)
    with pytest.raises(CaptureError) as refused:
        read_capture(folder)
    assert message in str(refused.value)
    assert str(folder) in str(refused.value)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    """Two wrong replies and a loose file are three lines."""
    folder = make_capture(tmp_path / "unit")
    _edit(folder, lambda m: (m["replies"][0].update(file="a.json"), m["replies"][1].update(file="b.json")))
    with pytest.raises(CaptureError) as refused:
        read_capture(folder)
    assert len(str(refused.value).splitlines()) == 4


def test_files_that_are_no_json_or_no_file_are_refused(tmp_path: Path) -> None:
    """A manifest that is not JSON, and a reply that is a folder."""
    folder = make_capture(tmp_path / "unit")
    (folder / "capture.json").write_text("{")
    with pytest.raises(CaptureError, match=r"capture\.json: is not JSON"):
        read_capture(folder)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"HTTP/1.1 200 OK\nServer: x\n", "no empty line"),
        (b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nxyz", "no size of a chunk at byte 0"),
        (b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n9\nabc", "ends within the chunk at byte 0"),
    ],
)
def test_a_kept_page_that_is_cut_is_refused(data: bytes, message: str) -> None:
    """A head without an end, and chunks that do not fit."""
    with pytest.raises(RawPageError, match=message):
        read_raw(data)


def test_both_readers_read_the_same(tmp_path: Path) -> None:
    """Agent and simulator, which share no code, find the same requests and bytes in a folder."""
    for folder in (make_walk(tmp_path / "unit"), CAPTURES / "s19pro-stock-202212"):
        by_agent = agent_folder.read_capture(folder)
        by_simulator = read_capture(folder)
        assert [answer.reply.request for answer in by_simulator.answers] == [
            reply.request for reply in by_agent.manifest.replies
        ]
        assert [answer.data for answer in by_simulator.answers if answer.reply.file] == [
            by_agent.data[reply.file] for reply in by_agent.manifest.replies if reply.file is not None
        ]
