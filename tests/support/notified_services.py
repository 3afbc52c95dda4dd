"""Stand-ins for the services that Alertmanager notifies, on loopback: SMTP and HTTP, with the real ones' checks.

Fields and limits are those that the services document; a request that breaks one gets the status that they answer with,
and its reason is kept in `refusals`.
"""

import asyncio
import base64
import contextlib
import email
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email.policy import default as modern
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

SLACK_TEXT, SLACK_ATTACHMENTS = 40_000, 100
TELEGRAM_TEXT = 4096
PAGERDUTY_SUMMARY, PAGERDUTY_KEY, PAGERDUTY_BYTES = 1024, 255, 512_000
NTFY_BYTES = 4096
SUBJECT = 998

_CUT = "\n-- cut here --\n"


@dataclass
class Services:
    """What arrived, and what a real service would have refused.

    Attributes:
        http: Address of the HTTP services.
        smtp: Address of the mail relay.
        arrived: What a person is shown of each message, by service, in order.
        refusals: Reasons, by service.
    """

    http: str = ""
    smtp: str = ""
    arrived: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    def take(self, service: str, shown: dict[str, Any], problems: list[str]) -> web.Response:
        """Keep a message; return the answer to it."""
        self.arrived.setdefault(service, []).append(shown)
        self.refusals += [f"{service}: {problem}" for problem in problems]
        return web.json_response({"ok": not problems, "status": "success"}, status=400 if problems else 202)


def _needed(body: dict[str, Any], *names: str) -> list[str]:
    return [f"{name} is missing" for name in names if not body.get(name)]


def _at_most(name: str, text: str, limit: int) -> list[str]:
    return [f"{name}: {len(text)} characters, at most {limit}"] if len(text) > limit else []


