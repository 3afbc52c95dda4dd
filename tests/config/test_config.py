"""The configuration file: every mistake at once, defaults, and only ConfigError for any input."""

import os
import tempfile
import zoneinfo
from datetime import date, time
from pathlib import Path
from typing import get_args, get_origin
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import DEPLOY
from pydantic import BaseModel

from agent.address import Endpoint
from agent.config.file import MAX_CONFIG_BYTES, Config, load_config, parse_config, render_config
from agent.config.mistakes import SHOWN_MISTAKES
from agent.config.sections import (
    DEFAULT_NETWORKS,
    CurtailmentSection,
    LedgerSection,
    LogSection,
    PollSection,
    SiteSection,
    WebSection,
)
from agent.errors import ConfigError, Mistake

EXAMPLE = DEPLOY / "site.example.toml"

LEAST = """\
[site]
name = "north"
[ledger]
file = "ledger.csv"
"""

METER = "[[meter]]\nname = 'm'\nwatts = 1\n"
A_PLACE = "a name as in the ledger is expected, 1 to 64 printable characters"
A_HOST = "a host name or an IP address is expected, such as mqtt.example or 10.0.0.5"
KNOWN = f"known are {', '.join(Config.model_fields)}"

PLAIN = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mistakes_in(text: str) -> list[str]:
    """Return the messages for a bad configuration, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "site.toml", folder=Path())
    return [str(mistake).removeprefix("site.toml: ") for mistake in caught.value.mistakes]


def test_least_configuration_is_completed_with_defaults() -> None:
    """A site name and a ledger file are the only required keys."""
    assert parse_config(LEAST, "site.toml", folder=Path("/etc/hashsight")) == Config(
        site=SiteSection(name="north", zone=ZoneInfo("UTC"), count_simulated=False),
        ledger=LedgerSection(
            file=Path("/etc/hashsight/ledger.csv"), models_file=None, networks=DEFAULT_NETWORKS, detect_simulated=True
        ),
        poll=PollSection(
            interval_s=10,
            connect_timeout_s=2,
            deadline_s=5,
            stale_after_s=30,
            slow_every=30,
            max_in_flight=1000,
            max_in_flight_sick=500,
            backoff_max_s=60,
        ),
        web=WebSection(listen=Endpoint("127.0.0.1", 9184), hosts=(), max_connections=256),
        log=LogSection(level="info", format="auto"),
    )


def test_example_shows_the_defaults() -> None:
    """The values in the shipped example are the defaults."""
    config = load_config(EXAMPLE)
    assert config == Config(
        site=SiteSection(name="example-1"), ledger=LedgerSection(file=EXAMPLE.parent / "ledger.example.csv")
    )


def test_example_names_every_key() -> None:
    """The shipped example mentions every section and key."""
    text = EXAMPLE.read_text(encoding="utf-8")

    def expect(model: type[BaseModel], parent: str) -> None:
        for name, field in model.model_fields.items():
            is_repeated = get_origin(field.annotation) is tuple
            kind = get_args(field.annotation)[0] if is_repeated else field.annotation
            if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
                assert f"\n{name} = " in text or f"\n# {name} = " in text
                continue
            assert (f"\n# [[{parent}{name}]]\n" if is_repeated else f"\n[{parent}{name}]\n") in text
            expect(kind, f"{parent}{name}.")

    expect(Config, "")


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("interval_s = 60", {"stale_after_s": 180.0}),
        ("interval_s = 1", {"stale_after_s": 6.0}),
        ("interval_s = 20\nstale_after_s = 25", {"stale_after_s": 25.0}),
        ("max_in_flight = 100", {"max_in_flight_sick": 50}),
        ("max_in_flight = 1", {"max_in_flight_sick": 1}),
        ("max_in_flight = 100\nmax_in_flight_sick = 100", {"max_in_flight_sick": 100}),
    ],
)
def test_defaults_follow_what_is_given(given_text: str, expected: dict[str, float]) -> None:
    """A key left out gets a default that fits the given keys."""
    poll = parse_config(f"{LEAST}[poll]\n{given_text}\n", "site.toml", folder=Path()).poll
    assert {key: getattr(poll, key) for key in expected} == expected


NAME = "1 to 64 of A-Z a-z 0-9 . _ - are expected, at least one of them a letter or digit"
NETWORK = "a network is expected, such as 10.20.0.0/16 or fd00:20::/64"
LITERAL = "a literal IP address is expected, such as 10.0.3.17; names are not looked up"
FOUR_NUMBERS = "an IPv4 address is four numbers from 0 to 255 without leading zeros"
LOCAL_TIME = 'a local time to the minute is expected, "00:00" to "23:59"'
DAYS = "monday, tuesday, wednesday, thursday, friday, saturday or sunday is expected"
WINDOW = "[[curtailment]]\nname = 'peak'\nstart = '16:00'\nend = 19:00:00\n"
EACH_WINDOW = "sections are expected, each with [[curtailment]] on a line of its own"
WINDOW_KEYS = "known are name, days, dates, start, end, target_percent, container, rack, model, unit"
LONG_HEX = "0x" + "f" * 75 + "..."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["site: this section is needed", "ledger: this section is needed"]),
        ("[site]\n[ledger]\n", ["site.name: this key is needed", "ledger.file: this key is needed"]),
        (
            "site = 1\n[[ledger]]\n",
            [
                "site = '1': a section is expected, [site] on a line of its own",
                "ledger: a section is expected, [ledger] on a line of its own",
            ],
        ),
        (f"{LEAST}[pol]\n", ["pol: unknown section; did you mean poll?"]),
        (f"{LEAST}[mqtts]\n", ["mqtts: unknown section; did you mean mqtt?"]),
        (f"{LEAST}[mqtt]\n", ["mqtt: sections are expected, each with [[mqtt]] on a line of its own"]),
        (
            f"{LEAST}[[mqtt]]\nname = 'a'\nhost = 'b:1'\nport = 0\npassword = 'x'\n[[mqtt]]\nname = 'b'\nhost = 'b'\n",
            [
                "mqtt[0].host = 'b:1': a host name or an IP address is expected, such as mqtt.example or 10.0.0.5",
                "mqtt[0].port = '0': 1 to 65535 is expected",
                "mqtt[0].password = '***': unknown key; did you mean password_file?",
            ],
        ),
        (
            f"{LEAST}[[mqtt]]\nname = 'b'\nhost = 'b'\nca_file = 'ca.pem'\n",
            ["mqtt[0]: certificates without tls = true would not be used"],
        ),
        (
            LEAST + "".join(f"[[mqtt]]\nname='{x}'\nhost='b{x}'\nmeters=true\nmeter_max_age_s=1{x}\n" for x in "12"),
            ["mqtt: meter_max_age_s must be equal for all brokers with meters = true"],
        ),
        (f"{LEAST}[meter]\nname = 'm'\n", ["meter: sections are expected, each with [[meter]] on a line of its own"]),
        (
            f"{LEAST}[[meter]]\nname = 'm'\nwats = 3\n[[meter]]\nurl = 'http://pdu/a'\npointer = 'x'\nwatts = -1\n",
            [
                "meter[0].wats = '3': unknown key; did you mean watts?",
                (
                    "meter[1].url = 'http://pdu/a': a literal IP address is expected, such as 10.0.3.17; "
                    "names are not looked up"
                ),
                "meter[1].pointer = 'x': a JSON pointer is expected, such as /em/0/power; empty for the whole value",
                "meter[1].watts = '-1': 0 to 1e+10 is expected",
                "meter[1].name: this key is needed",
            ],
        ),
        (f"{LEAST}[[meter]]\nname = 'm'\n", ["meter[0]: exactly one of watts, url and file is expected"]),
        (
            f"{LEAST}[[meter]]\nname = 'm'\nwatts = 1\nfile = 'w'\n",
            ["meter[0]: exactly one of watts, url and file is expected"],
        ),
        (
            f"{LEAST}[[meter]]\nname = 'm'\nwatts = 1\ncontainer = 'C1'\nunit = 'u1'\n",
            ["meter[0]: a meter measures a container or a unit, not both"],
        ),
        (
            f"{LEAST}[[meter]]\nname = 'm'\nwatts = 1\nscale = 1000\n",
            ["meter[0]: a constant has no pointer and no scale"],
        ),
        (f"{LEAST}{2 * METER}", ["meter: two meters are named m"]),
        (f"{LEAST}{METER}container = ''\n", [f"meter[0].container: {A_PLACE}"]),
        (f"{LEAST}{METER}unit = '{65 * 'x'}'\n", [f"meter[0].unit = '{65 * 'x'}': {A_PLACE}"]),
        (
            f"{LEAST}[[meter]]\nname = 'm'\nurl = 'ftp://10.0.0.1/'\n",
            ["meter[0].url = 'ftp://10.0.0.1/': an address such as http://10.0.9.5/status is expected"],
        ),
        (
            f"{LEAST}[[meter]]\nname = 'm'\nurl = 'http://u:pw@10.0.0.1/'\n",
            ["meter[0].url = 'http://***@10.0.0.1/': a user name or password in the address is refused"],
        ),
        (
            f"{LEAST}[[meter]]\nname = 'm'\nurl = 'http://10.0.0.1/'\npointer = '/a~2'\n",
            ["meter[0].pointer = '/a~2': a JSON pointer spells ~ in a name as ~0, and / as ~1"],
        ),
        (
            f"{LEAST}{METER}max_age_s = 12\n",
            [
                (
                    "meter[0].max_age_s = '12': at least every_s + timeout_s (13) is expected, "
                    "else it expires between two readings"
                )
            ],
        ),
        (f"{LEAST}[power]\nstandby_watts = nan\n", ["power.standby_watts = 'nan': 0 to 500 is expected"]),
        (f"{LEAST}[poll]\nintervall_s = 3\n", ["poll.intervall_s = '3': unknown key; did you mean interval_s?"]),
        (f"{LEAST}[log]\ncolour = 1\n", ["log.colour = '1': unknown key; known are level, format"]),
        (f'{LEAST}[log]\n"\\u001b[2J" = 1\n', ["log.\"\\u001b[2J\" = '1': unknown key; known are level, format"]),
        (LEAST.replace("north", "."), [f"site.name = '.': {NAME}"]),
        (LEAST.replace("north", "a b"), [f"site.name = 'a b': {NAME}"]),
        (LEAST.replace("north", ""), [f"site.name: {NAME}"]),
        (LEAST.replace('"north"', '"""a\n"""'), [f"site.name = 'a\\n': {NAME}"]),
        (LEAST.replace("north", "n" * 65), [f"site.name = '{'n' * 65}': {NAME}"]),
        (LEAST.replace('"north"', "2025-10-01"), ["site.name = '2025-10-01': a text in quotes is expected"]),
        (LEAST.replace("ledger.csv", ""), ["ledger.file: a path in quotes is expected"]),
        (LEAST.replace("ledger.csv", "a\\u0000"), ["ledger.file = 'a\\x00': a path in quotes is expected"]),
        (f"{LEAST}models_file = 3\n", ["ledger.models_file = '3': a path in quotes is expected"]),
        # Files with names that begin with this one's are kept beside it.
        (f'{LEAST}[history]\nfile = "/"\n', ["history.file = '/': the path of a file is expected, not of a folder"]),
        (f'{LEAST}[snapshot]\nfile = "."\n', ["snapshot.file = '.': the path of a file is expected, not of a folder"]),
        (
            f'{LEAST}[snapshot]\nfile = "a/.."\n',
            ["snapshot.file = 'a/..': the path of a file is expected, not of a folder"],
        ),
        (
            LEAST.replace("ledger.csv", "a" * 4096),
            [f"ledger.file = '{'a' * 77}...': a path of at most 4095 characters is expected"],
        ),
        (
            f'{LEAST}networks = ["10.0.0.1/8", "0.0.0.0/0", 3, "::1", "224.0.0.0/8", "0.0.0.0/8", "1.2.3/24"]',
            [
                "ledger.networks[0] = '10.0.0.1/8': the address has bits beyond its prefix; write 10.0.0.0/8",
                "ledger.networks[1] = '0.0.0.0/0': wider than any private network; /8 or longer is expected",
                "ledger.networks[2] = '3': a text in quotes is expected",
                f"ledger.networks[3] = '::1': {NETWORK}",
                "ledger.networks[4] = '224.0.0.0/8': no unit can have an address in this network",
                "ledger.networks[5] = '0.0.0.0/8': no unit can have an address in this network",
                f"ledger.networks[6] = '1.2.3/24': {NETWORK}",
            ],
        ),
        (f'{LEAST}networks = "10.0.0.0/8"\n', ["ledger.networks = '10.0.0.0/8': a list in brackets is expected"]),
        (
            f"{LEAST}networks = []\n",
            ["ledger.networks: at least one network is expected; leave the key out for all private ones"],
        ),
        (f"{LEAST}[poll]\ninterval_s = 0.5\n", ["poll.interval_s = '0.5': 1 to 3600 is expected"]),
        (f"{LEAST}[poll]\ninterval_s = nan\n", ["poll.interval_s = 'nan': 1 to 3600 is expected"]),
        (f"{LEAST}[poll]\nbackoff_max_s = inf\n", ["poll.backoff_max_s = 'inf': 1 to 60 is expected"]),
        (f"{LEAST}[poll]\nslow_every = 1.5\n", ["poll.slow_every = '1.5': a whole number is expected"]),
        (f"{LEAST}[poll]\nslow_every = true\n", ["poll.slow_every = 'true': a whole number is expected"]),
        (f"{LEAST}[poll]\ndeadline_s = true\n", ["poll.deadline_s = 'true': a number is expected"]),
        (f'{LEAST}[poll]\ndeadline_s = "5"\n', ["poll.deadline_s = '5': a number is expected"]),
        (f"{LEAST}[poll]\ninterval_s = 0x{'f' * 5000}\n", [f"poll.interval_s = '{LONG_HEX}': a number is expected"]),
        (f"{LEAST}[poll]\nslow_every = 0x{'f' * 5000}\n", [f"poll.slow_every = '{LONG_HEX}': 1 to 100000 is expected"]),
        (
            f"{LEAST}[poll]\nconnect_timeout_s = 9\n",
            [
                (
                    "poll.deadline_s = '5.0 (default)': at least poll.connect_timeout_s (9) is expected:"
                    " the deadline includes connecting"
                )
            ],
        ),
        (
            f"{LEAST}[poll]\nstale_after_s = 12\n",
            [
                (
                    "poll.stale_after_s = '12': at least poll.interval_s + poll.deadline_s (15) is expected:"
                    " else a slow unit goes stale between two good polls"
                )
            ],
        ),
        (
            f"{LEAST}[poll]\nmax_in_flight = 20\nmax_in_flight_sick = 21\n",
            ["poll.max_in_flight_sick = '21': expected at most 20, the value of poll.max_in_flight"],
        ),
        (f'{LEAST}[web]\nlisten = "localhost:80"\n', [f"web.listen = 'localhost:80': {LITERAL}"]),
        (f'{LEAST}[web]\nlisten = "127.1:80"\n', [f"web.listen = '127.1:80': {FOUR_NUMBERS}"]),
        (f'{LEAST}[web]\nhosts = ["a b"]\n', [f"web.hosts[0] = 'a b': {A_HOST}"]),
        (f'{LEAST}[web]\nhosts = ["*"]\n', [f"web.hosts[0] = '*': {A_HOST}"]),
        (f'{LEAST}[web]\nhosts = ["gateway:9184"]\n', [f"web.hosts[0] = 'gateway:9184': {A_HOST}"]),
        (f"{LEAST}[web]\nlisten = 9184\n", ["web.listen = '9184': a text in quotes is expected"]),
        (
            f'{LEAST}[web]\nlisten = "10.0.0.1"\n',
            ["web.listen = '10.0.0.1': a port is needed, as in 127.0.0.1:9184 or [::1]:9184"],
        ),
        (
            f'{LEAST}[web]\nlisten = "[::1]:65536"\n',
            ["web.listen = '[::1]:65536': a port is a whole number up to 65535"],
        ),
        (
            f'{LEAST}[web]\nlisten = "224.0.0.1:80"\n',
            ["web.listen = '224.0.0.1:80': a multicast address cannot be listened on"],
        ),
        (
            f'{LEAST}[api]\ntoken = "hunter2"\ntoken_file = 1\n',
            [
                "api.token = '***': unknown key; did you mean token_file?",
                "api.token_file = '1': a path in quotes is expected",
            ],
        ),
        (f"{LEAST}[curtailment]\nname = 'a'\n", [f"curtailment: {EACH_WINDOW}"]),
        (
            f"{LEAST}[[curtailment]]\n",
            [
                "curtailment[0].name: this key is needed",
                "curtailment[0].start: this key is needed",
                "curtailment[0].end: this key is needed",
            ],
        ),
        (
            f"{LEAST}{WINDOW}[[curtailment]]\nend = '24:00'\nstart = 4\nname = 'b'\ndays = ['mon']\nzone = 1\n",
            [
                f"curtailment[1].end = '24:00': {LOCAL_TIME}",
                f"curtailment[1].start = '4': {LOCAL_TIME}",
                f"curtailment[1].days[0] = 'mon': {DAYS}; did you mean monday?",
                f"curtailment[1].zone = '1': unknown key; {WINDOW_KEYS}",
            ],
        ),
        (
            f"{LEAST}{WINDOW}dates = ['2025-02-29', 2025-10-07T16:00:00]\ntarget_percent = 100\nrack = 1\n",
            [
                "curtailment[0].dates[0] = '2025-02-29': a date is expected, such as \"2025-10-07\"",
                "curtailment[0].dates[1] = '2025-10-07 16:00:00': a date is expected, such as \"2025-10-07\"",
                "curtailment[0].target_percent = '100': 0 to 99.9 is expected",
                "curtailment[0].rack = '1': a text in quotes is expected",
            ],
        ),
        (
            f"{LEAST}{WINDOW}dates = [2025-10-07]\ndays = ['monday']\n",
            ["curtailment[0].dates: days or dates are expected, not both"],
        ),
        (
            f"{LEAST}{WINDOW}dates = []\n",
            ["curtailment[0].dates: at least one date is expected; leave the key out for every day"],
        ),
        (
            f"{LEAST}{WINDOW}days = []\n",
            ["curtailment[0].days: at least one day is expected; leave the key out for every day"],
        ),
        (f"{LEAST}{WINDOW}{WINDOW}", ["curtailment: two windows are named peak"]),
        (f"{LEAST}[identity]\nweb_port = 0\n", ["identity.web_port = '0': 1 to 65535 is expected"]),
        (
            f"{LEAST}[identity]\nuser = 'a\"b'\n",
            [("identity.user = 'a\"b': 1 to 64 ASCII characters without quotes, backslashes and colons are expected")],
        ),
        (
            f'{LEAST}[log]\nlevel = "INFO"\n',
            ["log.level = 'INFO': debug, info, warning or error is expected; did you mean info?"],
        ),
        (
            f"{LEAST}[log]\nlevel = 0x{'f' * 5000}\n",
            [f"log.level = '{LONG_HEX}': debug, info, warning or error is expected"],
        ),
        (f"{LEAST}[log]\nformat = 3\n", ["log.format = '3': auto, json or console is expected"]),
        ("a = \n", ["line 1, column 5: not TOML: Invalid value"]),
        ("a = 1\na = 2", ["line 2, column 6: not TOML: Cannot overwrite a value"]),
        ("a = [\n1,\n\n", ["line 2, column 3: not TOML: Invalid value"]),
        (f"\na{'.a' * 257} = 1", ["line 2: more than 256 dots in a line; split a long list over several lines"]),
        (f"a = {'[' * 100_000}", ["file: nested too deeply"]),
        (f"a = {'9' * 5000}", ["file: a number is too long"]),
    ],
)
def test_bad_configuration(text: str, expected: list[str]) -> None:
    """Every mistake is reported with key, value and reason."""
    assert mistakes_in(text) == expected


def test_long_list_of_mistakes_is_cut_and_counted() -> None:
    """A long list of mistakes is cut after a hundred, and the rest is counted."""
    messages = mistakes_in("".join(f"k{number} = 1\n" for number in range(1250)))
    assert len(messages) == SHOWN_MISTAKES + 1
    assert messages[-2:] == [
        f"k99 = '1': unknown section; {KNOWN}",
        "file: 1,152 more mistakes are not shown",
    ]


def test_mistakes_come_in_file_order() -> None:
    """Messages follow the order of the file; missing keys come at the end of their section."""
    assert mistakes_in(
        '[log]\nlevel = 1\n[site]\nzone = 1\ncolour = 1\n[poll]\nslow_every = 0\ninterval_s = "x"\n'
    ) == [
        "log.level = '1': debug, info, warning or error is expected",
        "site.zone = '1': a text in quotes is expected",
        "site.colour = '1': unknown key; known are name, zone, count_simulated",
        "site.name: this key is needed",
        "poll.slow_every = '0': 1 to 100000 is expected",
        "poll.interval_s = 'x': a number is expected",
        "ledger: this section is needed",
    ]


@pytest.mark.parametrize(
    ("zone", "suggestion"),
    [
        ("america/chicago", "; did you mean America/Chicago?"),
        ("../../etc/passwd", ""),
        ("/etc/localtime", ""),
        ("localtime", ""),
        ("America", "; did you mean America/Lima?"),
        ("", ""),
        ("a\\u0000", ""),
        ("Z" * 5000, ""),
    ],
)
def test_bad_zone(zone: str, suggestion: str) -> None:
    """A zone is a name in the time zone database; paths are refused."""
    (message,) = mistakes_in(LEAST.replace("[ledger]", f'zone = "{zone}"\n[ledger]'))
    assert message.startswith("site.zone")
    reason = message.partition("an IANA zone is expected, such as UTC or America/Chicago")[2]
    if suggestion.endswith("Lima?"):  # The nearest zone of the continent depends on the database.
        assert reason.startswith("; did you mean America/")
    else:
        assert reason == suggestion


def test_a_machine_without_zones_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a time zone database not even UTC is known; the message names the missing package."""
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    assert mistakes_in(LEAST) == [
        "site.zone = 'UTC (default)': this machine has no time zone database; install the package tzdata"
    ]


