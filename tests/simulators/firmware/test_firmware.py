"""Replies of the simulated firmware against recorded ones: keys, types, order, and sums that must hold."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from capture_files import capture
from sim_cases import START, make_farm, make_unit

from simulators.farm.plan import Troubles
from simulators.faults.unit import Asleep, BadChips, DeadBoard, FanStopped, HashrateDrift, MissingChips, PoolDead
from simulators.firmware.antminer.api_program import Request, answer, read_request
from simulators.unit import sensors
from simulators.unit.conditions import Change, Verb
from simulators.unit.models import farmable_models, find_model
from simulators.unit.unit import Unit

# Observed (O53): 2 errors in 8152 s at 203.9 TH/s are 0.0006 %. 4358 errors on one of four boards in 83,976 s at
# 194.2 TH/s are 0.601 %.
NONCE_HASHES = 1280 * 2**32

LEGACY = ("version", "summary", "stats", "pools", "devs")
NEW_API = ("stats", "summary", "pools", "rate", "warning")
REQUESTS = (
    *(Request(command, is_new_api=False) for command in LEGACY),
    *(Request(command, is_new_api=True) for command in NEW_API),
)

# Keys in which recorded and simulated replies differ, each with its reason.
KNOWN_DIFFERENCES = {
    # The recorders added `psu` and trimmed the others; see the captures' SOURCES.md.
    "s21-stock-aml-202407/http-stats.json": {"psu", "miner-mode", "freq-level", "asic", "eeprom_loaded"},
    # The recorders corrected the firmware's `Tenperature`; s19pro-stock-202212 has it as printed.
    "s21-stock-aml-202407/tcp4028-devs.json": {"Temperature", "Tenperature"},
}


def reply(unit: Unit, command: str, *, is_new_api: bool = False, after: float = 0.0) -> Any:
    """Return a reply as JSON."""
    return json.loads(answer(unit, Request(command, is_new_api=is_new_api), START + after))


def shape(value: Any, ignored: set[str], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and type of every value, in order; objects of the same shape in a list count once."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in ignored:
                yield from shape(item, ignored, f"{path}/{key}")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        kinds: list[list[tuple[str, str]]] = []
        for item in value:
            kind = list(shape(item, ignored, f"{path}[]"))
            if kind not in kinds:
                kinds.append(kind)
        yield from itertools.chain.from_iterable(kinds)
    else:
        yield (
            path,
            type(value).__name__ + (f" of {type(value[0]).__name__}" if isinstance(value, list) and value else ""),
        )


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("tcp4028-version.json", Request("version", is_new_api=False)),
        ("tcp4028-summary.json", Request("summary", is_new_api=False)),
        ("tcp4028-pools.json", Request("pools", is_new_api=False)),
        ("tcp4028-devs.json", Request("devs", is_new_api=False)),
        ("http-summary.json", Request("summary", is_new_api=True)),
        ("http-stats.json", Request("stats", is_new_api=True)),
    ],
)
def test_an_s21_prints_the_recorded_keys_types_and_order(name: str, request_: Request) -> None:
    """The replies of a recorded S21 and a simulated one of the same build have the same shape."""
    name = f"s21-stock-aml-202407/{name}"
    ignored = KNOWN_DIFFERENCES.get(name, set())
    recorded = json.loads(capture(name))
    simulated = json.loads(answer(make_unit(build="s21-202407"), request_, START))
    assert list(shape(simulated, ignored)) == list(shape(recorded, ignored))


@pytest.mark.parametrize("command", LEGACY)
def test_the_legacy_dialect_has_the_keys_and_types_of_an_s19_pro(command: str) -> None:
    """The shapes are the same, apart from the order, which the recorder of the only complete `stats` lost."""
    recorded = json.loads(capture(f"s19pro-stock-202212/tcp4028-{command}.json"))
    simulated = reply(make_unit(), command)
    assert set(shape(simulated, set())) == set(shape(recorded, set()))


def test_new_api_stats_have_the_key_order_of_the_one_untrimmed_recording() -> None:
    """Keys up to the second board of an S19 Pro+ Hyd. have the same order and the same blanks."""
    recorded = capture("s19proplus-hyd-stock-202303/http-stats.truncated.txt").decode()
    simulated = answer(make_unit("S21 Hyd."), Request("stats", is_new_api=True), START).decode()
    pattern = re.compile(r'(?:[{\[,] ?)"([\w-]+)": ?')
    recorded_keys = pattern.findall(recorded)
    assert pattern.findall(simulated)[: len(recorded_keys)] == recorded_keys
    assert re.sub(r'"[^"]*"|[\d.]+|true', "_", recorded)[:300] == re.sub(r'"[^"]*"|[\d.]+|true', "_", simulated)[:300]


@pytest.mark.parametrize(("model", "folder"), [("S21", "s21-stock-202410-sleep"), ("T21", "t21-stock-202501-sleep")])
def test_asleep_on_line_a_the_recorded_subset_comes_out(model: str, folder: str) -> None:
    """A sleeping S21 or T21 prints a lone header in `stats`, and the recorded values of the other replies."""
    build = {"S21": "s21-202410", "T21": "t21-202501"}[model]
    unit = make_unit(model, build=build, faults=[Asleep()])
    for command, name in (("version", "VERSION"), ("summary", "SUMMARY"), ("stats", "STATS")):
        recorded = json.loads(capture(f"{folder}/tcp4028-{command}.subset.json"))[name]
        simulated = reply(unit, command)[name]
        assert len(simulated) == len(recorded)
        assert {key: simulated[0][key] for key in recorded[0]} == recorded[0]
        assert [type(simulated[0][key]) for key in recorded[0]] == [type(value) for value in recorded[0].values()]


def test_asleep_on_line_c_stats_keep_their_second_object() -> None:
    """Documented (D46): Mode 1, Elapsed 0, fans 0, chips at ambient + 5, the fourth board all zeros."""
    stats = reply(make_unit("S21+", build="s21plus-fr", faults=[Asleep()]), "stats")["STATS"][1]
    ambient = stats["temp1"]
    assert (stats["Mode"], stats["Elapsed"], stats["fan1"], stats["fan4"]) == (1, 0, 0, 0)
    assert (stats["temp2_1"], stats["temp_chip1"]) == (ambient + 5, "-".join([str(ambient + 5)] * 4))
    assert stats["temp_chip4"] == "0-0-0-0"
    assert (stats["GHS 5s"], stats["GHS av"]) == (0.0, 0.0)


def test_asleep_in_the_new_dialect_the_mode_says_so() -> None:
    """`miner-mode` is 1, rates are 0.0 and no board is listed."""
    stats = reply(make_unit(faults=[Asleep()]), "stats", is_new_api=True)["STATS"][0]
    assert (stats["miner-mode"], stats["rate_5s"], stats["rate_avg"], stats["chain"]) == (1, 0.0, 0.0, [])


@pytest.mark.parametrize(
    ("model", "build", "api"),
    [("S21", "s21-202407", "3.1"), ("S21", "s21-fr", "3.1"), ("S21+", "s21plus-202503", "1.0.0")],
)
def test_the_api_version_distinguishes_line_c_from_a_and_b(model: str, build: str, api: str) -> None:
    """Lines A and B report 3.1, line C reports 1.0.0."""
    assert reply(make_unit(model, build=build), "version")["VERSION"][0]["API"] == api


FAULTY = [
    (),
    (DeadBoard(board=1),),
    (DeadBoard(board=0, is_listed=False),),
    (MissingChips(board=2, chips=17), HashrateDrift(ratio=0.9)),
    (FanStopped(fan=1),),
    (PoolDead(pools=1),),
]


@pytest.mark.parametrize("faults", FAULTY, ids=repr)
@pytest.mark.parametrize("model", ["S21", "T21", "S21+", "S21 Pro", "S21 XP", "S21 Hyd.", "S21+ Hyd."])
def test_the_sums_of_a_reply_hold(model: str, faults: tuple[Any, ...]) -> None:
    """Boards sum to the unit, pcb = pic + 10 and chip = pic + 15, and rates, errors and shares agree across replies."""
    unit = make_unit(model, faults=faults)
    for after in (0.0, 12345.0):
        stats = reply(unit, "stats", after=after)["STATS"][1]
        new = reply(unit, "stats", is_new_api=True, after=after)["STATS"][0]
        summary = reply(unit, "summary", after=after)["SUMMARY"][0]
        rates = [float(stats[f"chain_rate{n}"] or "0") for n in range(1, 5)]
        assert sum(rates) == pytest.approx(stats["GHS 5s"], abs=0.02)
        assert sum(chain["rate_real"] for chain in new["chain"]) == pytest.approx(new["rate_5s"], abs=0.02)
        assert (stats["GHS 5s"], stats["GHS av"]) == (new["rate_5s"], new["rate_avg"])
        assert stats["total rate"] == stats["GHS av"]
        assert stats["total_acn"] == sum(stats[f"chain_acn{n}"] for n in range(1, 5))
        assert stats["total_acn"] == sum(chain["asic_num"] for chain in new["chain"])
        errors = sum(stats[f"chain_hw{n}"] for n in range(1, 5))
        assert stats["no_matching_work"] == errors == summary["Hardware Errors"]
        assert stats["total_rateideal"] == new["rate_ideal"] == unit.identity.model.hashrate_hs / 1e9
        assert summary["Total MH"] == pytest.approx(summary["GHS av"] * summary["Elapsed"] * 1000.0, rel=0.003)
        assert summary["Utility"] == pytest.approx(summary["Accepted"] * 60.0 / summary["Elapsed"], abs=0.006)
        assert summary["Work Utility"] == pytest.approx(summary["GHS av"] * 60e9 / 2**32, rel=0.001)
        nonces = max(1.0, new["rate_avg"] * 1e9 * new["elapsed"] / NONCE_HASHES)
        assert new["hwp_total"] == pytest.approx(100.0 * errors / nonces, abs=1e-4)
        for chain in new["chain"]:
            own_nonces = nonces / unit.identity.model.boards
            assert chain["hwp"] == pytest.approx(100.0 * chain["hw"] / own_nonces, abs=1e-4)
        pools = reply(unit, "pools", after=after)["POOLS"]
        for key in ("Accepted", "Rejected", "Stale", "Difficulty Accepted"):
            assert sum(pool[key] for pool in pools) == summary[key]
        assert sum(pool["Stratum Active"] for pool in pools) == 1
        for chain in new["chain"]:
            if unit.identity.model.cooling == "air":
                assert chain["temp_pcb"] == [pic + 10 for pic in chain["temp_pic"]]
                chips = list(chain["temp_pic"])
                if model == "S21 Pro":
                    # Observed (O185): its second chip value repeats the first.
                    chips[1:2] = chips[:1]
                assert chain["temp_chip"] == [pic + 15 for pic in chips]
            assert chain["asic"].count("o") == chain["asic_num"]


@pytest.mark.parametrize(
    ("model", "pic", "pcb", "chip"),
    [
        ("S21", (40, 40, 54, 54), (50, 50, 64, 64), (55, 55, 69, 69)),
        ("S21 Hyd.", (40, 40, 54, 54), (40, 40, 54, 54), (30, 44, 0, 0)),
        ("S21+ Hyd.", (69, 40, 40, 54), (30, 54, 44, 54), (0, 0, 0, 0)),
        ("S21 XP Hyd.", (56, 49, 55, 51), (30, 50, 49, 54), (65, 61, 58, 63)),
        ("S21 Pro", (40, 52, 53, 54), (50, 62, 63, 64), (55, 55, 68, 69)),
        ("S21 Imm. (NEM)", (40, 40, 54, 54), (50, 50, 64, 64), (55, 55, 69, 69)),
    ],
)
def test_sensors_stand_where_each_cooling_has_them(
    model: str, pic: tuple[int, ...], pcb: tuple[int, ...], chip: tuple[int, ...]
) -> None:
    """For a board at 40 in and 54 out, air units derive all values; hydro units move coolant and chips in between."""
    assert sensors.layout(find_model(model), (40, 40, 54, 54)) == (pic, pcb, chip)
    assert sensors.layout(find_model(model), ()) == ((), (), ())


@pytest.mark.parametrize("is_new_api", [False, True])
def test_a_sleeping_unit_uses_no_pool_and_has_no_counts(*, is_new_api: bool) -> None:
    """All three pools are listed, with nothing accepted and no work fetched."""
    pools = reply(make_unit(faults=[Asleep()]), "pools", is_new_api=is_new_api)["POOLS"]
    accepted, getworks, stale = ("accepted", "discarded", "stale") if is_new_api else ("Accepted", "Discarded", "Stale")
    assert [(pool[accepted], pool[getworks], pool[stale]) for pool in pools] == [(0, 0, 0)] * 3
    assert is_new_api or not any(pool["Stratum Active"] for pool in pools)


def test_a_whole_board_prints_the_recorded_ideal() -> None:
    """A board of 108 chips at 490 MHz has an ideal of 67525.0, and the unit that of its sticker, 200000.0."""
    stats = reply(make_unit("S21", hashrate_th=200.0), "stats", is_new_api=True)["STATS"][0]
    assert [chain["rate_ideal"] for chain in stats["chain"]] == [67525.0] * 3
    assert (stats["rate_ideal"], stats["chain"][0]["freq_avg"], stats["chain"][0]["asic_num"]) == (200000.0, 490, 108)


def test_a_dead_board_is_listed_without_chips_or_left_out() -> None:
    """Either asic_num is 0 and there are no temperatures, or the entry is absent."""
    listed = reply(make_unit(faults=[DeadBoard(board=1)]), "stats", is_new_api=True)["STATS"][0]
    left_out = reply(make_unit(faults=[DeadBoard(board=1, is_listed=False)]), "stats", is_new_api=True)["STATS"][0]
    dead = listed["chain"][1]
    assert (dead["index"], dead["asic_num"], dead["rate_real"], dead["temp_chip"]) == (1, 0, 0.0, [])
    assert ([chain["index"] for chain in left_out["chain"]], left_out["chain_num"]) == ([0, 2], 2)


def test_missing_chips_are_marked_in_the_map() -> None:
    """A board with 82 of 108 chips shows 82 o and 26 x, in both dialects."""
    unit = make_unit(faults=[MissingChips(board=0, chips=26)])
    chain = reply(unit, "stats", is_new_api=True)["STATS"][0]["chain"][0]
    assert (chain["asic_num"], chain["asic"].count("o"), chain["asic"].count("x")) == (82, 82, 26)
    assert reply(unit, "stats")["STATS"][1]["chain_acs1"] == chain["asic"]


@pytest.mark.parametrize(
    "data",
    [
        b'{"command":"devdetails"}',
        b'{"command":"config"}',
        b'{"command":"summary+stats"}',
        b'{"command":"privileged"}',
        b'{"command":"reload"}',
        b'{"command":"quit","new_api":true}',
        b'{"command":"restart"}',
        b'{"command":["stats"]}',
        b"{}",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"",
        b"[" * 4095,
        b'{"command":' * 300,
        b"summary+pools",
    ],
    ids=repr,
)
def test_everything_else_is_an_invalid_command(data: bytes) -> None:
    """Unknown, joined, writing and unreadable commands get E/14, as recorded from an S19 Pro."""
    text = answer(make_unit(), read_request(data), START)
    assert text == (
        b'{"STATUS":[{"STATUS":"E","When":1760000000,"Code":14,"Msg":"Invalid command",'
        b'"Description":"cgminer 1.0.0"}],"id":1}'
    )


@pytest.mark.parametrize("command", ["reload", "sleep", "network"])
def test_the_switches_of_the_pages_exist_in_the_new_dialect_alone(command: str) -> None:
    """A switch replies success in the envelope of its dialect, and nothing else."""
    body = reply(make_unit(), command, is_new_api=True)
    assert list(body) == ["STATUS", "INFO", command.upper()]
    assert (body["STATUS"]["STATUS"], body["STATUS"]["Msg"], body[command.upper()]) == ("S", command, [])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"command":"stats"}', Request("stats", is_new_api=False)),
        (b'{"command": "stats", "new_api": true}\n', Request("stats", is_new_api=True)),
        (b'{"command":"stats","new_api":false}', Request("stats", is_new_api=False)),
        (b'{"command":"stats","parameter":{"new_api":true}}', Request("stats", is_new_api=False)),
        (b'{"command":"version","parameter":""}\0', Request("version", is_new_api=False)),
        (b"summary\n", Request("summary", is_new_api=False)),
        (b"stats|0", Request("stats", is_new_api=False)),
    ],
    ids=repr,
)
def test_requests_are_parsed_as_a_control_board_parses_them(data: bytes, expected: Request) -> None:
    """JSON may end with a newline or NUL, `new_api` counts at the top level only, plain text may have a parameter."""
    assert read_request(data) == expected._replace(data=data)


def test_every_reply_of_every_model_is_strict_json_in_any_state() -> None:
    """A farm with every trouble, from start to steady state, prints only strict JSON without NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    mix = ",".join(f"{model.name}:{model.hashrate_th:g}={100 / len(farmable_models())}%" for model in farmable_models())
    troubles = Troubles(off=0.0, asleep=0.2, starting=0.2, missing_board=0.2, missing_chips=0.2, slow=0.1)
    for unit, after in itertools.product(make_farm(60, mix=mix, troubles=troubles).units, (0.0, 60.0, 500.0)):
        for request in REQUESTS:
            text = answer(unit, request, START + after)
            json.loads(text, parse_constant=refuse)
            assert b"\0" not in text
            assert len(text) < 8000


