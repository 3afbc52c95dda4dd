"""What else answers on 4028: other protocols by their first bytes, other makes by their JSON."""

import json
from typing import Any

import pytest
from capture_files import CAPTURES_TEXT
from loopback import Behaviour, answering, hanging, resetting, unit
from patience import PATIENT_S

from agent.errors import DeadlineError, DisconnectedError, ForeignProtocolError, MalformedReplyError, PollError
from agent.unit.antminer.conversation import Memory, converse
from agent.unit.cgminer import wire
from agent.unit.cgminer.client import Client
from agent.unit.cgminer.foreign import foreign_bytes, foreign_object
from agent.unit.reading import UnitReading

# For a unit that falls silent.
SHORT_S = 0.3

PROTOCOLS = [
    (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "HTTP"),
    (b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"result":true}', "HTTP"),
    (b"HTTP/1.0 404 Not Found\r\n\r\n", "HTTP"),
    (b"<!DOCTYPE html><html><body>400</body></html>", "HTTP"),
    (b"<html>\r\n<head><title>400 Bad Request</title></head>", "HTTP"),
    (b"\x15\x03\x01\x00\x02\x02\x0a", "TLS"),
    (b"\x15\x03\x03\x00\x02\x02\x28", "TLS"),
    (b"\x16\x03\x03\x00\x7a\x02\x00", "TLS"),
    (b"SSH-2.0-dropbear_2022.83\r\n", "SSH"),
    (b"\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01login: ", "Telnet"),
    (b'-ERR unknown command \'{"command":"stats"}\'\r\n', "Redis"),
    (b"-NOAUTH Authentication required.\r\n", "Redis"),
    (b"-DENIED Redis is running in protected mode\r\n", "Redis"),
    (b"\x20\x02\x00\x05", "MQTT"),
    (b"RTSP/1.0 400 Bad Request\r\n\r\n", "RTSP"),
    (b"RFB 003.008\n", "VNC"),
    (b"220 mail.example ESMTP\r\n", "FTP or SMTP"),
    (b"ERROR\r\n", "memcached"),
]
OBJECTS: list[tuple[Any, str]] = [
    ({"id": None, "result": None, "error": [-3, "Method not found", None]}, "a Stratum server"),
    ({"id": 1, "error": "invalid request"}, "a Stratum server"),
    ({"id": None, "method": "mining.notify", "params": []}, "a Stratum server"),
    ({"jsonrpc": "2.0", "id": None, "error": {"code": -32600}}, "a JSON-RPC server"),
    ({"STATUS": "E", "When": 1, "Code": 14, "Msg": "invalid cmd", "Description": "whatsminer v1.1"}, "a Whatsminer"),
    ({"STATUS": "S", "When": 1, "Code": 131, "Msg": {"mineroff": "false"}, "Description": ""}, "a Whatsminer"),
    ({"code": 0, "when": 1, "msg": {"summary": {}}, "desc": "get.miner.status"}, "a Whatsminer"),
    ({"status": "error", "code": 131, "msg": "x"}, "a Whatsminer"),
    (
        {
            "STATUS": [{"STATUS": "S", "Code": 11, "Msg": "Summary", "Description": "cgminer 4.9.2"}],
            "SUMMARY": [{"Elapsed": 25_000, "HS RT": 1.2e8, "MHS av": 1.25e8, "Factory GHS": 126_000}],
        },
        "a Whatsminer",
    ),
    (
        {"STATUS": [{"STATUS": "S", "Code": 11, "Description": "bdminer 4.11.1"}], "SUMMARY": [{"MHS 5s": 3e8}]},
        "a SealMiner",
    ),
    ({"STATUS": [{"STATUS": "S", "Description": "GCMiner-0.5"}], "SUMMARY": [{"MHS 5s": 2e7}]}, "an Auradine"),
    ({"STATUS": [{"STATUS": "S"}], "STATS": [{"MM ID0": "Ver[1346-110]", "Elapsed": 5}]}, "an Avalon"),
    ({"STATUS": [{"STATUS": "S"}], "VERSION": [{"PROD": "AvalonMiner 1346-110"}]}, "an Avalon"),
]


@pytest.mark.parametrize(("data", "speaker"), PROTOCOLS)
def test_a_protocol_is_known_by_its_first_bytes(data: bytes, speaker: str) -> None:
    """The error names it; ePIC firmware is named beside HTTP."""
    error = foreign_bytes(data)
    assert error is not None
    assert (error.speaker, error.reason) == (speaker, "foreign")
    assert f"something that speaks {speaker} answers on 4028" in str(error)
    assert ("ePIC" in str(error)) is (speaker == "HTTP")
    assert str(error).isprintable()


