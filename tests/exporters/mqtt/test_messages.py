"""Published messages: every payload fits its schema, and every schema file matches the types."""

import json

import jsonschema
import pytest
from exporter_cases import AT, ENERGY, board, entry, gone_silent, reading, status
from hypothesis import given
from hypothesis import strategies as st
from mqtt_messages import BY_SCHEMA, SCHEMAS, check, composer
from msgspec import json as msgspec_json
from msgspec import structs
from work_cases import DIVERTED, IDLE, LISTED, OUR_ACCOUNT, OURS, THEIR_ACCOUNT, THEIRS, TOLERATED, UNKNOWN, working
from work_cases import UNITS as WORKING

from agent.exporters.mqtt.changes import AgentHealth, CurtailmentChanged, UnitChanged
from agent.exporters.mqtt.composer import moment
from agent.exporters.mqtt.messages import UNITS_A_MESSAGE, schemas
from agent.exporters.mqtt.news import WorkNews, is_news
from agent.exporters.mqtt.topics import MeterScope, Topics, from_level, level
from agent.history.chain.heads import Head, HeadKind, SignedHead
from agent.site.curtailment.orders import ScopeOrder
from agent.site.lateness import held
from agent.site.reasons import Reason
from agent.site.status import UnitState
from agent.site.totals import site_figures

HEAD = SignedHead(
    Head(
        chain="3f",
        site="alpha",
        zone="UTC",
        key="5d1b3a0c94e27f68",
        seq=12,
        hash="0" * 64,
        at=int(AT),
        day="2025-11-20",
        kind=HeadKind.HOUR,
        version="1.0",
    ),
    "c2lnbmF0dXJl",
)


def test_schema_files_are_what_the_types_say(request: pytest.FixtureRequest) -> None:
    """The committed JSON Schema files are exactly those generated from the types; `--update-golden` writes them."""
    expected = schemas()
    if request.config.getoption("--update-golden"):
        SCHEMAS.mkdir(exist_ok=True)
        for name, text in expected.items():
            (SCHEMAS / name).write_bytes(text)
    assert expected == {path.name: path.read_bytes() for path in SCHEMAS.glob("mqtt-*.json")}
    for text in expected.values():
        jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_a_units_power_has_its_source_or_the_reason_for_none() -> None:
    """Watts of the firmware are estimated; powered boards that hash nothing have no watts, and the message says why."""
    told, idle = reading(power_watts=3400.0), reading(hashrate_5s_hs=0.0)
    estimated, missing = (check(composer().unit(status(latest=latest), at=AT))["unit"] for latest in (told, idle))
    assert (estimated["power_watts"], estimated["power_source"]) == (3400.0, "estimated")
    assert (missing["power_watts"], missing["power_source"]) == (None, None)
    assert missing["power_missing_reason"] == "not modelled: boards are powered and hash next to nothing"


def test_every_message_fits_its_schema() -> None:
    """A message of each kind fits its schema, for a unit with every value and one with none."""
    hashing, silent = status(entry("u1"), reading("u1")), gone_silent("u2")
    figures = site_figures([hashing, silent], AT)
    make = composer()
    bodies = [
        check(payload)
        for payload in (
            make.figures(figures, ENERGY, interval_s=10, simulated_units=0),
            make.container("C1", figures.by_container["C1"], ENERGY, interval_s=10),
            make.unit(hashing, at=AT),
            make.unit(silent, at=AT),
            make.units([hashing, silent], at=AT),
            make.event(
                UnitChanged(
                    unit_id="u1",
                    container="C1",
                    before=UnitState.HASHING,
                    state=UnitState.UNREACHABLE,
                    reason=Reason.NO_ANSWER,
                    why="no answer",
                ),
                at=AT,
            ),
            make.event(
                CurtailmentChanged(
                    what="declared",
                    id="e1",
                    target_ratio=0.0,
                    scope=ScopeOrder(container="C1"),
                    source="test",
                    start=moment(AT),
                    end=None,
                ),
                at=AT,
            ),
            make.event(AgentHealth(subject="outbox", is_well=False, detail="full"), at=AT),
            make.agent("online", at=AT),
            make.canary("123", at=AT),
            make.error("a/b", "malformed", "not JSON", b'{"x', at=AT),
            make.head(HEAD),
        )
    ]
    assert {body["schema"] for body in bodies} == set(BY_SCHEMA)
    assert {(body["site"], body["boot_id"], body["time"]) for body in bodies} == {
        ("alpha", "b00t", "2025-11-20T21:36:00Z")
    }