WEB_KEYS = "listen, hosts, max_connections, config_file, operators, alertmanager, external_url"


def test_secrets_are_not_shown() -> None:
    """No message shows a password, whether under a misplaced key or in a URL."""
    text = (
        f'password = "hunter2"\n{LEAST}[web]\napi_token = "hunter2"\nurl = "mqtt://user:hunter2@broker/"\n'
        '[mqtt]\nuser = "u"\npassword = "hunter2"\n'
    )
    assert mistakes_in(text) == [
        f"password = '***': unknown section; {KNOWN}",
        f"web.api_token = '***': unknown key; known are {WEB_KEYS}",
        f"web.url = 'mqtt://***@broker/': unknown key; known are {WEB_KEYS}",
        "mqtt: sections are expected, each with [[mqtt]] on a line of its own",
    ]


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("127.0.0.1:0", Endpoint("127.0.0.1", 0)),
        ("0.0.0.0:80", Endpoint("0.0.0.0", 80)),
        ("[::]:65535", Endpoint("::", 65535)),
        ("[FE80::1%eth0]:80", Endpoint("fe80::1%eth0", 80)),
    ],
)
def test_listen_addresses(listen: str, expected: Endpoint) -> None:
    """Any literal address is accepted, and port 0 means any free port."""
    assert parse_config(f'{LEAST}[web]\nlisten = "{listen}"\n', "site.toml", folder=Path()).web.listen == expected