def test_same_seed_same_bytes() -> None:
    """Two farms of one seed print the same bytes in any order of requests; another seed prints different ones."""
    one, two, other = (make_farm(20, seed=seed, troubles=Troubles(starting=0.2)) for seed in (5, 5, 6))
    moments = (0.0, 33.0, 500.0)
    forth = [answer(u, r, START + t) for t in moments for u in one.units for r in REQUESTS]
    for unit in reversed(two.units):
        unit.snapshot(START + 7.0)
    assert [answer(u, r, START + t) for t in moments for u in two.units for r in REQUESTS] == forth
    assert [answer(u, r, START + t) for t in moments for u in other.units for r in REQUESTS] != forth


def test_error_texts_follow_the_faults() -> None:
    """A low rate shows R:1 and a stopped fan F2:1, in the status list and in `warning`."""
    cases = [
        ((), {}),
        ((HashrateDrift(ratio=0.5),), {"rate": "R:1"}),
        ((FanStopped(fan=1),), {"fans": "F2:1"}),
    ]
    for faults, expected in cases:
        unit = make_unit(faults=faults)
        status = reply(unit, "summary", is_new_api=True)["SUMMARY"][0]["status"]
        said = {item["type"]: item["msg"] for item in status if item["status"] != "s"}
        assert said.items() >= expected.items()
        assert [item["type"] for item in status] == ["rate", "network", "fans", "temp"]
        codes = [item["code"] for item in reply(unit, "warning", is_new_api=True)["WARNING"]]
        assert codes == list(said.values())


