"""Captures in the new form, written as the agent writes them: replies, pages, moments and timings."""

from pathlib import Path

from agent.hil.capture import folder as agent_folder
from agent.hil.capture import form as agent_form
from agent.hil.capture.form import Ending, Port, RecordedReply

PAGE = "/cgi-bin/get_system_info.cgi"
CHALLENGE = (
    "HTTP/1.1 401 Unauthorized\r\n"
    'WWW-Authenticate: Digest realm="antMiner Configuration", nonce="94c359502c746e2694051b4200947255", qop="auth"\r\n'
    "Content-Type: text/html\r\nContent-Length: 6\r\nServer: lighttpd/1.4.32\r\n\r\n"
)
CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nServer: lighttpd/1.4.32\r\n\r\n"

API = (
    RecordedReply(request="stats", file="tcp4028-stats.json", ending=Ending.NUL_CLOSE),
    RecordedReply(request="stats new_api", file="tcp4028-stats-new_api.json", ending=Ending.NUL),
    RecordedReply(request="summary", file="tcp4028-summary.json", ending=Ending.CLOSE),
    RecordedReply(request="pools", file="tcp4028-pools.txt", ending=Ending.RESET),
    RecordedReply(request="devs", ending=Ending.SILENCE),
    RecordedReply(request="version", file="tcp4028-version.txt", ending=Ending.SILENCE),
    RecordedReply(request="config", ending=Ending.RESET),
    RecordedReply(request="devdetails", file="tcp4028-devdetails.txt", ending=Ending.TOO_LARGE),
    RecordedReply(request="healthchipget 0", file="tcp4028-healthchipget_0.json", ending=Ending.NUL_CLOSE),
)
PAGES = (
    RecordedReply(
        request=f"GET {PAGE}",
        file="http-get_system_info.401.txt",
        ending=Ending.LENGTH,
        status=401,
        head=CHALLENGE,
    ),
    RecordedReply(
        request=f"GET {PAGE}",
        file="http-get_system_info.json",
        ending=Ending.LENGTH,
        status=200,
        head=CHUNKED,
        chunks=(2, 5, 4),
        has_login=True,
    ),
    RecordedReply(
        request="GET /summary",
        file="http-summary.txt",
        ending=Ending.CLOSE,
        status=200,
        head="HTTP/1.0 200 OK\r\n\r\n",
        has_login=True,
    ),
    RecordedReply(
        request="GET /cut",
        file="http-cut.txt",
        ending=Ending.RESET,
        status=200,
        head=CHUNKED,
        chunks=(4, 9),
        has_login=True,
    ),
)
DATA = {
    "tcp4028-stats.json": b'{"STATS":[1]}',
    "tcp4028-stats-new_api.json": b'{"STATS": [2]}',
    "tcp4028-summary.json": b'{"SUMMARY":[3]}\n',
    "tcp4028-pools.txt": b'{"POOLS":[',
    "tcp4028-version.txt": b'{"VERS',
    "tcp4028-devdetails.txt": b"{" * 3000,
    "tcp4028-healthchipget_0.json": b'{"chips":[]}',
    "http-get_system_info.401.txt": b"denied",
    "http-get_system_info.json": b'\n\n{"a":\xff0}\n',
    "http-summary.txt": b"to the end",
    "http-cut.txt": b"12345",
}


def make_capture(
    folder: Path,
    *,
    replies: tuple[RecordedReply, ...] = API + PAGES,
    data: dict[str, bytes] | None = None,
    ports: dict[str, Port] | None = None,
    moments: tuple[agent_form.Moment, ...] = (),
    timings: agent_form.Timings | None = None,
) -> Path:
    """Write a capture as the agent does, and return its folder."""
    manifest = agent_form.Manifest(
        form=agent_form.FORM,
        recorded_by="hashsight 0",
        is_redacted=True,
        unit=agent_form.CapturedUnit(),
        ports={"4028": Port.OPEN, "80": Port.OPEN} if ports is None else ports,
        replies=replies,
        moments=moments,
    )
    capture = agent_form.Capture(
        name=folder.name, manifest=manifest, data=DATA if data is None else data, timings=timings
    )
    agent_folder.write_capture(folder, capture, golden=b"{}\n", sources="")
    return folder


def moment(name: str, state: str, stats: str) -> tuple[agent_form.Moment, dict[str, bytes]]:
    """Return a moment with one reply, and its file."""
    folder = f"moments/{name}"
    reply = RecordedReply(request="stats", file="tcp4028-stats.json", ending=Ending.NUL_CLOSE)
    return agent_form.Moment(folder=folder, state=state, replies=(reply,)), {
        f"{folder}/tcp4028-stats.json": stats.encode()
    }


def make_walk(folder: Path, *, states: tuple[str, ...] = ("hashing", "hashing", "asleep", "hashing")) -> Path:
    """Write a capture of a unit that goes to sleep and wakes, looked at every 30 s."""
    asleep, asleep_data = moment("01-asleep", "asleep", "asleep")
    awake, awake_data = moment("02-hashing", "hashing", "awake")
    timings = tuple(
        agent_form.Timing(
            request=request,
            at_s=30.0 * look,
            connect_s=0.001,
            first_byte_s=0.02,
            last_byte_s=0.05,
            reads=(10, 4),
            state=state,
        )
        for look, state in enumerate(states)
        for request in ("stats", "summary")
    )
    return make_capture(
        folder,
        data={**DATA, **asleep_data, **awake_data},
        moments=(asleep, awake),
        timings=agent_form.Timings(recorded_at="2026-01-01T00:00:00Z", replies=timings),
    )
