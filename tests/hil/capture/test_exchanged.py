"""One exchange as it is kept: its file by what came, and whether that is whole JSON."""

import pytest

from agent.hil.capture.exchanged import Exchange, is_json
from agent.hil.capture.form import Ending, Port

JSON = {
    b'\n\n{"a":1}\n': True,
    b"[]": True,
    b'{"a":NaN}': False,
    b'{"a":"\xff"}': False,
    b'{"a":1,}': False,
    b"{} x": False,
    b"[1": False,
    b"": False,
    b"[" * 100_000 + b"]" * 100_000: False,
}


@pytest.mark.parametrize(("data", "expected"), JSON.items(), ids=range(len(JSON)))
def test_whole_json(data: bytes, expected: bool) -> None:  # noqa: FBT001
    """What a strict decoder takes, and nothing that only looks like it."""
    assert is_json(data) is expected


def test_file_by_what_came() -> None:
    """JSON, text, a challenge, and nothing; a head alone is something."""

    def file(data: bytes, request: str = "stats", **fields: object) -> str | None:
        return Exchange(look=0, request=request, at_s=0.0, port=Port.OPEN, data=data, **fields).file()  # type: ignore[arg-type]

    page = "GET /cgi-bin/log.cgi"
    assert file(b"{}", "stats new_api") == "tcp4028-stats-new_api.json"
    assert file(b"{", ending=Ending.RESET) == "tcp4028-stats.txt"
    assert file(b"") is None
    assert file(b"no", page, status=401, head="HTTP/1.1 401 No\r\n") == "http-log.401.txt"
    assert file(b"no", page, status=401, head="HTTP/1.1 401 No\r\n", has_login=True) == "http-log.txt"
    assert file(b"", page, status=200, head="HTTP/1.1 200 OK\r\n") == "http-log.txt"
