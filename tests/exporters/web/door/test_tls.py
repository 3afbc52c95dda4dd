"""TLS at the door: versions, certificates that are wrong, expired or exchanged, and certificates of clients."""

import asyncio
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from certificates import Authority
from web_cases import until
from web_doors import ask, basic, served, written
from web_site import source

from agent.exporters.web import server as web
from agent.exporters.web.door.door import Door
from agent.exporters.web.door.web_file import read_web_file
from agent.tls import client_context

on_both_loops = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
CLIENTS = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with certificates of an authority, and of another one that nobody trusts."""
    made = tmp_path_factory.mktemp("tls")
    authority, stranger = Authority(made, "ca"), Authority(made, "strangers")
    for name in ("server", "second", "scraper"):
        authority.sign(name)
    authority.sign("late", days=(-5, -1))
    authority.sign("named", address="scraper.example")
    authority.sign("numbered", address="::1")
    stranger.sign("wrong")
    return made


def client(folder: Path, certificate: str | None = None, *, authority: str = "ca") -> ssl.SSLContext:
    """Return a client's context that trusts an authority and shows a certificate."""
    context = client_context(folder / f"{authority}.pem")
    if certificate is not None:
        context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}.key")
    return context


def versions(least: ssl.TLSVersion, most: ssl.TLSVersion) -> Callable[[ssl.SSLContext], ssl.SSLContext]:
    """Return a function that limits a context's versions."""

    def limited(context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version, context.maximum_version = least, most
        return context

    return limited


@on_both_loops
async def test_requests_over_tls_are_answered(folder: Path) -> None:
    """A client that trusts the authority is answered; one that speaks plain HTTP is cut off."""
    async with served(written(folder, TLS)) as port:
        answer = await ask(port, tls=client(folder))
        assert (answer.status, answer.body) == (200, b"ok\n")
        with pytest.raises(ConnectionResetError):
            await ask(port)


@on_both_loops
async def test_a_large_answer_arrives_whole(folder: Path) -> None:
    """A body of many slices passes through TLS unchanged."""
    body = bytes(range(251)) * 20_000

    async def scrape(*_: str, **__: str) -> tuple[bytes, dict[str, str]]:
        return body, {"Content-Type": "text/plain"}

    async with served(written(folder, TLS), scrape=scrape) as port:
        assert (await ask(port, "/metrics", tls=client(folder))).body == body


OLD, V12, V13 = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("lines", "spoken"),
    [
        ("", {V12: "TLSv1.2", V13: "TLSv1.3"}),
        ("  min_version: TLS13\n", {V13: "TLSv1.3"}),
        ("  max_version: TLS12\n", {V12: "TLSv1.2"}),
        ("  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", {V13: "TLSv1.3"}),
    ],
)
async def test_versions(lines: str, spoken: dict[ssl.TLSVersion, str], folder: Path) -> None:
    """Of TLS 1.1, 1.2 and 1.3, exactly those that the file allows are agreed on."""
    agreed = {}
    async with served(written(folder, TLS + lines)) as port:
        for version in (OLD, V12, V13):
            context = client(folder)
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                # Python deprecates what this test shows to be refused.
                warnings.simplefilter("ignore", DeprecationWarning)
                versions(version, version)(context)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
            except (ssl.SSLError, ConnectionError):
                continue
            agreed[version] = writer.get_extra_info("ssl_object").version()
            writer.close()
    assert agreed == spoken


@pytest.mark.parametrize(
    ("certificate", "authority", "words"),
    [
        ("wrong", "ca", "unable to get local issuer certificate"),
        ("late", "ca", "certificate has expired"),
        ("named", "ca", "Hostname mismatch"),
    ],
)
async def test_clients_refuse_a_bad_certificate(certificate: str, authority: str, words: str, folder: Path) -> None:
    """The agent shows the certificate that it has: a client that checks it says what is wrong, and is counted."""
    shown = source(door=Door(read_web_file(written(folder, TLS.replace(": server.", f": {certificate}.")))))
    async with web.serve(shown, "127.0.0.1", 0) as (_, port):
        with pytest.raises(ssl.SSLCertVerificationError, match=words):
            await ask(port, tls=client(folder, authority=authority))
        await until(lambda: shown.refused["handshake"] == 1)


async def test_a_rotated_certificate_is_shown_to_new_connections(folder: Path) -> None:
    """After the files are replaced, a new connection sees the new certificate; one that is open goes on."""
    for end in ("pem", "key"):
        (folder / f"live.{end}").write_bytes((folder / f"server.{end}").read_bytes())
    context = client(folder)
    async with served(written(folder, TLS.replace(": server.", ": live."))) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        before = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        for end in ("pem", "key"):
            fresh = folder / f"fresh.{end}"
            fresh.write_bytes((folder / f"second.{end}").read_bytes())
            fresh.replace(folder / f"live.{end}")
            # Between the two, certificate and key do not belong together: the old pair stays in force.
            assert (await ask(port, tls=context)).status == 200
        _, second = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        after = second.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        second.close()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b" 200 " in (await reader.read())[:20]
        writer.close()
    assert before != after


async def is_let_in(port: int, context: ssl.SSLContext) -> bool:
    """Return True if a client's request is answered."""
    try:
        return (await ask(port, tls=context)).status == 200
    except (ssl.SSLError, ConnectionError):
        return False


