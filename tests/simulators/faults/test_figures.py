"""Replies that contradict themselves: what each fault alters, and that it alters nothing else."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import pytest
from sim_cases import START, make_farm

from simulators.farm.farm import Farm
from simulators.farm.truth import unit_truth
from simulators.faults.body import Body, FigureFault
from simulators.faults.unit import Asleep, DeadBoard, NoBoards
from simulators.faults.vocabulary import PROTOCOL_FAULTS, read_fault
from simulators.firmware.antminer.legacy import REPLIES as LEGACY
from simulators.firmware.antminer.new_api import REPLIES as NEW_API
from simulators.firmware.request import Request
from simulators.sockets.station import LiveUnit
from simulators.unit.conditions import Condition
from simulators.unit.delivery import Delivery

NEW, OLD = Request("stats", is_new_api=True), Request("stats", is_new_api=False)
SUMMARY = Request("summary", is_new_api=False)
MIXES = ("S21=100%", "S21+=100%", "S21 XP Hyd.=100%", "S21j XP Hyd.=100%", "S23 Hyd.=100%")


class Untouched(FigureFault):
    """Parses and prints every reply, and alters nothing."""


def answered(farm: Farm, request: Request, at: float = START) -> bytes:
    """Return the reply of the farm's first unit, without its NUL."""
    unit = farm.units[0]
    unit.advance(at)
    reply = LiveUnit(farm, unit).answer(request, at)
    return (reply.reply if isinstance(reply, Delivery) else reply).rstrip(b"\0")


def asked(fault: Condition | None, request: Request, *, mix: str = "S21=100%", at: float = START) -> Any:
    """Return the parsed reply of a unit under a fault."""
    farm = make_farm(1, mix=mix)
    if fault is not None:
        farm.inject(fault)
    return json.loads(answered(farm, request, at))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every number and text of parsed JSON with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{path}/{number}")
    else:
        yield path, value


def altered(name: str, values: Mapping[str, object], request: Request, **case: Any) -> dict[str, Any]:
    """Return what a fault alters in a reply: the last part of each path, and what stands there then."""
    sound = dict(leaves(asked(None, request, **case)))
    spoiled = dict(leaves(asked(read_fault(name, values), request, **case)))
    assert sound.keys() <= spoiled.keys()
    return {
        path.removeprefix("/STATS/0/").removeprefix("/STATS/1/").removeprefix("/SUMMARY/0/"): value
        for path, value in spoiled.items()
        if path not in sound or sound[path] != value
    }


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("trouble", [None, Asleep(), DeadBoard(is_listed=False)], ids=repr)
def test_a_reply_that_is_parsed_and_printed_is_the_same_to_the_byte(mix: str, trouble: Condition | None) -> None:
    """Every reply of every firmware line survives parsing: keys, order, blanks and numbers."""
    farm = make_farm(1, mix=mix)
    if trouble is not None:
        farm.inject(trouble)
    requests = [Request(name, is_new_api=False) for name in LEGACY]
    requests += [Request(name, is_new_api=True) for name in NEW_API if name != "sleep"]
    for at in (START, START + 100.0):
        sound = [answered(farm, request, at) for request in requests]
        injection = farm.inject(Untouched())
        assert [answered(farm, request, at) for request in requests] == sound
        farm.clear(injection.number)


def test_a_reply_that_is_no_json_is_left_alone() -> None:
    """Whatever another fault has made of the reply, a fault in figures passes it on."""
    farm = make_farm(1)
    farm.inject(read_fault("not_json", {}))
    farm.inject(read_fault("rate_spike", {}))
    assert answered(farm, NEW) == b"Socket connect failed: Connection refused"


def test_a_list_is_no_body() -> None:
    """JSON that is no object is passed on as it is, and so is the reply of an address without a simulated unit."""
    fault = read_fault("rate_spike", {})
    assert isinstance(fault, FigureFault)
    for reply in (b"[1]\0", b'{"STATUS": {}}\0'):
        assert fault.spoil(Delivery(command="stats", reply=reply)).reply == reply