def test_a_restart_shows_in_the_uptime_of_both_dialects() -> None:
    """After a reboot Elapsed and elapsed count from zero."""
    unit = make_unit()
    assert reply(unit, "summary")["SUMMARY"][0]["Elapsed"] == 86400
    unit.schedule(Change(START + 1.0, 2, Verb.REBOOT))
    assert reply(unit, "summary", after=1.0 + 45.0 + 100.0)["SUMMARY"][0]["Elapsed"] == 100
    assert reply(unit, "stats", is_new_api=True, after=1.0 + 45.0 + 100.0)["STATS"][0]["elapsed"] == 100


# Documented (D81, D84, D85, D87): keys and order of the recordings of 2026, up to the boards.
POWER_KEYS = (
    *("elapsed", "rate_5s", "rate_30m", "rate_avg", "rate_ideal", "rate_unit", "chain_num", "fan_num", "fan"),
    *("hwp_total", "watt", "jt", "miner-mode", "freq-level", "chain"),
)
SALE_KEYS = (
    *("elapsed", "rate_5s", "rate_30m", "rate_avg", "rate_ideal", "rate_sale", "rate_unit", "chain_num", "fan_num"),
    *("fan", "hwp_total", "miner-mode", "freq-level-mode", "freq-level-min", "freq-level", "watt", "jt"),
    *("ambient_temp", "chain"),
)
BOARD_KEYS = (
    *("index", "freq_avg", "rate_ideal", "rate_real", "asic_num", "asic", "temp_pic", "temp_pcb", "temp_chip"),
    *("hw", "eeprom_loaded", "sn", "hwp", "tpl"),
)
SALE_BOARD_KEYS = (
    *BOARD_KEYS[:9],
    *("temp_in", "temp_out", "hw", "eeprom_loaded", "sn", "hwp", "eeprom_level", "eeprom_vol", "eeprom_freq"),
    *("eeprom_bin", "eeprom_ft", "tpl"),
)


