"""Places of units: rules for addresses, worker names and MAC addresses, and what is wrong with a bad one."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.hil.places.expressions import read_template
from agent.hil.places.mac_table import read_places
from agent.hil.places.placing import place_rows
from agent.hil.places.rules import Subject, place_of, read_rules
from agent.hil.scan.proposal import Proposed
from agent.site.ledger.entries import Place

MAC = "02:1a:2b:00:00:01"


def no_file(name: str) -> Mapping[str, Place]:
    """Fail: these rules name no file."""
    raise AssertionError(name)


def place(rule: str, host: str = "10.20.3.45", *workers: str) -> Place | None:
    """Return the place of a unit by one rule."""
    return place_of(Subject(host, MAC, workers), read_rules([rule], read_places=no_file, command="scan"))


def mistakes(*rules: str) -> list[str]:
    """Return what is wrong with rules."""
    with pytest.raises(ConfigError) as caught:
        read_rules(rules, read_places=no_file, command="scan")
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("rule", "host", "expected"),
    [
        ("10.20.{container}.{slot}", "10.20.3.45", Place(container="3", slot="45")),
        ("10.20.{container}.{slot}", "10.21.3.45", None),
        ("10.{container}.{rack}.{slot}", "10.20.3.45", Place(container="20", rack="3", slot="45")),
        ("10.20.{container}.{slot:03}", "10.20.3.45", Place(container="3", slot="045")),
        ("10.20.{container-1}.{slot - 10}", "10.20.3.45", Place(container="2", slot="35")),
        # Below zero is no slot.
        ("10.20.{container}.{slot-100}", "10.20.3.45", None),
        ("10.20.*.{slot}", "10.20.3.45", Place(slot="45")),
        ("*.*.{rack}.*", "10.20.3.45", Place(rack="3")),
        (
            "10.20.{c}.{n} -> container=C{c} rack=R{(n-1)//40+1:02} slot={(n-1)%40+1}",
            "10.20.3.45",
            Place(container="C3", rack="R02", slot="5"),
        ),
        (
            "10.{a}.{b}.{n} -> container=C{(a - 20) * 256 + b}, slot={n}",
            "10.21.3.45",
            Place(container="C259", slot="45"),
        ),
        ('10.20.{c}.* -> container="Hall {c} east"', "10.20.3.45", Place(container="Hall 3 east")),
        ("10.20.{c}.{n} -> container=C{c} rack=R{n//0}", "10.20.3.45", None),
        ("10.20.{n}.{n} -> slot={n}", "10.20.7.7", Place(slot="7")),
        ("10.20.{n}.{n} -> slot={n}", "10.20.7.8", None),
        ("10.20.{container}.{slot}", "fd00:20::1", None),
    ],
)
def test_a_place_follows_from_an_address(rule: str, host: str, expected: Place | None) -> None:
    """Octets are matched, named, reckoned with and written with leading zeros."""
    assert place(rule, host) == expected


@pytest.mark.parametrize(
    ("rule", "workers", "expected"),
    [
        (
            r"worker:(?P<container>C\d+)-(?P<rack>R\d+)-(?P<slot>\d+)$",
            ["acme.C1-R02-17"],
            Place(container="C1", rack="R02", slot="17"),
        ),
        (r"worker:(?P<slot>\d+)$", ["acme.none", "acme.7"], Place(slot="7")),
        (r"worker:(?P<slot>\d+)$", ["acme.none"], None),
        (r"worker:(?P<slot>\d+)$", [], None),
        (
            r"worker:\.c(?P<c>\d+)x(?P<n>\d+) -> container=C{c:02} slot={n-100}",
            ["acme.c3x117"],
            Place(container="C03", slot="17"),
        ),
        # A group that took no part, and arithmetic with letters, give no place.
        (r"worker:(?P<slot>x)?", ["acme"], None),
        (r"worker:(?P<n>[a-z]+)$ -> slot={n+1}", ["acme"], None),
        # What the worker name holds must be a label.
        (r"worker:(?P<slot>.+)", ["\x1b[2J"], None),
    ],
)
def test_a_place_follows_from_a_worker_name(rule: str, workers: list[str], expected: Place | None) -> None:
    """Named groups of a regular expression are the parts of the place, or numbers to reckon with."""
    assert place(rule, "10.0.0.1", *workers) == expected


NAMED = (
    "octets are named {container}, {rack}, {slot}, or by names of your own that follow -> container=... rack=..."
    " slot=..."
)
GRAMMAR = "names and whole numbers with + - * // % and brackets are expected"


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("10.20.{container}", "four octets of an IPv4 address are expected, or another rule: "),
        ("fd00::{slot}", "four octets of an IPv4 address are expected, or another rule: "),
        ("10.20.1.2", NAMED),
        ("10.20.{c}.{slot}", NAMED),
        ("10.20.{c}.2 -> rack={d}", "{d} is not among the names on the left: c"),
        ("10.20.{c-1}.2 -> rack={c}", "{c-1}: a name alone is expected; reckon on the right of ->"),
        ("10.20.{container+slot}.2", "{container+slot}: one name is expected, for this octet"),
        ("10.20.{7}.2", "{7}: one name is expected, for this octet"),
        ("10.20.{slot**9}.2", "{slot**9}: " + GRAMMAR),
        ("10.20.{__import__('os')}.2", "{__import__('os')}: " + GRAMMAR),
        ("10.20.{slot.real}.2", "four octets of an IPv4 address are expected, or another rule: "),
        ("10.20.{slot:x}.2", "{slot:x}: " + GRAMMAR),
        ("10.20.256.{slot}", "an IPv4 address is four numbers from 0 to 255 without leading zeros"),
        ("10.20.{n}.2 -> slots={n}", "'slots={n}': container=..., rack=... and slot=... are expected after ->"),
        ("10.20.{n}.2 -> slot={n} slot=1", "slot is there twice"),
        ("10.20.{n}.2 ->", "container=..., rack=... or slot=... is expected after ->"),
        ("10.20.{n}.2 -> slot={n", "braces come in pairs, as in {slot}"),
        ('10.20.{n}.2 -> slot="{n}', "a quote is opened and not closed"),
        ("10.20.{n}.2 -> slot=" + "x" * 201, "at most 200 characters are expected"),
        ("worker:(", "not a regular expression: missing ), unterminated subpattern at position 0"),
        ("worker:[0-9]+", "named groups are expected, such as (?P<slot>[0-9]+); known are container, rack, slot"),
    ],
)
def test_a_bad_rule_is_one_message(rule: str, reason: str) -> None:
    """The option, the rule and the reason."""
    (mistake,) = mistakes(rule)
    assert mistake.startswith("scan: --place = ")
    assert reason in mistake


def test_every_bad_rule_is_reported() -> None:
    """All mistakes at once."""
    assert len(mistakes("10.20.1.2", "worker:(", "10.20.{container}.{slot}")) == 2


def test_the_first_rule_that_fits_counts() -> None:
    """Later rules are for the units that earlier ones leave."""
    texts = ["10.20.1.{slot}", "10.20.{container}.{slot}", r"worker:(?P<rack>R\d)"]
    rules = read_rules(texts, read_places=no_file, command="scan")
    units = [Subject("10.20.1.5"), Subject("10.20.2.5"), Subject("10.30.0.1", None, ("x.R7",)), Subject("10.30.0.2")]
    assert [place_of(unit, rules) for unit in units] == [
        Place(slot="5"),
        Place(container="2", slot="5"),
        Place(rack="R7"),
        None,
    ]


@given(st.text(max_size=60))
def test_any_text_in_braces_is_a_template_or_refused(text: str) -> None:
    """Nothing but a ValueError comes of any text, and nothing is run."""
    try:
        template = read_template(text)
    except ValueError:
        return
    filled = template.text(dict.fromkeys(template.names, 7))
    assert filled is None or isinstance(filled, str)


@given(st.integers(0, 255), st.integers(0, 255))
def test_racks_of_forty_fill_without_gaps(container: int, slot: int) -> None:
    """Division and remainder number racks and slots so that each address has a place of its own."""
    rule = "10.20.{c}.{n} -> container={c} rack={n//40} slot={n%40}"
    found = place(rule, f"10.20.{container}.{slot}")
    assert found is not None
    assert int(found.rack) * 40 + int(found.slot) == slot


@pytest.mark.parametrize(
    "text",
    [
        "mac,container,rack,slot\n02:1A:2B:00:00:01,C1,R1,17\n",
        "\ufeffName;MAC Address;Location;Rack;Position\r\nm1;021a.2b00.0001;C1;R1;17\r\n",
        "# from the store\n\nprimary_mac\tcabinet\troom\tslot\n02-1a-2b-00-00-01\tR1\tC1\t17\n",
        'mac,slot,rack,container,note\n"021a2b000001","17","R1","C1","a, b"\n',
    ],
)
def test_places_come_from_an_inventory(text: str) -> None:
    """Any separator, usual names of columns, and any spelling of a MAC address."""
    places = read_places(text, "places.csv")
    assert places == {MAC: Place(container="C1", rack="R1", slot="17")}
    rules = read_rules(["mac:places.csv"], read_places={"places.csv": places}.__getitem__, command="scan")
    assert place_of(Subject("10.0.0.9", MAC), rules) == Place(container="C1", rack="R1", slot="17")
    assert place_of(Subject("10.0.0.9", None), rules) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["places.csv: file: no places: a header with mac, container, rack and slot, and a line a unit"]),
        ("slot,rack\n1,2\n", ["places.csv: line 1: a column mac is expected"]),
        ("mac,name\n1,2\n", ["places.csv: line 1: a column container, rack or slot is expected"]),
        (
            "mac,slot,position\n1,2,3\n",
            ["places.csv: line 1, column header = 'position': a second column for the slot"],
        ),
        (
            f"mac,rack,slot\n{MAC},R1\n{MAC},,\nzz,R1,1\n{MAC},R1,\x07\n",
            [
                "places.csv: line 2: 3 cells are expected, as in the header; here are 2",
                "places.csv: line 3: a container, rack or slot is expected",
                (
                    "places.csv: line 4, column mac = 'zz': the MAC address of one machine is expected, such as"
                    " 02:1a:2b:3c:4d:5e"
                ),
                r"places.csv: line 5, column slot = '\x07': at most 64 printable characters are expected",
            ],
        ),
        (
            f"mac,rack,slot\n{MAC},R1,1\n{MAC},R1,2\n02:1a:2b:00:00:02,R1,2\n",
            [
                f"places.csv: line 3, column mac = '{MAC}': also on line 2",
                "places.csv: line 4, column slot = '2': also on line 3",
            ],
        ),
    ],
)
def test_a_bad_list_of_places_is_refused(text: str, expected: list[str]) -> None:
    """Every line that is wrong, with its reason."""
    with pytest.raises(ConfigError) as caught:
        read_places(text, "places.csv")
    assert [str(mistake) for mistake in caught.value.mistakes] == expected


def test_rows_get_places_unless_two_would_share_a_slot() -> None:
    """Rows that no rule fits keep theirs or are named; a shared slot is given to neither."""
    rows = [
        Proposed("a", "S21", "200", "10.20.1.7", source="10.20.1.7:4028"),
        Proposed("b", "S21", "200", "10.20.1.8:4029", mac=MAC, source="10.20.1.8:4029"),
        Proposed("c", "S21", "200", "10.20.1.9", source="10.20.1.9:4028"),
        Proposed("d", "S21", "200", "10.30.0.1", source="10.30.0.1:4028"),
        Proposed("e", "S21", "200", "10.30.0.2", rack="R9", source="10.30.0.2:4028"),
    ]
    rules = read_rules([r"worker:x(?P<slot>7)", "10.20.{container}.{slot}"], read_places=no_file, command="scan")
    placed = place_rows(rows, rules, {"10.20.1.8:4029": ["acme.x7"], "10.20.1.9:4028": ["acme.x7"]})
    assert [(row.container, row.rack, row.slot) for row in placed.rows] == [
        ("1", "", "7"),
        ("", "", ""),
        ("", "", ""),
        ("", "", ""),
        ("", "R9", ""),
    ]
    assert placed.unplaced == ("10.30.0.1",)
    assert placed.clashes == ("2 units would stand in slot 7: 10.20.1.8:4029, 10.20.1.9",)