def test_messages_are_numbered_and_say_what_was_before() -> None:
    """`seq` counts all messages of a run; `previous_seq` is the number of the one before on the same topic."""
    hashing = status(entry("u1"), reading("u1"))
    figures = site_figures([hashing], AT)
    make = composer()
    bodies = [
        json.loads(payload)
        for payload in (
            make.figures(figures, ENERGY, interval_s=10, simulated_units=0),
            make.unit(hashing, at=AT),
            make.units([hashing], at=AT),
            make.figures(figures, ENERGY, interval_s=10, simulated_units=0),
            make.units([hashing], at=AT),
        )
    ]
    assert [body["seq"] for body in bodies] == [1, 2, 3, 4, 5]
    assert [body.get("previous_seq", "-") for body in bodies] == [None, "-", None, 1, 3]


def test_a_unit_that_fell_silent_is_published_without_numbers() -> None:
    """Values of a stale reading are null; the nameplate stays."""
    unit = check(composer().unit(gone_silent("u2"), at=AT))["unit"]
    assert (unit["state"], unit["is_fresh"], unit["hashrate_hs"], unit["hottest_chip_celsius"]) == (
        "unreachable",
        False,
        None,
        None,
    )
    assert unit["nameplate_hs"] == 200e12
    assert unit["losses"] == [{"cause": "unreachable", "hashrate_hs": 200e12}]


def test_the_losses_of_a_message_add_up() -> None:
    """Deployed minus losses plus uplift is operating, in the message as in the figures."""
    statuses = [status(entry("u1"), reading("u1")), gone_silent("u2"), status(entry("u3"), reading("u3"))]
    figures = check(composer().figures(site_figures(statuses, AT), ENERGY, interval_s=10, simulated_units=0))["figures"]
    rebuilt = figures["deployed_hs"] - sum(figures["losses_hs"].values()) + figures["uplift_hs"]
    assert rebuilt == pytest.approx(figures["operating_hs"], rel=1e-12)
    assert figures["units"] == sum(figures["units_by_state"].values()) == 3


def test_a_batch_is_bounded_by_its_schema() -> None:
    """More than `UNITS_A_MESSAGE` units do not fit the schema."""
    hashing = status(entry("u1"), reading("u1"))
    check(composer().units([hashing] * UNITS_A_MESSAGE, at=AT))
    with pytest.raises(jsonschema.ValidationError):
        check(composer().units([hashing] * (UNITS_A_MESSAGE + 1), at=AT))


@given(st.text())
def test_any_name_is_one_level_and_comes_back(name: str) -> None:
    """Any name of the ledger becomes one topic level without wildcards, and can be read back."""
    text = level(name)
    assert text
    assert not set(text) & set("/+#\x00")
    assert from_level(text) == name


@pytest.mark.parametrize(
    ("topic", "scope"),
    [
        ("meter/site", MeterScope()),
        ("meter/container/C1", MeterScope(container="C1")),
        ("meter/container/-", MeterScope(container="")),
        ("meter/unit/a%2Fb", MeterScope(unit="a/b")),
        ("meter/unit/", None),
        ("meter/rack/R1", None),
        ("meter/container/C1/watts", None),
        ("meter", None),
        ("figures", None),
    ],
)
def test_a_meters_topic_says_what_it_measures(topic: str, scope: MeterScope | None) -> None:
    """A meter measures a site, container or unit, and nothing else."""
    assert Topics("alpha").meter_scope(f"hashsight/v1/alpha/{topic}") == scope


