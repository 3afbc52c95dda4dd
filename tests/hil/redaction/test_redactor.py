"""What is replaced by what, in tables: one line, its pseudonyms spelled out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.hil.redaction.kinds import Kind, Reason
from agent.hil.redaction.redactor import Redactor


def redact(text: str, *others: str, keep: tuple[str, ...] = (), learn: tuple[str, ...] = ()) -> str:
    """Return a reply of a capture in which others were surveyed with it."""
    redactor = Redactor(keep=keep)
    redactor.learn(learn)
    for one in (text, *others):
        redactor.survey("reply", one.encode())
    return redactor.redact("reply", text.encode()).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"sn":"SMTTYRHBDJAAI019D"}', '{"sn":"ZZZZZZZZZZZZZ000Z"}'),
        (
            '{"sn":[1234567890123, 98765, 12.34567],"n":12345678}',
            '{"sn":[1000000000000, 10000, 12.34567],"n":12345678}',
        ),
        ('{"a":7.2895e15,"b":[1e10,-2E5,1.25e-7]}', '{"a":7.2895e15,"b":[1e10,-2E5,1.25e-7]}'),
        ('{"chain_sn":["AB12",1234567]}', '{"chain_sn":["ZZ00",1000000]}'),
        ('{"a":[{"sn":"AB12"},{"sn":"CD34"},{"sn":"AB12"}]}', '{"a":[{"sn":"ZZ00"},{"sn":"ZZ01"},{"sn":"ZZ00"}]}'),
        ('{"macaddr":"A4:5C:11:9B:02:7F"}', '{"macaddr":"02:FA:CE:00:00:01"}'),
        ('{"mac":"a4-5c-11-9b-02-7f","id":"A45C119B027F"}', '{"mac":"02-fa-ce-00-00-01","id":"02FACE000001"}'),
        ('{"mac":"10:22:33:44:55:66","id":"102233445566"}', '{"mac":"02:fa:ce:00:00:01","id":"02face000001"}'),
        ('{"miner_id":"102233445566"}', '{"miner_id":"02face000001"}'),
        ('{"User":"acme.rig1","u":"acme.rig2"}', '{"User":"zzzz.zzz0","u":"zzzz.zzz1"}'),
        ('{"User":"acme.3c:a3:08:00:00:01"}', '{"User":"zzzz.02:fa:ce:00:00:01"}'),
        ('{"user":"jo@acme.org"}', '{"user":"zz@zzzz.org"}'),
        ('{"url":"stratum+tcp://eu.acme.net:3333"}', '{"url":"stratum+tcp://zz.zzzz.net:3333"}'),
        ('{"url":"stratum+tcp://jo:pw1@eu.acme.net/x"}', '{"url":"stratum+tcp://zz:zz0@zg.zzzz.net/x"}'),
        ('{"url":"stratum+tcp://ss.antpool.com:3333"}', '{"url":"stratum+tcp://ss.antpool.com:3333"}'),
        ('{"url":"stratum+tcp://acme.antpool.com:25"}', '{"url":"stratum+tcp://zzzz.antpool.com:25"}'),
        ('{"ip":"8.34.117.20","dns":"10.0.0.1"}', '{"ip":"192.0.2.100","dns":"10.0.0.1"}'),
        ('{"ip":"5.6.7.8"}', '{"ip":"0.0.0.1"}'),
        ('{"ip":"2a01:4f8::15"}', '{"ip":"2001:db8::01"}'),
        ('{"ip":"fe80::1","b":"fe80::a65c:11ff:fe9b:27f"}', '{"ip":"fe80::1","b":"2001:db8::0000:0000:0001"}'),
        ('{"ssid":"Bob\'s Net 2"}', '{"ssid":"Zzzzz Zzz 1"}'),
        ('{"ssid":"矿场"}', '{"ssid":"zzzzzz"}'),
        ('{"x":"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}', '{"x":"bc1qz000z0zzzzzzz0z0z0zzzzzzz0z0zz0zz0z0z0"}'),
        ('{"account":1234567,"n":1234567,"m":1234568}', '{"account":1000000,"n":1000000,"m":1234568}'),
        ('{"User":"1234567","n":1234567,"m":12345.67}', '{"User":"1000000","n":1000000,"m":12345.67}'),
        ('{"A4:5C:11:9B:02:7F":1,"acmeone":2}', '{"02:FA:CE:00:00:01":1,"zzzzzzz":2}'),
        ("{'sn': 'AB12', 'Type': 'Antminer S19'}", "{'sn': 'ZZ00', 'Type': 'Antminer S19'}"),
        (r'{"user":"\u0041cme","x":"Acme"}', r'{"user":"\u005azzz","x":"Zzzz"}'),
        (r'{"x":"http:\/\/acme.org\/acme"}', r'{"x":"http:\/\/zzzz.org\/zzzz"}'),
        ("STATUS=S,Msg=1 Pool(s)|POOL=0,URL=a.b.c,User=Normal", "STATUS=S,Msg=1 Pool(s)|POOL=0,URL=a.b.c,User=Zzzzzz"),
        ('WWW-Authenticate: Digest realm="antMiner Configuration", nonce="6aa6"', None),
        ("Date: Sat, 12 Sep 2026 11:50:45 GMT\r\nServer: lighttpd/1.4.32\r\n\r\n1f\r\n", None),
    ],
)
def test_pseudonyms(before: str, after: str | None) -> None:
    """Form and length stay; equal secrets get equal pseudonyms; the same again changes nothing."""
    after = after or before.replace("6aa6", "0zz0")
    assert redact(before) == after
    assert redact(after) == after


@pytest.mark.parametrize(
    "text",
    [
        '{"STATUS":[{"STATUS":"S","When":1,"Code":7,"Msg":"5 Pool(s)","Description":"cgminer 1.0.0"}],"id":1}',
        '{"Msg":"Access denied to \'config\' command"}',
        '{"Type":"Antminer S21 Pro (Vnish 1.2.7)","Miner":"49.0.1.3","CompileTime":"Tue Dec  6 16:12:30 CST 2022"}',
        '{"chain_acs1":" oooo oxxo oo--","temp_chip1":"65-55-65-65","temp_pcb1":"50-40-50-50-41-42"}',
        '{"LUXminer":"2025.4.8.220305-57b389c7","BOSer":"boser-openwrt 0.1.0-fc9fe388","x":"25052801_14a19a2"}',
        '{"Board":"BHB42601","PSULabel":"APW121215a","ID":"BTM_SOC0","asic":"BM1368"}',
        '{"ip":"192.168.1.5","m":"255.255.255.0","l":"127.0.0.1","g":"224.0.0.1","c":"100.64.0.9","z":"0.0.0.0"}',
        '{"watts":"3452.00W","f":"290MHz","d":"1.05M","t":"2026-03-22T05:43:43.268950Z","e":1.2e+16}',
        '{"user":"antminer_1","serial":"N/A","miner_id":"0000","hostname":"Antminer","login":"root"}',
        '{"watt":1,"rate_sale":2,"hsLast10m":3,"chip_temp_max":4,"Pool Stale%%":5,"new_hwp":6}',
        '{"lsdiff":65536,"lstime":"0:00:05","series":[{"xAxis":["1m","2m"]}],"Chips Per Bank":10}',
    ],
)
def test_harmless_texts_stay(text: str) -> None:
    """Templates, models, versions, builds, dates, units, chip maps, private addresses and factory settings stay."""
    assert redact(text) == text


@pytest.mark.parametrize(
    ("worker", "text", "after"),
    [
        ("Normal", "Power Mode Normal, normal, Normally", "Power Mode Zzzzzz, normal, Zzzzzzzz"),
        ("S", '"STATUS":"S"', '"STATUS":"S"'),
        ("12", '"fan":"12"', '"fan":"12"'),
        ("acme", '"x":"no acme; acme.c3 and acmes"', '"x":"no zzzz; zzzz.z0 and zzzzz"'),
        ("mode", '"miner-mode":"mode"', '"miner-mode":"zzzz"'),
    ],
)
def test_what_a_key_marks_is_found_elsewhere(worker: str, text: str, after: str) -> None:
    """A worker is replaced in other texts even if it is a word; one letter and short numbers are not looked for."""
    assert redact(text, f'{{"user":"{worker}"}}') == after


def test_secrets_from_elsewhere_are_found() -> None:
    """The login of the command line and the private address that names the unit are secret when somebody says so."""
    text = '{"x":"login of jonas at 10.0.0.12 as root"}'
    assert redact(text, learn=("jonas", "10.0.0.12", "root")) == '{"x":"login of zzzzz at 192.0.2.1 as root"}'


@pytest.mark.parametrize(
    ("keep", "after"),
    [
        ((), '{"STATS":[{"state":"zzzz","zzzzzz":"zzzz"}]}'),
        (("STATS.*.state",), '{"STATS":[{"state":"acme","zzzzzz":"zzzz"}]}'),
        (("STATS.0.s*",), '{"STATS":[{"state":"acme","zzzzzz":"zzzz"}]}'),
        (("**.qzname:",), '{"STATS":[{"state":"zzzz","qzname":"zzzz"}]}'),
        (("**",), '{"STATS":[{"state":"acme","qzname":"acme"}]}'),
    ],
)
def test_paths_that_stay(keep: tuple[str, ...], after: str) -> None:
    """A path keeps its text and its name; with a colon only its name."""
    assert redact('{"STATS":[{"state":"acme","qzname":"acme"}]}', keep=keep) == after


def test_what_was_done_is_told_without_secrets() -> None:
    """Each place has its kind, path, pseudonym and count; secrets only come when they are asked for."""
    redactor = Redactor()
    reply = b'{"STATS":[{"sn":"AB12"},{"sn":"AB12"}],"Type":"Antminer S21","n":1}'
    redactor.survey("stats", reply)
    redactor.redact("stats", reply)
    (one,) = redactor.replaced
    assert (one.name, one.path, one.kind, one.pseudonym, one.times) == ("stats", "STATS.*.sn", Kind.SERIAL, "ZZ00", 2)
    assert [(kept.text, kept.reason, kept.times) for kept in redactor.kept] == [
        ("Antminer S21", Reason.MODEL, 1),
        ("", Reason.NUMBER, 1),
    ]
    assert "AB12" not in repr((redactor.replaced, redactor.kept))
    assert redactor.originals == {"ZZ00": "AB12"}


def test_a_secret_name_of_a_field_is_not_told() -> None:
    """The path of a replaced key shows its pseudonym."""
    redactor = Redactor()
    redactor.redact("stats", b'{"A4:5C:11:9B:02:7F":{"sn":"AB12"}}')
    assert "A4:5C" not in repr(redactor.replaced)


def test_distinct_secrets_stay_distinct_while_their_form_has_room() -> None:
    """A thousand workers of three digits, and ten boards of one, get as many pseudonyms."""
    workers = [f"acme.w{number:03d}" for number in range(1000)]
    reply = "[" + ",".join(f'{{"user":"{worker}"}}' for worker in workers) + "]"
    assert len(set(redact(reply).split(","))) == 1000


def test_a_pseudonym_that_stands_in_the_reply_does_not_shift_numbers() -> None:
    """A harmless number may be the pseudonym of an account that comes later."""
    text = '{"n":1000001,"account":7654321,"o":1000000,"user":"1234567"}'
    after = redact(text)
    assert after == '{"n":1000001,"account":1000000,"o":1000000,"user":"1000001"}'
    assert redact(after) == after


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_of_json_stays_a_number(figure: float) -> None:
    """In whatever notation a firmware prints it, outside of quotes; letters for its exponent would break the JSON."""
    for number in (repr(figure), f"{figure:e}", f"{figure:e}".replace("+", ""), f"{figure:G}".replace("+0", "")):
        reply = f'{{"a":{number},"b":[{number}, {number}]}}'
        assert redact(reply) == reply
