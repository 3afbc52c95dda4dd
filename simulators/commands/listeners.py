"""The sockets that a farm is served on, read from options."""

import contextlib
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from simulators.farm.plan import FarmError
from simulators.sockets.report_button import Listener, read_listener
from simulators.sockets.web_server import HTTP_PORT
from simulators.unit.builds import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """The sockets of a farm, and who may connect.

    Attributes:
        api: Port of the units' API.
        http: Port of their web pages; None for none.
        is_http_given: That port was asked for; otherwise a free one serves where it cannot be had.
        power: Port of their hash side; None for none.
        power_lines: Firmware lines on which the hash side answers.
        control: Host and port of the control API; None for none.
        report_to: What hears the report buttons.
        ledger_out: File for the ledger; None for none.
        allow_remote: Also answer clients on other machines.
    """

    api: int
    http: int | None
    is_http_given: bool
    power: int | None
    power_lines: frozenset[Line]
    control: tuple[str, int] | None
    report_to: Listener
    ledger_out: Path | None
    allow_remote: bool


def read_listeners(
    *,
    port: int,
    http_port: int | None,
    no_pages: bool,
    power_port: int | None,
    power_lines: str,
    control: str,
    report_to: str,
    ledger_out: Path | None,
    allow_remote: bool,
) -> Listeners:
    """Return the sockets that the options ask for.

    Raises:
        FarmError: A firmware line or the address of the control API is wrong, or pages are both wanted and not.
        ButtonError: The listener of the report buttons is wrong.
    """
    if no_pages and http_port is not None:
        raise FarmError("--no-pages and --http-port exclude each other")
    http = HTTP_PORT if http_port is None else http_port
    return Listeners(
        api=port,
        http=None if no_pages else http,
        is_http_given=http_port is not None,
        power=power_port,
        power_lines=_read_lines(power_lines),
        control=_control_address(control),
        report_to=read_listener(report_to),
        ledger_out=ledger_out,
        allow_remote=allow_remote,
    )


def _read_lines(text: str) -> frozenset[Line]:
    try:
        return frozenset(Line(name.strip()) for name in text.split(","))
    except ValueError:
        raise FarmError(f"firmware lines {text!r} are not a list of {', '.join(Line)}") from None


def _control_address(text: str) -> tuple[str, int] | None:
    host, colon, port = text.rpartition(":")
    if not text:
        return None
    with contextlib.suppress(ValueError):
        ipaddress.IPv4Address(host)
        if colon and 0 <= int(port) <= 65535:
            return host, int(port)
    raise FarmError(f"control address {text!r} is not IPV4:PORT")