@pytest.mark.parametrize(
    ("name", "values", "new", "old"),
    [
        ("zero_watts", {}, {"watt": 0, "jt": 0.0}, {}),
        ("says_asleep", {}, {"miner-mode": 1}, {"Mode": 1}),
        ("total_zero", {}, {"rate_5s": 0.0}, {"GHS 5s": 0.0}),
        (
            "total_zero",
            {"is_longer_too": True},
            {"rate_5s": 0.0, "rate_30m": 0.0, "rate_avg": 0.0},
            {"GHS 5s": 0.0, "GHS av": 0.0, "rate_30m": 0.0, "total rate": 0.0},
        ),
        ("fan_null", {}, {"fan/1": None}, {"fan2": None}),
        ("fan_null", {"fan": 3, "rpm": 255_000}, {"fan/3": 255_000}, {"fan4": 255_000}),
        (
            "sensor_stuck",
            {"board": 1, "sensor": 2, "celsius": 255},
            {"chain/1/temp_pic/2": 255, "chain/1/temp_pcb/2": 255, "chain/1/temp_chip/2": 255},
            {
                "temp_pic2": "40-40-255-57",
                "temp_pcb2": "50-50-255-67",
                "temp_chip2": "55-55-255-72",
                "temp2": 255,
                "temp2_2": 255,
            },
        ),
        (
            "sensor_stuck",
            {"sensor": 3, "is_null": True},
            {"chain/0/temp_pic/3": None, "chain/0/temp_pcb/3": None, "chain/0/temp_chip/3": None},
            {},
        ),
    ],
)
def test_a_fault_in_figures_alters_its_figures_alone(
    name: str, values: dict[str, object], new: dict[str, Any], old: dict[str, Any]
) -> None:
    """Every other figure of both dialects is that of the sound unit."""
    assert altered(name, values, NEW) == new
    assert altered(name, values, OLD) == old


@pytest.mark.parametrize("celsius", [-40, -1, 180])
def test_a_negative_sensor_keeps_the_others_in_their_places(celsius: int) -> None:
    """The legacy text of a board's sensors still splits into four, whatever the sign."""
    text = altered("sensor_stuck", {"sensor": 1, "celsius": celsius}, OLD)["temp_pcb1"]
    assert text == f"51-{celsius}-68-68"


@pytest.mark.parametrize("request_", [NEW, OLD, SUMMARY], ids=str)
def test_a_spike_multiplies_what_it_says(request_: Request) -> None:
    """The 5 s rate alone, or the longer rates and the boards as well."""
    sound = dict(leaves(asked(None, request_)))
    longer = {
        path for path in sound if path.rpartition("/")[2] in {"rate_30m", "rate_avg", "GHS av", "GHS 30m", "total rate"}
    }
    now = {path for path in sound if path.rpartition("/")[2] in {"rate_5s", "GHS 5s"}}
    boards = {path for path in sound if "rate_real" in path or ("chain_rate" in path and sound[path])}
    for values, paths in (
        ({}, now),
        ({"is_longer_too": True}, now | longer),
        ({"are_boards_too": True}, now | boards),
    ):
        spoiled = dict(leaves(asked(read_fault("rate_spike", {"factor": 4.0, **values}), request_)))
        assert {path for path in sound if sound[path] != spoiled[path]} == paths
        for path in paths:
            assert float(spoiled[path]) == pytest.approx(4.0 * float(sound[path]), rel=1e-6)


@pytest.mark.parametrize("factor", [0.001, 1000.0])
def test_boards_in_another_unit_keep_the_total(factor: float) -> None:
    """The sum of the boards is a thousandth or a thousand times the total, in both dialects."""
    figures = asked(read_fault("board_unit", {"factor": factor}), NEW)["STATS"][0]
    assert sum(board["rate_real"] for board in figures["chain"]) == pytest.approx(factor * figures["rate_5s"], rel=1e-4)
    figures = asked(read_fault("board_unit", {"factor": factor}), OLD)["STATS"][1]
    rates = [float(figures[f"chain_rate{slot}"]) for slot in (1, 2, 3)]
    assert sum(rates) == pytest.approx(factor * figures["GHS 5s"], rel=1e-3)
    assert figures["chain_rate4"] == ""


def test_power_that_a_build_reports_is_replaced_in_its_place() -> None:
    """On a build of 2026 no key moves; before, the keys appear after `hwp_total`."""
    fault = read_fault("zero_watts", {"watts": 12})
    figures = asked(fault, NEW, mix="S21j XP Hyd.=100%")["STATS"][0]
    assert (figures["watt"], figures["jt"]) == (12, pytest.approx(12 / 505, rel=0.5))
    assert list(figures) == list(asked(None, NEW, mix="S21j XP Hyd.=100%")["STATS"][0])
    assert list(asked(fault, NEW)["STATS"][0])[8:13] == ["fan", "hwp_total", "watt", "jt", "miner-mode"]