@on_both_loops
async def test_certificates_of_clients_are_required(folder: Path) -> None:
    """Only a certificate of the authority, in its time, opens the connection; under both versions of TLS."""
    async with served(written(folder, CLIENTS)) as port:
        for limit in (versions(V12, V12), versions(V13, V13)):
            let_in = {
                name: await is_let_in(port, limit(client(folder, name))) for name in (None, "scraper", "wrong", "late")
            }
            assert let_in == {None: False, "scraper": True, "wrong": False, "late": False}


async def test_certificates_of_clients_may_be_optional(folder: Path) -> None:
    """Without one a client comes in; with a stranger's it does not."""
    text = CLIENTS.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
    async with served(written(folder, text)) as port:
        let_in = [await is_let_in(port, client(folder, name)) for name in (None, "scraper", "wrong")]
    assert let_in == [True, True, False]


@pytest.mark.parametrize(
    ("names", "let_in"),
    [("[scraper.example]", [True, False]), ("['::1', other]", [False, True]), ("[]", [False, False])],
)
async def test_certificates_of_clients_may_need_a_name(names: str, let_in: list[bool], folder: Path) -> None:
    """Of two good certificates, the one with an allowed name comes in, whatever kind of name it is."""
    async with served(written(folder, f"{CLIENTS}  client_allowed_sans: {names}\n")) as port:
        assert [await is_let_in(port, client(folder, name)) for name in ("named", "numbered")] == let_in


async def test_a_connection_without_a_handshake_counts_and_ends(folder: Path) -> None:
    """Clients that open connections and say nothing take places of the guard, and are cut at its deadline."""
    shown = source(door=Door(read_web_file(written(folder, TLS))))
    async with web.serve(shown, "127.0.0.1", 0, max_connections=4, header_deadline_s=0.3) as (_, port):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(6)]
        for reader, writer in silent:
            assert await reader.read() == b""
            writer.close()
        assert (await ask(port, tls=client(folder))).status == 200
    assert shown.refused["displaced"] + shown.refused["slow"] == 6


async def test_a_file_that_becomes_wrong_is_said_once(folder: Path) -> None:
    """The last good content stays in force, every page says why, and the metric's source is 0 until it is mended."""
    path = written(folder, TLS + "basic_auth_users:\n")
    door = Door(read_web_file(path))
    context = client(folder)
    async with web.serve(source(door=door), "127.0.0.1", 0) as (_, port):
        written(folder, TLS + "  min_version: TLS99\n")
        assert (await ask(port, tls=context)).status == 200
        assert not door.is_in_force
        page = await ask(port, "/", tls=context)
        assert b"The web configuration file is wrong" in page.body
        assert b"TLS12 or TLS13 is expected" in page.body
        written(folder, TLS + "  min_version: TLS13\n")
        assert (await ask(port, tls=context)).status == 200
        assert door.is_in_force
        assert not await is_let_in(port, versions(V12, V12)(client(folder)))


async def test_an_emptied_file_does_not_open_the_door(folder: Path) -> None:
    """A file that loses its TLS section or all its users keeps them until a restart; one that gains them has them."""
    users = "basic_auth_users:\n  anna: $2b$04$" + "." * 53 + "\n"
    path = written(folder, TLS + users)
    door = Door(read_web_file(path))
    for text, gone in (("", "tls_server_config"), (TLS, "basic_auth_users"), (users, "tls_server_config")):
        written(folder, text)
        assert door.tls() is not None
        assert door.file is not None
        assert set(door.file.users) == {"anna"}
        assert gone in str(door.trouble)
    written(folder, TLS + users.replace("anna", "ben"))
    assert set(door.file.users) == {"ben"}
    assert door.trouble is None


async def test_a_new_certificate_that_is_written_late_comes_into_force(folder: Path) -> None:
    """A file that names a new certificate before that is whole is in force once it is, without another edit."""
    door = Door(read_web_file(written(folder, TLS)))
    new, key = folder / "new.pem", folder / "new.key"
    with structlog.testing.capture_logs() as logs:
        written(folder, TLS.replace("server.", "new."))
        assert door.tls() is not None
        assert not door.is_in_force
        whole = (folder / "second.pem").read_bytes()
        new.write_bytes(whole[: len(whole) // 2])
        key.write_bytes((folder / "second.key").read_bytes())
        assert not door.is_in_force
        new.write_bytes(whole)
        tls = door.tls()
    assert tls is not None
    assert (tls.certificate, door.trouble) == (whole.decode(), None)
    assert [log["event"] for log in logs].count("web configuration read again") == 1
    assert len([log for log in logs if log["event"] == "web configuration refused"]) == 2


async def test_http_turns_into_https_without_a_restart(folder: Path) -> None:
    """A file that gains a TLS section serves the next connection with it."""
    async with served(written(folder, "")) as port:
        assert (await ask(port)).status == 200
        written(folder, TLS)
        assert (await ask(port, tls=client(folder))).status == 200
        with pytest.raises(ConnectionResetError):
            await ask(port)


async def test_headers_and_rate_of_the_file(folder: Path) -> None:
    """Headers of the file replace the agent's own, and its rate holds for all requests together."""
    text = "http_server_config: {headers: {X-Frame-Options: sameorigin}}\nrate_limit: {interval: 10s, burst: 2}\n"
    async with served(written(folder, text)) as port:
        answers: list[Any] = [await ask(port) for _ in range(3)]
    assert [each.status for each in answers] == [200, 200, 429]
    assert {each.headers["X-Frame-Options"] for each in answers} == {"sameorigin"}
    assert answers[-1].headers["Retry-After"] == "10"
    assert basic("a", "b") == "Basic YTpi"
