"""Two units or captures side by side: what differs, and whether the agent reads something else because of it."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from observed_units import afflicted, observed
from paths import CAPTURES
from sim_cases import START, make_unit

from agent.hil.capture.folder import read_capture
from agent.hil.capture.form import Capture, Ending, Timing
from agent.hil.verify.against import held_against
from agent.hil.verify.differences import Difference, Kind, Verification
from simulators.faults.vocabulary import read_fault

S21 = read_capture(CAPTURES / "s21-stock-aml-202407")
S19 = read_capture(CAPTURES / "s19pro-stock-202212")
STATS = "http-stats.json"
TIMED = (Kind.TIMING, "stats new_api: last byte", False)
BOARD = ("STATS", 0, "chain", 1)


def sim(model: str = "S21", *, build: str = "s21-202604", at: float = START, **faults: dict[str, Any]) -> Capture:
    """Return what a simulated unit answers."""
    unit = make_unit(model, build=build)
    afflicted(unit, [read_fault(name, values) for name, values in faults.items()], START)
    return observed(unit, at, name=f"{model} at {at:.0f}", polls=12)


def with_file(capture: Capture, file: str, edit: Callable[[Any], Any]) -> Capture:
    """Return a capture in which one reply is altered, and printed as before."""
    body = edit(json.loads(capture.data[file]))
    return msgspec.structs.replace(capture, data={**capture.data, file: json.dumps(body, indent="\t").encode()})


def put(*steps: str | int, value: Any) -> Callable[[Any], Any]:
    """Return an edit that puts a value somewhere."""

    def edit(body: Any) -> Any:
        parent = body
        for step in steps[:-1]:
            parent = parent[step]
        parent[steps[-1]] = value
        return body

    return edit


def without(*steps: str | int) -> Callable[[Any], Any]:
    """Return an edit that drops a key."""

    def edit(body: Any) -> Any:
        parent = body
        for step in steps[:-1]:
            parent = parent[step]
        del parent[steps[-1]]
        return body

    return edit


def told(found: Verification) -> list[tuple[Kind, str, bool]]:
    """Return the differences by kind, path and meaning."""
    return [(each.kind, each.path, each.changes_meaning) for each in found.differences]


@pytest.mark.parametrize("folder", sorted(CAPTURES.glob("*/golden.json")), ids=lambda path: path.parent.name)
def test_a_capture_is_like_itself(folder: Any) -> None:
    """Held against itself, no capture differs."""
    capture = read_capture(folder.parent)
    assert held_against(capture, capture).differences == ()


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        # Nothing reads these.
        (
            put("STATS", 0, "psu", value={}),
            [(Kind.KEY, "STATS[0].psu.index", False), (Kind.KEY, "STATS[0].psu.status", False)],
        ),
        (put(*BOARD, "sweep", value=3), [(Kind.KEY, "STATS[0].chain[1].sweep", False)]),
        (without("STATS", 0, "hwp_total"), [(Kind.KEY, "STATS[0].hwp_total", False)]),
        (put("STATUS", "api_version", value="1.0.1"), [(Kind.TEXT, "STATUS.api_version", False)]),
        (put(*BOARD, "rate_ideal", value=67525), [(Kind.TYPE, "STATS[0].chain[1].rate_ideal", False)]),
        # A number that moves does not count by itself.
        (put("STATS", 0, "elapsed", value=8153), [(Kind.NUMBER, "STATS[0].elapsed", False)]),
        (put("STATS", 0, "rate_5s", value=206_000.5), [(Kind.NUMBER, "STATS[0].rate_5s", False)]),
        (put(*BOARD, "sn", value="REDACTED000000009"), [(Kind.TEXT, "STATS[0].chain[1].sn", False)]),
        # The reader reads these.
        (without("STATS", 0, "rate_30m"), [(Kind.KEY, "STATS[0].rate_30m", True)]),
        (without(*BOARD, "asic_num"), [(Kind.KEY, "STATS[0].chain[1].asic_num", True)]),
        (put("STATS", 0, "watt", value=3500), [(Kind.KEY, "STATS[0].watt", True)]),
        (put("INFO", "type", value="Antminer T21"), [(Kind.TEXT, "INFO.type", True)]),
        (put(*BOARD, "hw", value=None), [(Kind.TYPE, "STATS[0].chain[1].hw", True)]),
        (put("STATS", 0, "fan", value=[7000, 7000]), [(Kind.LENGTH, "STATS[0].fan", True)]),
        # A text is still the figure, repaired and counted.
        (put("STATS", 0, "rate_30m", value="204393.1"), [(Kind.TYPE, "STATS[0].rate_30m", False)]),
    ],
)
def test_one_difference_of_a_reply(edit: Callable[[Any], Any], expected: list[tuple[Kind, str, bool]]) -> None:
    """It is named by path, and the reader itself decides whether it means something."""
    found = held_against(S21, with_file(S21, STATS, edit))
    of_reply = [each for each in told(found) if each[0] not in {Kind.CHECK, Kind.WHITE_SPACE}]
    assert of_reply == [(kind, f"stats new_api: {path}", meaning) for kind, path, meaning in expected]
    assert found.changes_meaning == any(meaning for *_, meaning in expected)


@pytest.mark.parametrize(
    ("edit", "figure"),
    [
        (put("STATS", 0, "rate_30m", value=20_439.0), "hashrate_30m_hs"),
        (put(*BOARD, "asic_num", value=107), "boards[1].chips"),
        (put(*BOARD, "temp_chip", value=[59, 59, 72, 125]), "boards[1].chip_celsius[3]"),
        (put("STATS", 0, "fan", value=[7000, 7000, 0, 7000]), "fan_rpm[2]"),
        (put(*BOARD, "freq_avg", value=390), "boards[1].frequency_hz"),
        (put("STATS", 0, "rate_ideal", value=190_000.0), "hashrate_ideal_hs"),
    ],
)
def test_a_number_out_of_its_range_changes_the_meaning(edit: Callable[[Any], Any], figure: str) -> None:
    """Two moments do not explain it; it is named as the figure of the reading that it is."""
    found = held_against(S21, with_file(S21, STATS, edit))
    assert (Kind.FIGURE, f"reading: {figure}", True) in told(found)


def test_order_and_white_space_change_nothing() -> None:
    """The same keys in another order, without blanks."""

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(each) for each in value] if isinstance(value, list) else value

    body = json.dumps(turned(json.loads(S21.data[STATS])), separators=(",", ":")).encode()
    found = held_against(S21, msgspec.structs.replace(S21, data={**S21.data, STATS: body}))
    assert not found.changes_meaning
    assert {each.kind for each in found.differences} == {Kind.ORDER, Kind.WHITE_SPACE}


def test_a_unit_an_hour_later_is_the_same_unit() -> None:
    """Numbers and counters move within their ranges; nothing else differs."""
    found = held_against(sim(), sim(at=START + 3600))
    assert not found.changes_meaning
    assert {each.kind for each in found.differences} <= {Kind.NUMBER, Kind.TEXT}


def test_another_firmware_of_the_same_model() -> None:
    """What a build of 2026 adds is told key by key: the watts mean something, the topology does not."""
    found = held_against(sim(build="s21-202410"), sim())
    meanings = {each.path: each.changes_meaning for each in found.differences if each.kind in {Kind.KEY, Kind.TEXT}}
    assert meanings["stats new_api: STATS[0].watt"]
    assert meanings["stats new_api: INFO.CompileTime"]
    assert not meanings["stats new_api: STATS[0].chain[0].tpl"]
    assert not meanings["stats new_api: STATS[0].jt"]


def test_another_state_is_not_compared() -> None:
    """A sleeping unit has no look like one that hashes: that is the difference, and not each of its figures."""
    found = held_against(sim(), sim(at=START + 600, asleep={}))
    assert told(found)[0] == (Kind.STATE, "state", True)
    assert (found.differences[0].first, found.differences[0].second) == ("hashing", "asleep")
    assert found.compared == ()


def test_a_state_that_both_have_is_compared() -> None:
    """A capture with a sleeping and a hashing look is held against a hashing unit by the look that fits."""
    asleep = sim(at=START + 600, asleep={})
    hashing = sim()
    moment = msgspec.structs.replace(hashing.manifest.moments[0], folder="moments/02-hashing")
    data = {
        **asleep.data,
        **{path.replace("01-later", "02-hashing"): reply for path, reply in hashing.data.items() if "/" in path},
    }
    manifest = msgspec.structs.replace(asleep.manifest, moments=(*asleep.manifest.moments, moment))
    both = msgspec.structs.replace(asleep, manifest=manifest, data=data, name="both")
    found = held_against(both, hashing)
    assert found.compared == (f"hashing: both moments/02-hashing with {hashing.name}",)
    assert "only both has a look that is asleep" in found.left_out
    assert not [each for each in found.differences if each.kind is Kind.FIGURE]


def test_what_only_one_was_asked_is_listed() -> None:
    """It is no difference; a reading rests only on what both were asked."""
    found = held_against(S21, sim(build="s21-202407"))
    assert "stats: only S21 at 1760000000 was asked" in found.left_out
    assert "devs: only s21-stock-aml-202407 was asked" in found.left_out


def test_another_model_is_told_even_if_nothing_else_can_be_compared() -> None:
    """A VNish S21 Pro and a stock S21 have `summary` alone in common."""
    vnish = read_capture(CAPTURES / "s21pro-vnish-2026")
    found = held_against(vnish, S21)
    assert [each for each in told(found) if each[2]] == [
        (Kind.FIGURE, "reading: identity.model", True),
        (Kind.FIGURE, "reading: identity.firmware", True),
    ]


def test_keys_that_a_publisher_left_out_change_nothing() -> None:
    """A subset says what it has, not what it lacks."""
    subset = read_capture(CAPTURES / "s21-stock-202410-sleep")
    found = held_against(subset, sim(build="s21-202410", at=START + 600, asleep={}))
    assert not found.changes_meaning
    lacking = [each for each in found.differences if each.kind is Kind.KEY]
    assert {each.why for each in lacking} == {"left out by its publisher"}


def test_an_ending_is_tried_too() -> None:
    """A missing NUL changes nothing while the reply is whole; a reset in the middle does."""
    first = sim()

    def ended(request: str, ending: Ending) -> Difference:
        replies = tuple(
            msgspec.structs.replace(reply, ending=ending) if reply.request == request else reply
            for reply in first.manifest.replies
        )
        manifest = msgspec.structs.replace(first.manifest, replies=replies)
        found = held_against(first, msgspec.structs.replace(first, manifest=manifest))
        [difference] = [each for each in found.differences if each.kind is Kind.FRAMING]
        return difference

    missing = ended("stats new_api", Ending.CLOSE)
    assert (missing.first, missing.second, missing.changes_meaning) == ("nul_close", "close", False)
    assert ended("pools", Ending.RESET).changes_meaning
    assert not ended("stats", Ending.RESET).changes_meaning


def test_a_reply_that_needs_repair_is_a_note() -> None:
    """The figures are the same, and the repair is named."""
    found = held_against(sim(), sim(joined_objects={}))
    assert not found.changes_meaning
    assert ("reply", "stats", "none", "missing_comma") in [
        (each.kind, each.path, each.first, each.second) for each in found.differences
    ]


def test_a_check_that_only_one_breaks_is_a_difference() -> None:
    """One on which figures rest changes the meaning; one with which the agent copes is a note."""
    spiked = held_against(sim(), sim(rate_spike={"are_boards_too": True, "is_longer_too": True}))
    assert (Kind.CHECK, "rate_is_within_the_ideal", True) in told(spiked)
    unending = held_against(sim(), sim(missing_nul={}))
    assert (Kind.CHECK, "one_nul_ends_a_reply", False) in told(unending)
    # Broken by the reference as well, it is none.
    assert Kind.CHECK not in {kind for kind, *_ in told(held_against(sim(missing_nul={}), sim(missing_nul={})))}


@pytest.mark.parametrize(
    ("first_s", "second_s", "expected"),
    [((0.05, 0.06), (0.06, 0.07), []), ((0.05, 0.06), (0.3, 0.4), [TIMED]), ((0.3, 0.4), (0.05, 0.06), [TIMED])],
)
def test_timings_are_held_by_distribution(
    first_s: tuple[float, float], second_s: tuple[float, float], expected: list[tuple[Kind, str, bool]]
) -> None:
    """Only a middle half that lies clearly apart is told, and it never changes the meaning."""

    def timed(took: tuple[float, float]) -> Capture:
        capture = sim()
        assert capture.timings is not None
        replies = tuple(Timing(request="stats new_api", at_s=10.0 * at, last_byte_s=took[at % 2]) for at in range(20))
        return msgspec.structs.replace(capture, timings=msgspec.structs.replace(capture.timings, replies=replies))

    found = held_against(timed(first_s), timed(second_s))
    assert [each for each in told(found) if each[0] is Kind.TIMING] == expected


def test_differences_that_mean_something_come_first() -> None:
    """A reader of the first lines sees what matters."""
    meanings = [each.changes_meaning for each in held_against(S19, sim(build="s21-202407")).differences]
    assert meanings == sorted(meanings, reverse=True)
    assert any(meanings)


@pytest.mark.parametrize(
    ("folder", "model", "build"),
    [
        ("s21-stock-aml-202407", "S21", "s21-202407"),
        ("s21pro-stock-202507", "S21 Pro", "s21pro-202507"),
        ("s21xphyd-stock-202601", "S21 XP Hyd.", "s21xphyd-202601"),
        ("s21jxphyd-stock-202605", "S21j XP Hyd.", "s21jxphyd-202605"),
    ],
)
def test_a_simulated_unit_is_like_the_recorded_one_of_its_build(folder: str, model: str, build: str) -> None:
    """Between a recorded unit and a simulated one of its model and build, no difference is one of the build."""
    recorded = read_capture(CAPTURES / folder)
    found = held_against(recorded, sim(model, build=build, at=START + 7200.0))
    # Its publisher left these out; see SOURCES.md.
    left_out = {f"stats new_api: STATS[0].chain[{at}].asic" for at in range(3)} | {"stats new_api: STATS[0].miner-mode"}
    of_build = [each.path for each in found.differences if each.changes_meaning and each.path not in left_out]
    assert of_build == []


def test_an_ideal_may_follow_the_clock() -> None:
    """Some builds tell chips times clock as the ideal: it is apart as the clocks are, and no more."""

    def tuned(ideal: float) -> Callable[[Any], Any]:
        def edit(body: Any) -> Any:
            row = body["STATS"][0]
            row["rate_ideal"] = ideal
            for chain in row["chain"]:
                chain["freq_avg"] = round(chain["freq_avg"] * 0.98)
            return body

        return edit

    def differing(ideal: float) -> list[str]:
        other = with_file(S21, STATS, tuned(ideal))
        return [each.path for each in held_against(S21, other).differences if each.changes_meaning]

    assert differing(196_000.0) == []
    assert differing(190_000.0) == ["reading: hashrate_ideal_hs"]