@pytest.mark.parametrize(
    ("model", "build", "keys", "board_keys"),
    [
        ("S21", "s21-202604", POWER_KEYS, BOARD_KEYS),
        ("S21 XP Hyd.", "s21xphyd-202601", POWER_KEYS, BOARD_KEYS),
        ("S21j XP Hyd.", "s21jxphyd-202605", SALE_KEYS, SALE_BOARD_KEYS),
        ("S23 Hyd.", "s23hyd-202605", SALE_KEYS, SALE_BOARD_KEYS),
    ],
)
def test_builds_of_2026_print_the_keys_of_their_recordings(
    model: str, build: str, keys: tuple[str, ...], board_keys: tuple[str, ...]
) -> None:
    """The new dialect has power and more; the legacy one of the same unit has none of it."""
    unit = make_unit(model, build=build)
    [stats] = reply(unit, "stats", is_new_api=True)["STATS"]
    assert tuple(stats) == keys
    assert [tuple(board) for board in stats["chain"]] == [board_keys] * 3
    assert not {"watt", "power"} & set(reply(unit, "stats")["STATS"][1])


@pytest.mark.parametrize(("model", "build"), [("S21", "s21-202604"), ("S21j XP Hyd.", ""), ("S23 Hyd.", "")])
def test_builds_of_2026_report_the_true_power(model: str, build: str) -> None:
    """`watt` is the power at the wall and `jt` that over the rate; asleep, it is standby."""
    unit = make_unit(model, build=build)
    [stats] = reply(unit, "stats", is_new_api=True)["STATS"]
    assert stats["watt"] == round(unit.power_watts(START))
    assert stats["jt"] == pytest.approx(1000 * stats["watt"] / stats["rate_5s"], abs=0.01)
    [asleep] = reply(make_unit(model, build=build, faults=[Asleep()]), "stats", is_new_api=True)["STATS"]
    assert (asleep["watt"], asleep["jt"], asleep["miner-mode"]) == (18, 0.0, 1)