@pytest.mark.parametrize(
    ("published_hs", "now_hs", "expected"),
    [
        pytest.param(200e12, 191e12, False, id="noise of a 5 s rate"),
        pytest.param(200e12, 189e12, True, id="a twentieth of the nameplate"),
        pytest.param(189e12, 200e12, True, id="back again"),
        pytest.param(200e12, 133e12, True, id="a board died"),
        pytest.param(200e12, None, True, id="no rate any more"),
        pytest.param(None, None, False, id="still none"),
    ],
)
def test_which_rate_changes_are_news(published_hs: float | None, now_hs: float | None, *, expected: bool) -> None:
    """A rate is published again if it moved by more than its noise, or appeared or disappeared."""
    published, now = (
        structs.replace(status(latest=reading()), hashrate_hs=rate_hs) for rate_hs in (published_hs, now_hs)
    )
    assert is_news(published, now) is expected


def test_a_reason_is_news_and_its_numbers_are_not() -> None:
    """A chip that cools down does not publish a stopped unit at every poll; another reason does."""
    hot, warm, fan = (
        status(latest=reading(hashrate_5s_hs=0.0, **changes))
        for changes in (
            {"boards": (board(0, chip_celsius=(97,)),)},
            {"boards": (board(0, chip_celsius=(96,)),)},
            {"fan_rpm": (0, 6000)},
        )
    )
    assert (hot.why, warm.why) == ("chip at 97 °C", "chip at 96 °C")
    assert not is_news(hot, warm)
    assert is_news(warm, fan)


def test_the_agents_lateness_is_no_news_of_a_unit() -> None:
    """A unit that becomes overdue, or is asked again, is not published for that; one that goes silent is."""
    hashing = status(latest=reading())
    assert not is_news(hashing, held(hashing))
    assert not is_news(held(hashing), hashing)
    assert is_news(held(hashing), gone_silent())
    facts = check(composer().unit(held(hashing), at=AT))["unit"]
    assert (facts["state"], facts["is_fresh"], facts["is_overdue"], facts["hashrate_hs"]) == (
        "hashing",
        False,
        True,
        198e12,
    )


def test_diverted_work_is_news_once_and_so_is_its_end() -> None:
    """Each change is one event by class and name alone; what is not known, and a list taken away, change nothing."""
    news = WorkNews()
    courses = (LISTED, DIVERTED, DIVERTED, UNKNOWN, DIVERTED, None, LISTED, IDLE, TOLERATED)
    told = [news.change(working("u1", work)) for work in courses]
    found = [(place, change.is_diverted, change.pool) for place, change in enumerate(told) if change is not None]
    assert found == [(1, True, None), (6, False, "main")]
    assert told[1] is not None
    payload = msgspec_json.encode(told[1])
    assert not [secret for secret in (THEIR_ACCOUNT, THEIRS.host) if secret.encode() in payload]
    news.change(working("u1", DIVERTED))
    news.forget("u1")
    assert news.change(working("u1", LISTED)) is None
    assert news.change(working("u1", DIVERTED)) is not None


def test_work_is_told_by_class_and_name_alone() -> None:
    """Figures and units have classes and names of the configuration, and no address and no account."""
    made, sums = composer(), site_figures(WORKING, AT)
    figures = made.figures(sums, ENERGY, interval_s=10, simulated_units=0)
    units, whole = [made.unit(one, at=AT) for one in WORKING], made.container("C1", sums.site, ENERGY, interval_s=10)
    bodies = (figures, *units, whole)
    for secret in (OUR_ACCOUNT, THEIR_ACCOUNT, THEIRS.host, OURS.host):
        assert not [body for body in bodies if secret.encode() in body]
    body = check(figures)
    assert (body["figures"]["diverted_units"], body["figures"]["diverted_hs"]) == (2, 396e12)
    assert body["pools"]["units_by_entry"] == {"main": 4}
    assert check(bodies[1])["unit"]["pool_class"] == "listed"
    alone = check(made.figures(site_figures([status()], AT), ENERGY, interval_s=10, simulated_units=0))
    assert (alone["pools"], alone["figures"]["diverted_hs"]) == (None, None)


def test_a_diverted_unit_is_published_at_once() -> None:
    """Its topic says so without waiting for the heartbeat."""
    assert is_news(working("u1", LISTED), working("u1", DIVERTED))
    assert not is_news(working("u1", LISTED), working("u1", UNKNOWN))
