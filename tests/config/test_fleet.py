"""The file of a fleet server: its example, and one clear error for each mistake."""

from pathlib import Path
from typing import get_args, get_origin

import pytest
from paths import ROOT

from agent.config.file import parse_sections
from agent.config.fleet import MAX_SITES, FleetConfig, FleetSection, load_fleet
from agent.errors import ConfigError
from agent.fleet.setup import load_fleet_setup

EXAMPLE = ROOT / "deploy" / "fleet.example.toml"
SITE = '[[site]]\nname = "a"\nurl = "http://a:9184"\n'
TOO_SOON = (
    "at least fleet.interval_s + fleet.deadline_s (65) is expected: else a slow site is late between two good answers"
)
ADDRESS = "the address of an agent is expected, such as https://site1.example:9184, without user, query and fragment"


def test_the_example_shows_the_defaults_and_every_key() -> None:
    """What is commented out there is the default."""
    text = EXAMPLE.read_text(encoding="utf-8")
    config = load_fleet(EXAMPLE)
    assert [site.name for site in config.site] == ["example-1", "example-2", "example-3a"]
    assert config.fleet.model_copy(update={"zone": FleetSection().zone}) == FleetSection()
    for field in FleetConfig.model_fields.values():
        section = get_args(field.annotation)[0] if get_origin(field.annotation) is tuple else field.annotation
        for key in section.model_fields:
            assert f"\n{key} = " in text or f"\n# {key} = " in text
    shown = {
        key: value
        for line in text.splitlines()
        if line.startswith("# ") and " = " in line
        for key, _, value in [line[2:].partition(" = ")]
    }
    for key in ("listen", "max_connections", "interval_s", "deadline_s", "stale_after_s", "backoff_max_s"):
        assert shown[key].strip('"') == f"{getattr(FleetSection(), key)}".removesuffix(".0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["site: this section is needed"]),
        ("site = []", [f"site: 1 to {MAX_SITES} sites are expected, each with [[site]] on a line of its own"]),
        (SITE + '[flet]\nname = "x"', ["flet = '': unknown section; did you mean fleet?".replace(" = ''", "")]),
        (
            "[[site]]\nnam = 'a'\nurl = 'http://a'",
            ["site[0].nam = 'a': unknown key; did you mean name?", "site[0].name: this key is needed"],
        ),
        (SITE + SITE.replace("a:", "b:"), ["site: two sites are named a: it would be counted twice"]),
        (SITE + SITE.replace('"a"', '"b"'), ["site: two sites have the url http://a:9184: it would be counted twice"]),
        (
            SITE + "[[site]]\nname = 'b'\nurl = 'http://b'\nstandby_url = 'http://A:9184/'",
            ["site: two sites have the url http://a:9184: it would be counted twice"],
        ),
        (
            SITE + "[[site]]\nname = 'b'\nreports_as = 'a'\nurl = 'http://b'",
            ["site: two sites report as a: it would be counted twice"],
        ),
        (
            SITE + "standby_url = 'http://a:9184/'",
            ["site[0]: standby_url is url itself; name the other agent's address"],
        ),
        (SITE + "user = 'u'", ["site[0]: user and password_file are needed together"]),
        (SITE + "password_file = 'p'", ["site[0]: user and password_file are needed together"]),
        (
            SITE + "user = 'u'\npassword_file = 'p'\ntoken_file = 't'",
            ["site[0]: user or token_file is expected, not both"],
        ),
        (SITE + "ca_file = 'ca.pem'", ["site[0]: ca_file with an http address would not be used"]),
        (
            SITE + "[fleet]\ninterval_s = 60\nstale_after_s = 60",
            [
                f"fleet.stale_after_s = '60': {TOO_SOON}",
            ],
        ),
        (SITE + "[fleet]\ninterval_s = 0", ["fleet.interval_s = '0': 1 to 3600 is expected"]),
        (
            SITE + "[fleet]\nlisten = '9185'",
            ["fleet.listen = '9185': an IPv4 address is four numbers from 0 to 255 without leading zeros"],
        ),
    ],
)
def test_each_mistake_is_told_with_key_value_and_reason(text: str, expected: list[str]) -> None:
    """Two sites of one name or one address are refused, whatever the spelling."""
    with pytest.raises(ConfigError) as raised:
        parse_sections(FleetConfig, text, "fleet.toml", folder=Path())
    assert [str(mistake) for mistake in raised.value.mistakes] == [f"fleet.toml: {each}" for each in expected]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://agent", "http://agent"),
        ("https://Agent.Example:443/", "https://agent.example"),
        ("http://agent:443/x/y/", "http://agent:443/x/y"),
        ("http://10.0.0.5:9184", "http://10.0.0.5:9184"),
        ("https://[fd00::5]:9184", "https://[fd00::5]:9184"),
        ("https://[FD00:0:0::5]", "https://[fd00::5]"),
    ],
)
def test_an_address_has_one_spelling(url: str, expected: str) -> None:
    """So that one agent is not counted under two."""
    config = parse_sections(FleetConfig, f'[[site]]\nname = "a"\nurl = "{url}"', "fleet.toml", folder=Path())
    assert config.site[0].url == expected