def test_the_build_of_january_2026_reports_no_power() -> None:
    """Observed (O187): 0 W and 0.0 J/TH of an S21 XP Hyd. that hashes."""
    [stats] = reply(make_unit("S21 XP Hyd.", build="s21xphyd-202601"), "stats", is_new_api=True)["STATS"]
    assert (stats["watt"], stats["jt"]) == (0, 0.0)
    assert stats["rate_5s"] > 460_000
    assert stats["chain"][0]["asic"].split() == ["o" * 8] * 20


def test_units_of_may_2026_tell_what_they_were_sold_as() -> None:
    """`rate_sale` is the bin, and the ideal that of the boards; a hydro unit lists no fan, and legacy Mode is 0."""
    unit = make_unit("S21j XP Hyd.")
    [stats] = reply(unit, "stats", is_new_api=True)["STATS"]
    assert (stats["rate_sale"], stats["fan_num"], stats["fan"]) == (495_000, 0, [])
    assert stats["rate_ideal"] == sum(board["rate_ideal"] for board in stats["chain"])
    assert stats["chain"][0]["asic"] == " ooooooooooo ooooooooooo ooooooooooo ooooooooo--"
    [summary] = reply(unit, "summary", is_new_api=True)["SUMMARY"]
    assert "rate_sale" not in summary
    assert [(item["type"], item["status"]) for item in summary["status"]][2:] == [("fans", ""), ("temp", "s")]
    assert reply(unit, "stats")["STATS"][1]["Mode"] == 0