@pytest.mark.parametrize(("body", "speaker"), OBJECTS)
def test_another_make_is_known_by_its_object(body: Any, speaker: str) -> None:
    """The error names it, although the JSON is whole and may even have a rate."""
    with pytest.raises(ForeignProtocolError) as caught:
        wire.decode_reply(json.dumps(body).encode(), "summary")
    assert caught.value.speaker == speaker
    assert str(caught.value).startswith(f"{speaker} answers on 4028, not an Antminer")


@pytest.mark.parametrize("data", [b"", b"{", b'{"STATUS"', b"\0\0", b"rubbish", b"STATUS=S,Msg=x|", b"\x16\x07"])
def test_other_bytes_are_nobodys(data: bytes) -> None:
    """What is not known keeps its own error."""
    assert foreign_bytes(data) is None


@pytest.mark.parametrize("name", sorted(CAPTURES_TEXT))
def test_no_capture_of_an_antminer_is_foreign(name: str) -> None:
    """Neither whole nor cut, under any firmware."""
    data = CAPTURES_TEXT[name]
    assert foreign_bytes(data) is None
    try:
        body = json.loads(data)
    except ValueError:
        return
    assert foreign_object(body) is None


async def outcome(behaviour: Behaviour, *, deadline_s: float = PATIENT_S) -> UnitReading | PollError:
    """Return what one poll over loopback gives."""
    async with unit(behaviour) as address:
        client = Client(connect_timeout_s=deadline_s, deadline_s=deadline_s)
        try:
            return await client.run(address, converse("u1", Memory(), slow_every=1, wall=lambda: 1e9))
        except PollError as error:
            return error
        finally:
            client.close()


@pytest.mark.parametrize(("data", "speaker"), PROTOCOLS)
async def test_a_protocol_that_closes_is_named(data: bytes, speaker: str) -> None:
    """It answers and closes, as most do after a request they do not understand."""
    error = await outcome(answering(data))
    assert isinstance(error, ForeignProtocolError)
    assert error.speaker == speaker


@pytest.mark.parametrize("data", [b"SSH-2.0-dropbear_2022.83\r\n", b"220 ftp\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_greeting_that_stays_open_is_named(data: bytes) -> None:
    """At the deadline the bytes so far are looked at."""
    assert isinstance(await outcome(hanging(data), deadline_s=SHORT_S), ForeignProtocolError)


async def test_a_server_that_resets_after_its_answer_is_named() -> None:
    """A reset takes nothing from what was received."""
    error = await outcome(resetting(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    # The kernel may drop received bytes with a reset.
    assert isinstance(error, ForeignProtocolError | DisconnectedError)


@pytest.mark.parametrize(
    ("behaviour", "deadline_s", "kind"),
    [
        pytest.param(answering(b'{"STATUS":[{"STA'), PATIENT_S, DisconnectedError, id="cut"),
        pytest.param(answering(b"rubbish\0"), PATIENT_S, MalformedReplyError, id="garbled"),
        pytest.param(hanging(b'{"STATUS"'), SHORT_S, DeadlineError, id="slow"),
    ],
)
async def test_a_units_own_trouble_keeps_its_error(
    behaviour: Behaviour, deadline_s: float, kind: type[PollError]
) -> None:
    """A cut, slow or garbled reply is not taken for another protocol."""
    error = await outcome(behaviour, deadline_s=deadline_s)
    assert type(error) is kind


@pytest.mark.parametrize(
    ("behaviour", "deadline_s"),
    [
        pytest.param(answering(b'{"id":null,"result":null,"error":[20,"Unknown",null]}\n'), PATIENT_S, id="one line"),
        pytest.param(
            answering(b'{"id":1,"error":[20,"x",null]}\n{"id":null,"method":"mining.notify"}\n'), PATIENT_S, id="two"
        ),
        pytest.param(answering(b'{"id":1,"error":[20,"x",null]}\n{"id":null,"meth'), PATIENT_S, id="cut"),
        pytest.param(hanging(b'{"id":null,"method":"mining.set_difficulty","params":[1]}\n'), SHORT_S, id="stays open"),
    ],
)
async def test_a_stratum_server_is_named(behaviour: Behaviour, deadline_s: float) -> None:
    """Lines of JSON of another protocol."""
    error = await outcome(behaviour, deadline_s=deadline_s)
    assert isinstance(error, ForeignProtocolError)
    assert error.speaker == "a Stratum server"
