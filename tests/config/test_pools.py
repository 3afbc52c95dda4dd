"""The section of pools: off by default, and each mistake named with its place."""

from pathlib import Path

import pytest

from agent.config.file import parse_config, render_config
from agent.config.pool_patterns import UrlPattern, parse_url_pattern
from agent.config.pool_width import wide_patterns
from agent.config.pools import PoolsSection
from agent.errors import ConfigError

LEAST = "[site]\nname = 'north'\n[ledger]\nfile = 'ledger.csv'\n"
ENTRY = "[[pools.allowed]]\nname = 'own'\nurls = ['stratum+tcp://*.pool.example:3333']\naccounts = ['site']\n"
A_POOL = (
    "a pool's address such as stratum+tcp://*.pool.example:3333 is expected; * stands for any part of the host,"
    " and scheme and port may be left out"
)
AN_ACCOUNT = "an account is expected, without the worker after the first dot; workers have a key of theirs"


def mistakes_in(text: str) -> list[str]:
    """Return the messages for a bad configuration, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        parse_config(LEAST + text, "site.toml", folder=Path())
    return [str(mistake).removeprefix("site.toml: ") for mistake in caught.value.mistakes]


def test_pools_are_not_judged_by_default() -> None:
    """Without an entry there is no list, and units are not asked more often."""
    config = parse_config(LEAST, "site.toml", folder=Path())
    assert config.pools == PoolsSection()
    assert (config.pools.is_on, config.pools_every) == (False, None)


@pytest.mark.parametrize(("interval_s", "polls"), [(1, 50), (10, 5), (15, 3), (30, 1), (60, 1)])
def test_pools_are_asked_for_within_fifty_seconds(interval_s: int, polls: int) -> None:
    """Or at every poll, where polls are further apart."""
    config = parse_config(f"{LEAST}{ENTRY}[poll]\ninterval_s = {interval_s}\n", "site.toml", folder=Path())
    assert config.pools_every == polls


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[pools]\nfee_window_s = 100\n",
            ["pools: at least one [[pools.allowed]] is expected; without the section nothing is judged"],
        ),
        ("[[pools.allowd]]\n", ["pools.allowd: unknown key; did you mean allowed?"]),
        (
            "[pools.allowed]\nname = 'own'\n",
            ["pools.allowed: sections are expected, each with [[pools.allowed]] on a line of its own"],
        ),
        (
            "[[pools.allowed]]\nname = 'own'\nurl = ['a']\naccounts = []\n",
            [
                "pools.allowed[0].url: unknown key; did you mean urls?",
                'pools.allowed[0].accounts: at least one is expected; ["*"] is any',
                "pools.allowed[0].urls: this key is needed",
            ],
        ),
        (
            f"{ENTRY}[[pools.allowed]]\nname = 'b'\nurls = ['http://x/y', 'a:0']\naccounts = ['site.rig1']\n",
            [
                f"pools.allowed[1].urls[0] = 'http://x/y': {A_POOL}",
                "pools.allowed[1].urls[1] = 'a:0': a port is a whole number from 1 to 65535",
                f"pools.allowed[1].accounts[0] = 'site.rig1': {AN_ACCOUNT}",
            ],
        ),
        (ENTRY + ENTRY, ["pools: two entries are named own"]),
        (f"[pools]\nfee_window_s = 5\n{ENTRY}", ["pools.fee_window_s = '5': 60 to 7200 is expected"]),
        (
            ENTRY + "workers = []\n",
            ["pools.allowed[0].workers: at least one is expected; leave the key out for any worker"],
        ),
        (
            "".join(ENTRY.replace("own", f"own-{number}") for number in range(65)),
            ["pools.allowed: at most 64 entries are expected: each is a series"],
        ),
    ],
)
def test_mistakes_name_the_entry_and_the_reason(text: str, expected: list[str]) -> None:
    """File, key, value and what is expected, for entries within a section too."""
    assert mistakes_in(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Stratum+TCP://*.Pool.example:3333", UrlPattern("stratum+tcp", "*.pool.example", 3333)),
        ("pool.example", UrlPattern(None, "pool.example", None)),
        ("*", UrlPattern(None, "*", None)),
        ("[2001:db8::1]:3333", UrlPattern(None, "2001:db8::1", 3333)),
    ],
)
def test_a_pattern_leaves_out_what_does_not_matter(text: str, expected: UrlPattern) -> None:
    """Scheme and port may be left out; case does not count."""
    assert parse_url_pattern(text) == expected


def test_the_effective_configuration_reads_back_as_it_is() -> None:
    """Printed entries are sections of their own, as in the file."""
    text = f"{ENTRY}owner = 'North'\n[[pools.fees]]\nname = 'fee'\nurls = ['fee.example']\naccounts = ['*']\n"
    config = parse_config(LEAST + text, "site.toml", folder=Path())
    shown = render_config(config)
    assert '[[pools.allowed]]\nname = "own"\nurls = ["stratum+tcp://*.pool.example:3333"]\n' in shown
    assert parse_config(shown, "site.toml", folder=Path()).pools == config.pools


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("stratum.pool.example", None),
        ("*.pool.example", None),
        ("*-eu.pool.example:3333", None),
        ("*", "the * at the end also stands for domains of others"),
        ("pool.*", "the * at the end also stands for domains of others"),
        ("*.example", "matches every host under .example"),
        (
            "*pool.example",
            "also matches a stranger's host such as evilpool.example; *.pool.example is the names below it",
        ),
    ],
)
def test_patterns_that_strangers_fit_are_remarked_on(host: str, expected: str | None) -> None:
    """They are allowed, since a site may mean them, and said aloud by `check`."""
    entry = f"[[pools.allowed]]\nname = 'own'\nurls = ['{host}']\naccounts = ['site', 'a*']\n"
    config = parse_config(LEAST + entry, "site.toml", folder=Path())
    remarks = [] if expected is None else [f"pools.allowed own: urls {host}: {expected}"]
    assert list(wide_patterns(config.pools)) == remarks


def test_any_account_is_remarked_on() -> None:
    """At a public pool it lists every stranger's account; at a fee's address that is how a fee is written."""
    fee = "[[pools.fees]]\nname = 'fee'\nurls = ['fee.firmware.example']\naccounts = ['*']\n"
    config = parse_config(LEAST + ENTRY.replace("'site'", "'**'") + fee, "site.toml", folder=Path())
    assert list(wide_patterns(config.pools)) == [
        'pools.allowed own: accounts "*": work for any account there counts as the site\'s'
    ]
