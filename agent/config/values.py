"""Value types of the configuration; their error messages are for operators."""

import ipaddress
import re
import zoneinfo
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, PlainValidator, Strict, ValidationInfo

from agent.address import Endpoint, Network, parse_address, parse_endpoint, parse_network
from agent.config.json_pointer import parse_pointer
from agent.config.mistakes import MisspeltError

MAX_PATH_CHARS = 4095
"""As the system allows."""


def parsed(kind: type | tuple[type, ...], parse: Callable[[str], object]) -> PlainValidator:
    """Return a validator for a key that is a string in the file and a `kind` in the program."""

    def validate(value: object) -> object:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise ValueError("a text in quotes is expected")  # noqa: TRY004 - pydantic collects ValueErrors only
        return parse(value)

    return PlainValidator(validate)


def between(low: float, high: float) -> AfterValidator:
    """Return a validator for a number from `low` to `high`, both included; NaN is refused."""

    def validate(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"{low:g} to {high:g} is expected")
        return value

    return AfterValidator(validate)


def _parse_name(text: str) -> str:
    # Names end up in paths: at least one letter or digit rules out "." and "..".
    if not re.fullmatch(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]{1,64}", text):
        raise ValueError("1 to 64 of A-Z a-z 0-9 . _ - are expected, at least one of them a letter or digit")
    return text


def _parse_zone(text: str) -> ZoneInfo:
    # Many systems have a "localtime" zone, whose meaning depends on the machine.
    known = zoneinfo.available_timezones() - {"localtime"}
    if not known:
        raise ValueError("this machine has no time zone database; install the package tzdata")
    if text not in known:
        raise MisspeltError("an IANA zone is expected, such as UTC or America/Chicago", text, known)
    return ZoneInfo(text)


def _parse_listen(text: str) -> Endpoint:
    address, port = parse_endpoint(text)
    if address.is_multicast:
        raise ValueError("a multicast address cannot be listened on")
    return Endpoint(str(address), port)


def parse_place(text: str) -> str:
    """Return `text` if it is a valid name of a unit, model or place in the ledger."""
    if not text.isprintable() or not 1 <= len(text) <= 64:
        raise ValueError("a name as in the ledger is expected, 1 to 64 printable characters")
    return text


def _parse_url(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.netloc or not text.isascii() or not text.isprintable():
        raise ValueError("an address such as http://10.0.9.5/status is expected")
    if "@" in parts.netloc:
        raise ValueError("a user name or password in the address is refused")
    parse_endpoint(parts.netloc, default_port=80)
    return text


def _checked_pointer(text: str) -> str:
    parse_pointer(text)
    return text


def parse_user(text: str) -> str:
    """Return `text` if it is a valid user name for HTTP digest authentication."""
    # The characters that a quoted header value may contain without escapes.
    if not re.fullmatch(r"[!#-\[\]-~ ]{1,64}", text) or ":" in text:
        raise ValueError("1 to 64 ASCII characters without quotes, backslashes and colons are expected")
    return text


def _validate_time(value: object) -> time:
    """Validate a local time of day, to the minute, as a string or a TOML time."""
    if isinstance(value, str) and re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", value):
        return time.fromisoformat(value)
    if isinstance(value, time) and not value.second and not value.microsecond:
        return value
    raise ValueError('a local time to the minute is expected, "00:00" to "23:59"')


def _validate_date(value: object) -> date:
    """Validate a date, as a string or a TOML date."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError('a date is expected, such as "2025-10-07"')


def _parse_host(text: str) -> str:
    # A broker's certificate is issued for its name, so names are resolved for brokers and nowhere else.
    if re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", text):
        return str(parse_address(text))
    if ".." in text or not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", text):
        raise ValueError("a host name or an IP address is expected, such as mqtt.example or 10.0.0.5")
    return text


def _parse_agent_url(text: str) -> str:
    """Return the address of an agent without a slash at its end; its host may be a name, which certificates have."""
    reason = "the address of an agent is expected, such as https://site1.example:9184"
    parts = re.fullmatch(
        r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?((?:/[A-Za-z0-9_-]+)*)/?", text
    )
    if parts is None:
        raise ValueError(f"{reason}, without user, query and fragment")
    scheme, host, port, path = parts.groups()
    if port is not None and not 0 < int(port) < 65_536:
        raise ValueError("a port is a whole number from 1 to 65535")
    host = f"[{parse_address(host[1:-1])}]" if host.startswith("[") else _parse_host(host).lower()
    # The default port is left out, so that one address has one spelling.
    shown_port = "" if port is None or int(port) == {"http": 80, "https": 443}[scheme] else f":{int(port)}"
    return f"{scheme}://{host}{shown_port}{path}"


def _parse_client_id(text: str) -> str:
    # MQTT 3.1.1, section 3.1.3.1: brokers may refuse other characters; most accept more than 23.
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise ValueError("1 to 64 of A-Z a-z 0-9 . _ - are expected")
    return text


def _validate_path(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("a path in quotes is expected")
    if len(value) > MAX_PATH_CHARS:
        raise ValueError(f"a path of at most {MAX_PATH_CHARS} characters is expected")
    folder: Path = info.context or Path()
    path = folder / value
    # Other files are kept beside some, under names that begin with theirs.
    if not Path(value).name or path.name == "..":
        raise ValueError("the path of a file is expected, not of a folder")
    return path


Name = Annotated[str, parsed((), _parse_name)]
TimeZone = Annotated[ZoneInfo, parsed(ZoneInfo, _parse_zone)]
Networks = Annotated[
    tuple[Annotated[Network, parsed((ipaddress.IPv4Network, ipaddress.IPv6Network), parse_network)], ...],
    Strict(strict=False),
]
Listen = Annotated[Endpoint, parsed(Endpoint, _parse_listen)]
FilePath = Annotated[Path, PlainValidator(_validate_path)]
Host = Annotated[str, parsed((), _parse_host)]
ClientId = Annotated[str, parsed((), _parse_client_id)]
TimeOfDay = Annotated[time, PlainValidator(_validate_time)]
Dates = Annotated[tuple[Annotated[date, PlainValidator(_validate_date)], ...], Strict(strict=False)]
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Place = Annotated[str, parsed((), parse_place)]
Url = Annotated[str, parsed((), _parse_url)]
AgentUrl = Annotated[str, parsed((), _parse_agent_url)]
Pointer = Annotated[str, parsed((), _checked_pointer)]