def test_byte_order_mark_and_windows_line_ends_are_tolerated() -> None:
    """A byte order mark and CRLF line ends change nothing."""
    windows = "\ufeff" + LEAST.replace("\n", "\r\n")
    assert parse_config(windows, "site.toml", folder=Path()) == parse_config(LEAST, "site.toml", folder=Path())


def test_configuration_is_immutable() -> None:
    """A checked configuration cannot be changed."""
    config = parse_config(LEAST, "site.toml", folder=Path())
    with pytest.raises(ValueError, match="frozen"):
        config.poll.interval_s = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"# " + b"x" * (MAX_CONFIG_BYTES - 1), "file: longer than 1 MiB"),
        (b"[site]\nname = '\xff'\n", "line 2: byte 0xff is not UTF-8; save the file as UTF-8"),
    ],
)
def test_bad_file_content(tmp_path: Path, content: bytes, message: str) -> None:
    """Files that are too long or not UTF-8 are refused before parsing."""
    path = tmp_path / "site.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}: {message}"


def test_bad_files(tmp_path: Path) -> None:
    """An unreadable file is named with the reason; a pipe is refused without waiting."""
    os.mkfifo(tmp_path / "pipe")
    for name, message in {
        "missing.toml": "file: cannot be read: No such file or directory",
        ".": "file: a regular file is expected",
        "pipe": "file: a regular file is expected",
        "n" * 300: "file: cannot be read: File name too long",
    }.items():
        with pytest.raises(ConfigError) as caught:
            load_config(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {message}"


@PLAIN
@given(
    interval_s=st.floats(1, 3600),
    connect_timeout_s=st.floats(0.05, 60),
    slack_s=st.floats(0, 100),
    max_in_flight=st.integers(1, 65_536),
    zone=st.sampled_from(["UTC", "America/Chicago", "Asia/Almaty"]),
    file=st.text(st.characters(exclude_characters="\0"), min_size=1).filter(str.isprintable),
    networks=st.sets(st.sampled_from(DEFAULT_NETWORKS), min_size=1),
)
def test_rendered_configuration_reads_back(
    *,
    interval_s: float,
    connect_timeout_s: float,
    slack_s: float,
    max_in_flight: int,
    zone: str,
    file: str,
    networks: set[object],
) -> None:
    """The configuration that `check --show` prints reads back as the same configuration."""
    config = Config(
        site=SiteSection(name="north", zone=ZoneInfo(zone), count_simulated=True),
        ledger=LedgerSection(file=Path("/etc") / file, networks=tuple(networks)),  # type: ignore[arg-type]
        poll=PollSection(
            interval_s=interval_s,
            connect_timeout_s=connect_timeout_s,
            deadline_s=connect_timeout_s + slack_s + 0.05,
            max_in_flight=max_in_flight,
        ),
        web=WebSection(listen=Endpoint("fe80::1%eth0", 1)),
    )
    assert parse_config(render_config(config), "site.toml", folder=Path("/elsewhere")) == config


@PLAIN
@given(data=st.binary())
def test_any_bytes_are_a_configuration_or_a_config_error(data: bytes) -> None:
    """For arbitrary bytes `load_config` raises only ConfigError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.toml"
        path.write_bytes(data)
        with pytest.raises(ConfigError):
            load_config(path)


VALUES = st.recursive(
    st.one_of(
        st.integers().map(str),
        st.floats().map(str),
        st.sampled_from(["true", "2025-10-01", '"10.0.0.0/8"', '"[::1]:1"', '"UTC"', '""', "0x" + "f" * 300]),
        st.text(st.characters(min_codepoint=32, exclude_characters="'\x7f")).map("'{}'".format),
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
    max_leaves=5,
)
KEYS = sorted(
    {
        key
        for section in (SiteSection, LedgerSection, PollSection, WebSection, LogSection)
        for key in section.model_fields
    }
)


@PLAIN
@given(
    st.dictionaries(
        st.sampled_from(["site", "ledger", "poll", "web", "log", "mqtt"]),
        st.dictionaries(st.sampled_from([*KEYS, "colour"]), VALUES, max_size=6),
    )
)
def test_any_values_are_a_configuration_or_a_config_error(sections: dict[str, dict[str, str]]) -> None:
    """Any value under a known key gives a Config or a ConfigError that names the key."""
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for name, keys in sections.items()
    )
    mistakes: tuple[Mistake, ...] = ()
    try:
        parse_config(text, "site.toml", folder=Path())
    except ConfigError as error:
        mistakes = error.mistakes
    assert all(mistake.where and mistake.reason for mistake in mistakes)


def test_windows_of_the_schedule_in_every_spelling() -> None:
    """Times and dates may be strings or TOML values, and print so that they read back equal."""
    config = parse_config(
        f"{LEAST}[api]\ntoken_file = 'token'\n{WINDOW}dates = [2025-10-07, '2025-10-08']\ncontainer = 'C 1'\n",
        "site.toml",
        folder=Path("/etc"),
    )
    assert config.curtailment == (
        CurtailmentSection(
            name="peak",
            dates=(date(2025, 10, 7), date(2025, 10, 8)),
            start=time(16),
            end=time(19),
            target_percent=0.0,
            container="C 1",
        ),
    )
    assert 'token_file = "/etc/token"' in render_config(config)
    assert parse_config(render_config(config), "site.toml", folder=Path("/elsewhere")) == config


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://gateway.mine.example:9184", "https://gateway.mine.example:9184"),
        ("http://10.0.0.5:9184/hashsight/", "http://10.0.0.5:9184/hashsight"),
    ],
)
def test_the_address_of_the_pages_may_be_a_name(text: str, url: str) -> None:
    """It is only shown in links, so nothing looks the name up."""
    config = parse_config(f'{LEAST}[web]\nexternal_url = "{text}"\n', "site.toml", folder=Path())
    assert config.web.external_url == url


@pytest.mark.parametrize("text", ["gateway:9184", "ftp://gateway/", "https://user@gateway/", "https://gateway/?a=1"])
def test_other_addresses_of_pages_are_refused(text: str) -> None:
    """A link with a login or a query in it would be passed on."""
    (message,) = mistakes_in(f'{LEAST}[web]\nexternal_url = "{text}"\n')
    assert message.startswith("web.external_url = ")
    assert "the address of an agent is expected" in message