def test_coolant_has_keys_of_its_own_on_an_s23() -> None:
    """Documented (D86): coolant and chip in `temp_in` and `temp_out`; an S21j XP Hyd. leaves both empty."""
    [stats] = reply(make_unit("S23 Hyd."), "stats", is_new_api=True)["STATS"]
    for board in stats["chain"]:
        way_in, way_out = board["temp_pic"][0], board["temp_pic"][2]
        assert (board["temp_in"], board["temp_out"]) == ([way_in, way_in + 10], [way_out, way_out + 14])
        assert way_in < way_out
    [stats] = reply(make_unit("S21j XP Hyd."), "stats", is_new_api=True)["STATS"]
    assert [(board["temp_in"], board["temp_out"]) for board in stats["chain"]] == [([], [])] * 3


def test_bad_chips_are_marked_in_both_dialects() -> None:
    """The count is the design's, and the map has an ``x`` for each bad chip."""
    unit = make_unit(faults=[BadChips(board=1, chips=12)])
    board = reply(unit, "stats", is_new_api=True)["STATS"][0]["chain"][1]
    assert (board["asic_num"], board["asic"].count("x"), board["asic"].count("o")) == (108, 12, 96)
    stats = reply(unit, "stats")["STATS"][1]
    assert (stats["chain_acn2"], stats["chain_acs2"], stats["total_acn"]) == (108, board["asic"], 324)


def test_the_places_of_chips_are_those_of_the_recording() -> None:
    """Columns of eight, up and down in turn, on a board of 160; places beyond the last chip are 0."""
    places = json.loads(sensors.topology(160, 8))
    assert [row[:4] for row in places[::7]] == [[8, 9, 24, 25], [1, 16, 17, 32]]
    assert (len(places), {len(row) for row in places}) == (8, {20})
    assert sorted(itertools.chain.from_iterable(json.loads(sensors.topology(42, 4)))) == [0, 0, *range(1, 43)]
