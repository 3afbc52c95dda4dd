"""The sections of pools' accounts: which keys go together, and what is refused with which words."""

from pathlib import Path

import pytest

from agent.config.file import parse_config, render_config
from agent.errors import ConfigError
from agent.pool_accounts.accounts import check_pool_accounts

LEAST = '[site]\nname = "a"\n[ledger]\nfile = "ledger.csv"\n'
FOUNDRY = 'name = "main"\nkind = "foundry"\naccount = "acct"\nkey_file = "pool.key"\n'
HTTP = 'name = "own"\nkind = "http"\nurl = "https://pool.example"\npath = "/v1/{account}"\naccount = "acct"\n'


def refused(text: str) -> str:
    """Return the only mistake of an account's section."""
    with pytest.raises(ConfigError) as caught:
        parse_config(f"{LEAST}[[pool_account]]\n{text}", "site.toml", folder=Path())
    (mistake,) = caught.value.mistakes
    return str(mistake)


def test_a_whole_section_is_read_and_printed_again() -> None:
    """Every key of kind http; what is printed is read as the same."""
    text = (
        f'{HTTP}method = "POST"\nquery = ["coin=BTC"]\nheaders = ["X-API-KEY: {{key}}"]\nkey_file = "k"\n'
        'form = ["user={account}"]\nhour_pointer = "/h"\nday_pointer = "/d"\nat_pointer = "/t"\ndone_pointer = "/c"\n'
        "scale = 1e9\nevery_s = 600\ntimeout_s = 5\n"
    )
    config = parse_config(f"{LEAST}[[pool_account]]\n{text}", "site.toml", folder=Path("/etc"))
    assert parse_config(render_config(config), "site.toml", folder=Path("/etc")) == config


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (FOUNDRY.replace('key_file = "pool.key"\n', ""), "key_file is expected: foundry answers only to a key"),
        (FOUNDRY.replace('account = "acct"\n', ""), "account is expected: foundry is asked by account"),
        (FOUNDRY.replace("foundry", "f2pool"), "key_file: F2Pool's token is not read-only, so it is refused"),
        (FOUNDRY.replace("foundry", "ocean"), "key_file: OCEAN takes no key"),
        (FOUNDRY.replace('"foundry"', '"slush"'), "pool_account[0].kind"),
        (f'{FOUNDRY}url = "http://10.0.0.9"\n', "url: a key over http can be read on the way; https is expected"),
        (f'{FOUNDRY}path = "/x"\n', "path is of kind http alone; what foundry answers is known"),
        (f"{FOUNDRY}scale = 1e9\n", "scale is of kind http alone"),
        (f"{FOUNDRY}every_s = 5\n", "60 to 3600 is expected"),
        (FOUNDRY.replace('"acct"', '"a b"'), "1 to 128 printable ASCII characters without spaces are expected"),
        (HTTP, "kind http needs hour_pointer or day_pointer"),
        (HTTP.replace('path = "/v1/{account}"\n', 'day_pointer = ""\n'), "kind http needs url and path"),
        (f'{HTTP}day_pointer = ""\nform = ["a=b"]\n', 'form and body need method = "POST"'),
        (f'{HTTP}day_pointer = ""\nquery = ["k={{key}}"]\n', "a key in an address ends up in servers' logs"),
        (f'{HTTP}day_pointer = ""\nheaders = ["X-Key {{key}}"]\n', 'a list of texts such as "X-API-KEY: {key}"'),
        (f'{HTTP}day_pointer = "d"\n', "a JSON pointer is expected"),
        (f'{HTTP}day_pointer = ""\nmethod = "POST"\nbody = "user"\n', "JSON in quotes is expected"),
    ],
)
def test_what_does_not_go_together_is_refused(text: str, reason: str) -> None:
    """With the reason, before anything is sent."""
    assert reason in refused(text)


def test_an_account_is_in_no_mistake() -> None:
    """Mistakes of a reload go to the log."""
    words = refused(FOUNDRY.replace('"acct"', '"canary acct"'))
    assert words.startswith("site.toml: pool_account[0].account = '***': 1 to 128 printable")
    assert "canary" not in refused(f'{HTTP}day_pointer = ""\nmethod = "POST"\nbody = "canary"\n')


def test_accounts_have_names_of_their_own() -> None:
    """Two of one name, and several without the account that tells their units apart, are refused."""
    assert "two pool accounts are named main" in refused(f"{FOUNDRY}[[pool_account]]\n{FOUNDRY}")
    keyed = 'kind = "braiins"\nkey_file = "k"\n'
    text = f'name = "a"\n{keyed}[[pool_account]]\nname = "b"\n{keyed}'
    assert "account is expected of each of several" in refused(text)


def test_key_and_certificate_files_are_checked(tmp_path: Path) -> None:
    """A key file that others may read, or that has no key, and a file without a certificate; never their content."""
    (tmp_path / "pool.key").write_text("canary\n", encoding="utf-8")
    (tmp_path / "pool.key").chmod(0o640)
    (tmp_path / "ca.pem").write_text("none", encoding="utf-8")
    config = parse_config(f'{LEAST}[[pool_account]]\n{FOUNDRY}ca_file = "ca.pem"\n', "site.toml", folder=tmp_path)
    mistakes = [str(mistake) for mistake in check_pool_accounts(config.pool_account, "site.toml")]
    assert len(mistakes) == 2
    assert "pool_account[0].key_file: others may read or change this secret (mode 0640); chmod 600 it" in mistakes[0]
    assert "pool_account[0].ca_file" in mistakes[1]
    assert "contains no certificate" in mistakes[1]
    assert "canary" not in str(mistakes)
    (tmp_path / "pool.key").chmod(0o600)
    assert len(list(check_pool_accounts(config.pool_account, "site.toml"))) == 1