def test_a_rate_lags_behind_a_real_sleep_for_as_long_as_it_says() -> None:
    """Awake nothing is altered; asleep, the 5 s rate stays at the nameplate for the given time."""
    farm = make_farm(1)
    farm.inject(read_fault("rate_lag", {"lag_s": 60.0}))
    awake = json.loads(answered(farm, NEW))["STATS"][0]
    assert awake["rate_5s"] == asked(None, NEW)["STATS"][0]["rate_5s"]
    farm.inject(read_fault("asleep", {}))
    farm.units[0].advance(START + 30.0)
    asleep = farm.units[0].since
    shown = [json.loads(answered(farm, NEW, asleep + after_s))["STATS"][0] for after_s in (1.0, 59.0, 60.0)]
    assert [(figures["rate_5s"], figures["elapsed"], figures["miner-mode"]) for figures in shown] == [
        (200_000.0, 1, 1),
        (200_000.0, 1, 1),
        (0.0, 1, 1),
    ]
    assert json.loads(answered(farm, SUMMARY, asleep + 61.0))["SUMMARY"][0]["GHS 5s"] == 0.0


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("zero_watts", {"watts": -1}),
        ("says_asleep", {}),
        ("rate_spike", {}),
        ("total_zero", {"is_longer_too": True}),
        ("board_unit", {}),
        ("sensor_stuck", {}),
        ("fan_null", {}),
        ("watts_elsewhere", {}),
        ("rate_in_summary", {}),
        ("state_words", {"state": "auto-tuning"}),
        ("refuses", {}),
        ("speaks_http", {}),
        ("speaks_tls", {}),
        ("speaks_ssh", {}),
        ("speaks_stratum", {}),
        ("speaks_whatsminer", {}),
    ],
)
def test_the_truth_of_a_unit_does_not_follow_its_words(name: str, values: dict[str, object]) -> None:
    """State, hashrate, power and losses of the truth are those of a sound unit, and the fault is named."""
    farm, sound = make_farm(1), make_farm(1)
    farm.inject(read_fault(name, values))
    at = START + 3600.0
    told, true = unit_truth(farm.units[0], at), unit_truth(sound.units[0], at)
    assert [fault["fault"] for fault in told["faults"]] == [name]
    assert {**told, "faults": []} == {**true, "faults": []}


def small(fault: type[Condition]) -> Condition:
    """Return a fault with its defaults, but a small reply: one of a megabyte takes half a second to parse and print."""
    return fault(size_bytes=2000) if "size_bytes" in {each.name for each in fields(fault)} else fault()


PAIRED = [small(fault) for fault in (*PROTOCOL_FAULTS, Asleep, DeadBoard, NoBoards)]
MORE = [read_fault("state_words", {"state": "auto-tuning"}), read_fault("watts_elsewhere", {"key": "power"})]


@pytest.mark.parametrize("fault", [*PAIRED, *MORE], ids=repr)
def test_any_two_faults_go_together(fault: Condition) -> None:
    """Whatever one fault has made of a reply, the next one takes it, in either order: every request is answered.

    A pair of `PAIRED` has its other order where the other fault is the parameter.
    """
    requests = [Request(name, is_new_api=False) for name in (*LEGACY, "unknown")]
    requests += [Request(name, is_new_api=True) for name in NEW_API if name != "sleep"]
    for other in PAIRED:
        for pair in ((fault, other), (other, fault)) if fault in MORE else ((fault, other),):
            farm = make_farm(1)
            for part in pair:
                farm.inject(part)
            for at in (START + 1.0, START + 60.0):
                for request in requests:
                    assert answered(farm, request, at) is not None


def test_every_figure_fault_reads_one_body() -> None:
    """A reply without figures has an empty object for them, and no boards."""
    farm = make_farm(1)
    farm.inject(Asleep())
    farm.units[0].advance(START + 60.0)
    delivery = LiveUnit(farm, farm.units[0])
    farm.inject(Untouched())
    reply = delivery.answer(OLD, START + 60.0)
    assert isinstance(reply, Delivery)
    assert reply.facts is not None
    body = Body(command="stats", whole=json.loads(reply.reply[:-1]), is_new_api=False, facts=reply.facts)
    assert (body.figures, body.boards) == ({}, [])