@pytest.mark.parametrize(
    "url",
    [
        "agent:9184",
        "ftp://agent",
        "http://",
        "http://u:p@agent",
        "http://agent?x=1",
        "http://agent#x",
        "http://agent/../x",
        "http://agent/x//y",
        "http://agent:99999999",
        "http://[::1",
        "http://a b",
        "http://agent\\n",
        "//agent",
    ],
)
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    """Users, queries, fragments and steps upwards have no place in it; a password in it is not repeated."""
    with pytest.raises(ConfigError) as raised:
        parse_sections(FleetConfig, f"[[site]]\nname = 'a'\nurl = '{url}'", "fleet.toml", folder=Path())
    assert raised.value.mistakes[0].reason == ADDRESS
    assert ":p@" not in str(raised.value)


@pytest.mark.parametrize(
    ("mode", "text", "reason"),
    [
        (0o644, "s3cret" * 3, "others may read or change this secret (mode 0644); chmod 600 it"),
        (
            0o600,
            "short",
            "expected one line of 16 to 512 of A-Z a-z 0-9 . _ ~ + / -, such as from `openssl rand -hex 32`",
        ),
        (None, "", "cannot be read: No such file or directory"),
    ],
)
def test_a_secret_must_be_kept_from_others(tmp_path: Path, mode: int | None, text: str, reason: str) -> None:
    """The message names file and key, and never the secret."""
    path = tmp_path / "fleet.toml"
    path.write_text(SITE + "token_file = 'token'", encoding="ascii")
    token = tmp_path / "token"
    if mode is not None:
        token.write_text(text, encoding="ascii")
        token.chmod(mode)
    with pytest.raises(ConfigError) as raised:
        load_fleet_setup(path)
    (mistake,) = raised.value.mistakes
    assert (mistake.file, mistake.reason) == (str(token), reason)
    assert not text or text not in str(raised.value)


def test_every_sites_files_are_read_before_anything_is_refused(tmp_path: Path) -> None:
    """All mistakes at once."""
    path = tmp_path / "fleet.toml"
    (tmp_path / "ca.pem").write_text("no certificate", encoding="ascii")
    path.write_text(
        "[[site]]\nname = 'a'\nurl = 'https://a'\nca_file = 'ca.pem'\n"
        "[[site]]\nname = 'b'\nurl = 'https://b'\nca_file = 'none.pem'\n",
        encoding="ascii",
    )
    with pytest.raises(ConfigError) as raised:
        load_fleet_setup(path)
    assert [(each.where, each.reason) for each in raised.value.mistakes] == [
        ("site[0].ca_file", "contains no certificate"),
        ("site[1].ca_file", "cannot be read: No such file or directory"),
    ]
