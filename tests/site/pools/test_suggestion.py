"""The proposed allow-list: counted, without workers, and accepted by the configuration."""

import tomllib
from pathlib import Path

import pytest
from pool_cases import BACKUP, OWN, STRANGE, pool

from agent.config.file import parse_config
from agent.site.pools.suggestion import Use, Uses, suggestion, uses_of
from agent.unit.reading import PoolReading

LEAST = "[site]\nname = 'north'\n[ledger]\nfile = 'ledger.csv'\n"
Units = list[tuple[tuple[PoolReading, ...], str]]


def site(*, strangers: int, owners: tuple[str, ...] = ("",)) -> Units:
    """Return 300 units with the owner's two pools, the first of which work for a stranger."""
    units: Units = []
    for number in range(300):
        worker = f"site.secret{number}"
        own = (pool(0, OWN, worker), pool(1, BACKUP, worker))
        strange = (pool(0, STRANGE, f"stranger.secret{number}"), pool(1, BACKUP, worker))
        units.append((strange if number < strangers else own, owners[number % len(owners)]))
    return units


def test_uses_are_counted_by_destination_and_account() -> None:
    """Backups count as configured, the pool in use as active; workers are left out."""
    found = uses_of([*site(strangers=2), ((), "")])
    assert found == Uses(
        uses=(
            Use("stratum+tcp://backup.pool.example:443", "site", None, 300, 0, is_fee=False),
            Use("stratum+tcp://stratum.pool.example:3333", "site", None, 298, 298, is_fee=False),
            Use("stratum+tcp://pool.stranger.example:3333", "stranger", None, 2, 2, is_fee=False),
        ),
        units=301,
        silent=1,
        hidden_fees=0,
        owned={},
    )


def test_the_proposal_is_a_section_that_the_configuration_accepts() -> None:
    """What many units use is listed; what few use is a comment that says so."""
    text = "\n".join(suggestion(uses_of(site(strangers=2))))
    assert "secret" not in text
    config = parse_config(LEAST + text, "site.toml", folder=Path())
    assert [(each.accounts, tuple(map(str, each.urls))) for each in config.pools.allowed] == [
        (("site",), ("stratum+tcp://backup.pool.example:443", "stratum+tcp://stratum.pool.example:3333"))
    ]
    assert "# Few units use this one." in text
    assert '# accounts = ["stranger"]' in text
    uncommented = "\n".join(line.removeprefix("# ") if line.startswith("# [[") else line for line in text.split("\n"))
    assert uncommented.count("[[pools.allowed]]") == 2


def test_owners_of_a_ledger_get_entries_of_their_own() -> None:
    """An account that one owner's units alone use is that owner's; one that several use is everybody's."""
    units = [
        *[((pool(0, OWN, "north.1"),), "North")] * 50,
        *[((pool(0, OWN, "south.1"),), "South")] * 50,
        *[((pool(0, OWN, "shared.1"),), owner) for owner in ("North", "South")] * 25,
    ]
    raw = tomllib.loads("\n".join(suggestion(uses_of(units))))
    assert [(each["accounts"], each.get("owner")) for each in raw["pools"]["allowed"]] == [
        (["north"], "North"),
        (["shared"], None),
        (["south"], "South"),
    ]
    names = [each["name"] for each in raw["pools"]["allowed"]]
    assert len(set(names)) == 3


def test_pools_of_the_firmware_are_proposed_apart() -> None:
    """One that hides its address needs no entry; one with an address is a comment."""
    hidden = pool(2, "DevFee", "DevFee", is_fee=True, is_active=True)
    shown = pool(2, "fee.example:3333", "devfee.7", is_fee=True, is_active=True)
    text = "\n".join(suggestion(uses_of([((pool(), hidden), ""), ((pool(), shown), "")])))
    assert "# Have a pool of their firmware's own that shows no address: 1 unit." in text
    assert '# urls = [\n#     "stratum+tcp://fee.example:3333",' in text
    assert "# [[pools.fees]]" in text


def test_accounts_are_written_as_toml_whatever_is_in_them() -> None:
    """Quotes and signs in a pool's user make no other section."""
    user = 'a"]\n[site]\nname = "x'
    raw = tomllib.loads("\n".join(suggestion(uses_of([((pool(0, OWN, user),), "")]))))
    assert raw["pools"]["allowed"][0]["accounts"] == [user]
    assert "site" not in raw


def test_an_account_that_is_a_pattern_is_proposed_as_a_comment() -> None:
    """A `*` in the users of most units, or no user, would allow the accounts of all others."""
    units: Units = [((pool(0, OWN, user),), "") for user in ("s*.1", None) for _ in range(50)]
    lines = list(suggestion(uses_of(units)))
    assert tomllib.loads("\n".join(lines)) == {}
    assert [line for line in lines if "accounts" in line] == ['# accounts = ["*"]', '# accounts = ["s*"]']
    assert sum("It would allow any account there" in line for line in lines) == 2


def test_one_more_destination_of_the_site_s_account_is_a_comment_if_few_use_it() -> None:
    """A proxy that takes work away is shown the site's own account: only its address gives it away."""
    through_proxy = ((pool(0, STRANGE, "site.1"),), "")
    units: Units = [*[((pool(0, OWN, "site.1"), pool(1, BACKUP, "site.1")), "")] * 100, through_proxy]
    lines = list(suggestion(uses_of(units)))
    (allowed,) = tomllib.loads("\n".join(lines))["pools"]["allowed"]
    assert allowed["urls"] == ["stratum+tcp://stratum.pool.example:3333", "stratum+tcp://backup.pool.example:443"]
    (few,) = [line for line in lines if "stranger" in line]
    assert few == f'    # "stratum+tcp://{STRANGE}",  # of 1 unit; 1 work there now. Is it yours?'
    uncommented = "\n".join(line.replace("    # ", "    ") for line in lines)
    assert len(tomllib.loads(uncommented)["pools"]["allowed"][0]["urls"]) == 3


@pytest.mark.parametrize("account", ["caf\u00e9", "a\U0001f600", "a\x7fb", "a\\b", '"""'])
def test_an_account_of_any_characters_is_the_same_text_in_toml(account: str) -> None:
    """Characters beyond ASCII are written as TOML escapes them, which is not as JSON does."""
    text = "\n".join(suggestion(uses_of([((pool(0, OWN, account),), "")])))
    assert text.isascii()
    assert tomllib.loads(text)["pools"]["allowed"][0]["accounts"] == [account]