def slack(body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what Slack shows of an incoming webhook's message, and what it would refuse (`no_text`, lengths)."""
    attachments = body.get("attachments", [])
    problems = [] if attachments or body.get("text") else ["no_text"]
    for each in attachments:
        problems += _needed(each, "fallback", "title", "text", "title_link")
        problems += _at_most("text", each.get("text", ""), SLACK_TEXT)
    shown = [{key: each.get(key) for key in ("color", "title", "title_link", "text")} for each in attachments]
    return {"attachments": shown}, problems


def pagerduty(body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what PagerDuty shows of an event (Events API v2), and what it would refuse."""
    problems = _needed(body, "routing_key", "event_action")
    action = body.get("event_action")
    if action not in {"trigger", "resolve"}:
        problems.append(f"event_action: {action}")
    payload = body.get("payload", {})
    # A resolution names its event by the key alone.
    problems += _needed(body, "dedup_key") + _at_most("dedup_key", body.get("dedup_key", ""), PAGERDUTY_KEY)
    if action == "trigger":
        problems += _needed(payload, "summary", "source", "severity")
        problems += _at_most("summary", payload.get("summary", ""), PAGERDUTY_SUMMARY)
        if payload.get("severity") not in {"critical", "error", "warning", "info"}:
            problems.append(f"severity: {payload.get('severity')}")
        problems += [problem for link in body.get("links", []) for problem in _needed(link, "href", "text")]
    if len(json.dumps(body)) > PAGERDUTY_BYTES:
        problems.append("the event is larger than 512 kB")
    shown = {key: payload.get(key) for key in ("summary", "source", "severity", "component", "group", "class")}
    details = payload.get("custom_details", {}).get("firing")
    return {"event_action": action, **shown, "firing": details, "links": body.get("links")}, problems


def telegram(body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what Telegram shows of a message, and what it would refuse."""
    text = str(body.get("text", ""))
    problems = _needed(body, "chat_id", "text") + _at_most("text", text, TELEGRAM_TEXT)
    if body.get("parse_mode"):
        problems.append(f"parse_mode: {body['parse_mode']}: names may hold characters of its markup")
    return {"chat_id": str(body.get("chat_id")), "text": text}, problems


def ntfy(query: dict[str, list[str]], body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what ntfy shows: title and text by the Go templates in the address, over Alertmanager's JSON."""
    problems = [] if query.get("tpl") == ["yes"] else ["tpl=yes is missing"]
    title, _, message = _rendered(f"{query['t'][0]}{_CUT}{query['m'][0]}", body).partition(_CUT)
    shown = {"title": title, "message": message}
    problems += _needed(shown, "title", "message")
    if len(shown["message"].encode()) > NTFY_BYTES:
        problems.append("the message is longer than 4,096 bytes and would become an attachment")
    return {**shown, "priority": query["p"][0]}, problems


def _rendered(template: str, body: dict[str, Any]) -> str:
    """Return a template of JSON's fields, rendered by Go's own engine, which amtool carries.

    Its data are of a Go type, so `.alerts` is spelt `.Alerts` there. The names of annotations stay.
    """
    for name in ("status", "alerts", "annotations", "truncatedAlerts"):
        template = template.replace(f".{name}", f".{name[0].upper()}{name[1:]}")
    template = template.replace(".TruncatedAlerts", ".CommonLabels.truncated").replace("\\n", "\n")
    if body.get("truncatedAlerts"):
        body = {**body, "commonLabels": {**body["commonLabels"], "truncated": str(body["truncatedAlerts"])}}
    files = ("--template.glob=/dev/null", "--template.data=/dev/stdin")
    done = subprocess.run(
        ["amtool", "template", "render", *files, "--template.text", template],
        input=json.dumps(body),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def webhook(body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return Alertmanager's own JSON, without what differs from run to run."""
    alerts = [{key: each[key] for key in ("status", "labels", "annotations")} for each in body["alerts"]]
    return {"status": body["status"], "groupLabels": body["groupLabels"], "alerts": alerts}, []


def mail(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """Return what a mail program shows of a message, and what is wrong with it."""
    message = email.message_from_bytes(data, policy=modern)
    subject, body = str(message["Subject"] or ""), message.get_body(("plain",))
    problems = [f"{name} is missing" for name in ("From", "To", "Subject", "Date", "Message-Id") if not message[name]]
    problems += _at_most("Subject", subject, SUBJECT) + ([] if body else ["no plain text"])
    text = body.get_content() if body else ""
    return {"to": message["To"], "subject": subject, "text": text.replace("\r\n", "\n")}, problems


class _Mailbox:
    """One SMTP conversation with AUTH PLAIN, as a relay has it behind STARTTLS."""

    def __init__(self, services: Services, login: tuple[str, str]) -> None:
        self._services, self._login = services, login

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take mail until QUIT."""
        say: Callable[[str], None] = lambda line: writer.write(f"{line}\r\n".encode())  # noqa: E731
        may_send, is_open = False, True
        say("220 relay")
        with contextlib.closing(writer):
            while is_open and (line := await reader.readline()):
                verb, _, rest = line.decode().strip().partition(" ")
                match verb.upper():
                    case "EHLO":
                        say("250-relay")
                        say("250 AUTH PLAIN")
                    case "AUTH":
                        given = base64.b64decode(rest.split()[1]).decode().split("\0")[1:]
                        may_send = tuple(given) == self._login
                        say("235 welcome" if may_send else "535 wrong user or password")
                    case "DATA" if may_send:
                        say("354 go on")
                        lines = []
                        while (one := await reader.readline()) not in {b".\r\n", b""}:
                            lines.append(one.removeprefix(b".") if one.startswith(b"..") else one)
                        self._services.take("email", *mail(b"".join(lines)))
                        say("250 taken")
                    case "QUIT":
                        say("221 bye")
                        is_open = False
                    case "MAIL" | "RCPT" if may_send:
                        say("250 fine")
                    case _:
                        say("530 authentication required")
                await writer.drain()


@contextlib.asynccontextmanager
async def services(login: tuple[str, str], token: str) -> AsyncIterator[Services]:
    """Serve all of them on free loopback ports.

    Args:
        login: User and password that the mail relay accepts.
        token: The bearer token that ntfy accepts.
    """
    taken = Services()

    async def take(request: web.Request) -> web.Response:
        kind, body = request.match_info["kind"], await request.json()
        if kind == "ntfy":
            if request.headers.get("Authorization") != f"Bearer {token}":
                return web.Response(status=403)
            found = await asyncio.to_thread(ntfy, parse_qs(urlsplit(str(request.rel_url)).query), body)
        else:
            found = {"slack": slack, "pagerduty": pagerduty, "webhook": webhook}[kind](body)
        return taken.take(kind, *found)

    async def take_telegram(request: web.Request) -> web.Response:
        shown, problems = telegram(await request.json())
        taken.take("telegram", shown, problems)
        sent = {
            "message_id": 1,
            "date": 0,
            "chat": {"id": int(shown["chat_id"]), "type": "group"},
            "text": shown["text"],
        }
        return web.json_response({"ok": not problems, "result": sent}, status=400 if problems else 200)

    app = web.Application(client_max_size=2**24)
    app.router.add_post("/bot{token}/sendMessage", take_telegram)
    app.router.add_post("/{kind:slack|pagerduty|ntfy|webhook}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    relay = await asyncio.start_server(_Mailbox(taken, login).serve, "127.0.0.1", 0)
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        taken.http = f"127.0.0.1:{runner.addresses[0][1]}"
        taken.smtp = f"127.0.0.1:{relay.sockets[0].getsockname()[1]}"
        yield taken
    finally:
        relay.close()
        await relay.wait_closed()
        await runner.cleanup()


def secrets(folder: Path, named: dict[str, str]) -> None:
    """Write the files that receivers read their secrets from."""
    folder.mkdir(exist_ok=True)
    for name, text in named.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
