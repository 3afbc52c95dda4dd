"""Recorded units under other firmware: right figures, and what no reader believes, on captures that were changed.

The claims are those of the facts in `docs/aftermarket-api.md`; each is checked on every reader that it concerns.
"""

from collections.abc import Callable
from typing import Any

import pytest
from recorded_firmware import Firmware

from agent.unit.consistency.alone import held_alone
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import Mode, PowerKind, UnitReading

S19K_PRO = Firmware("luxos", "s19kpro-luxos-2025")
S19J_PRO = Firmware("luxos", "s19jpro-luxos-2025")
S21_PRO = Firmware("vnish", "s21pro-vnish-2026")
S19_XP = Firmware("vnish", "s19xp-vnish-2023")
BMM_100 = Firmware("braiins", "other-bmm100-braiins-2026")
S9 = Firmware(
    "braiins", "other-s9-bosminerplus-2020-tuning", "other-s9-bosminerplus-2020", "other-s9-bosminerplus-2021"
)
EVERY = {"S19k Pro": S19K_PRO, "S19j Pro": S19J_PRO, "S21 Pro": S21_PRO, "S19 XP": S19_XP, "BMM 100": BMM_100, "S9": S9}
OF_THREE = {"S19k Pro": S19K_PRO, "S21 Pro": S21_PRO, "S19 XP": S19_XP, "S9": S9}
TH = 1e12
LOWER = 0.75

every = pytest.mark.parametrize("unit", EVERY.values(), ids=EVERY)
of_three = pytest.mark.parametrize("unit", OF_THREE.values(), ids=OF_THREE)


@pytest.mark.parametrize(
    ("unit", "reader", "rate", "boards_th", "rest"),
    [
        (S19K_PRO, "luxos", (59.75606, 5), [19.774, 19.231, 20.752], (1051, Mode.NORMAL, [False] * 4)),
        (S19J_PRO, "luxos", (68.10452, 5), [None] * 3, (None, Mode.NORMAL, [False])),
        (S21_PRO, "vnish", (173.87094, 5), [60.797, 57.767, 55.307], (2583, Mode.NORMAL, [False, False, True])),
        (S19_XP, "vnish", (140.25858, 5), [47.017, 47.263, 45.979], (None, Mode.NORMAL, [False, False, False, True])),
        (BMM_100, "braiins", (1.47444, 60), [1.475], (None, None, [False] * 3)),
        (S9, "braiins", (10.96763, 60), [3.592, 3.752, 3.624], (1419, Mode.NORMAL, [False] * 3)),
    ],
    ids=EVERY,
)
def test_recorded_units(
    unit: Firmware, reader: str, rate: tuple[float, int], boards_th: list[Any], rest: tuple[Any, ...]
) -> None:
    """Rate in its unit and window, boards at their slots, watts as an estimate, the work state, the maker's pools."""
    (th, window_s), (watts, mode, pools) = rate, rest
    reading = unit.read()
    assert (reading.reader, reading.mode, reading.rate_window_s) == (reader, mode, window_s)
    assert reading.rate_hs == pytest.approx(th * TH, rel=1e-5)
    assert [board.slot for board in reading.boards] == list(range(len(boards_th)))
    rates = [None if board.hashrate_hs is None else round(board.hashrate_hs / TH, 3) for board in reading.boards]
    assert rates == boards_th
    assert reading.power_watts == watts
    assert reading.power_kind == (None if watts is None else PowerKind.ESTIMATED)
    assert [pool.is_fee for pool in reading.pools] == pools
    assert any(pool.is_active for pool in reading.pools if not pool.is_fee)


def missing(unit: Firmware, slot: int) -> Firmware:
    """Return the unit without one board, as its firmware leaves it out."""

    def change(replies: dict[str, Any]) -> None:
        if unit.name == "vnish":
            row = replies["stats"]["STATS"][1]
            rate = float(row.pop(f"chain_rate{slot + 1}"))
            row |= {f"chain_acn{slot + 1}": 0, f"chain_state{slot + 1}": "disconnected"}
            row["GHS 5s"] = str(float(row["GHS 5s"]) - rate)
            return
        first = 6 if unit is S9 else 0
        for command in ("devs", "devdetails", "temps"):
            rows = replies.get(command, {}).get(command.upper(), [])
            if command == "devs":
                gone = next(row for row in rows if row["ID"] == first + slot)
                summary = replies["summary"]["SUMMARY"][0]
                for key in ("MHS 1m", "MHS 5s"):
                    other = key.replace("MHS", "GHS")
                    if key in summary:
                        summary[key] -= gone[key]
                    elif other in summary:
                        summary[other] -= gone[key] / 1e3
            rows[:] = [row for row in rows if row["ID"] != first + slot]

    return unit.changed(change)


@of_three
@pytest.mark.parametrize("slot", [0, 1, 2])
def test_a_missing_board_is_missing_at_its_slot(unit: Firmware, slot: int) -> None:
    """The others keep their slots and rates, and the unit its own."""
    before, reading = unit.read(), missing(unit, slot).read()
    kept = [board for board in reading.boards if board.chips != 0]
    assert [board.slot for board in kept] == [place for place in range(3) if place != slot]
    rates = {board.slot: board.hashrate_hs for board in before.boards}
    assert all(board.hashrate_hs == rates[board.slot] for board in kept)
    if unit is not S9:
        # The three S9s of the library are no one unit: its total is not that of its boards.
        assert reading.rate_hs == pytest.approx((before.rate_hs or 0) - (rates[slot] or 0), rel=1e-6)


def test_a_fourth_board_has_a_slot_of_its_own() -> None:
    """One more than is usual."""

    def more(command: str, number: int) -> Callable[[dict[str, Any]], None]:
        def change(replies: dict[str, Any]) -> None:
            rows = replies[command][command.upper()]
            rows.append({**rows[0], "ID": number})

        return change

    assert [board.slot for board in S19K_PRO.changed(more("devs", 3)).read().boards] == [0, 1, 2, 3]
    assert [board.slot for board in S9.changed(more("devs", 9)).read().boards] == [0, 1, 2, 3]
    fourth = {"chain_rate4": 50_000.0, "chain_acn4": 65, "chain_state4": "mining", "temp_pcb4": "50-40-50-50"}
    four = S21_PRO.changed(lambda replies: replies["stats"]["STATS"][1].update(fourth))
    assert [board.slot for board in four.read().boards] == [0, 1, 2, 3]


# 1. Ideal, nominal, expected: all follow the running profile.
@every
def test_no_ideal_is_a_nameplate(unit: Firmware) -> None:
    """Three quarters of it changes no rate, no bin, and no other figure."""

    def lower(replies: dict[str, Any]) -> None:
        for row in replies.get("devs", {}).get("DEVS", ()):
            row["Nominal MHS"] *= LOWER
        for row in replies.get("stats", {}).get("STATS", ()):
            if "total_rateideal" in row and unit.name == "vnish":
                row["total_rateideal"] = float(row["total_rateideal"]) * LOWER
        for row in replies.get("config", {}).get("CONFIG", ()):
            row["NameplateTHS"] = 7.0

    before, after = unit.read(), unit.changed(lower).read()
    assert (after.hashrate_sale_hs, after.is_profile_ideal) == (None, True)
    assert after.rate_hs == before.rate_hs
    ideal_hs = before.hashrate_ideal_hs
    assert after.hashrate_ideal_hs == (None if ideal_hs is None else pytest.approx(ideal_hs * LOWER))


# 2. Watts of the firmware are no power at the wall; nought is none.
@every
@pytest.mark.parametrize("watts", [0, -1, "N/A", None])
def test_no_watts_are_no_power(unit: Firmware, watts: Any) -> None:
    """And have no source."""

    def without(replies: dict[str, Any]) -> None:
        for row in replies.get("power", {}).get("POWER", ()):
            row["Watts"] = watts
        for row in replies.get("tunerstatus", {}).get("TUNERSTATUS", ()):
            row["ApproximateMinerPowerConsumption"] = watts
        for row in replies.get("stats", {}).get("STATS", ()):
            row |= {key: watts for key in row if key.startswith("chain_consumption")}

    reading = unit.changed(without).read()
    assert (reading.power_watts, reading.power_kind) == (None, None)


# 3. A chip that is the board and 15.
@pytest.mark.parametrize(
    ("unit", "is_computed"),
    [(S21_PRO, True), (S19_XP, True), (S9, False), (BMM_100, False), (S19K_PRO, False)],
    ids=["S21 Pro", "S19 XP", "S9", "BMM 100", "S19k Pro"],
)
def test_computed_chips_are_marked(unit: Firmware, *, is_computed: bool) -> None:
    """VNish's are; LuxOS tells no chip's at all."""
    reading = unit.read()
    assert reading.is_chip_computed is is_computed
    assert unit.name != "luxos" or not any(board.chip_celsius for board in reading.boards)


# 4. Windows longer than the run.
@every
def test_no_longer_window_is_the_rate(unit: Firmware) -> None:
    """Whatever they say: beside a rate of now, they are not looked at."""

    def inflate(replies: dict[str, Any]) -> None:
        for row in replies.get("summary", {}).get("SUMMARY", ()):
            row |= {key: row[key] * 1.5 for key in row if key.endswith((" 30m", " 24h", " 15m", " 5m"))}

    assert unit.changed(inflate).read().rate_hs == unit.read().rate_hs


@pytest.mark.parametrize("unit", [S19K_PRO, S19J_PRO], ids=["S19k Pro", "S19j Pro"])
def test_luxos_has_no_half_hour_before_it_is_full(unit: Firmware) -> None:
    """By the run of the boards, which may be younger than the process; the day is never read."""

    def young(replies: dict[str, Any]) -> None:
        replies["summary"]["SUMMARY"][0]["Elapsed"] = 22_202 if "devs" in replies else 1_200
        for row in replies.get("devs", {}).get("DEVS", ()):
            row["Device Elapsed"] = 748

    assert unit.read().hashrate_30m_hs is not None
    assert unit.changed(young).read().hashrate_30m_hs is None


# 5. Totals that mean something else.
@every
def test_other_totals_are_not_read(unit: Firmware) -> None:
    """`total rate` of LuxOS is a board's mean, `Total MH` its average; neither is looked at."""

    def lie(replies: dict[str, Any]) -> None:
        for command in ("summary", "devs", "stats"):
            for row in replies.get(command, {}).get(command.upper(), ()):
                row |= {key: 1.0 for key in row if key in {"Total MH", "total rate", "total_acn", "Utility"}}

    assert unit.changed(lie).read() == unit.read()


# 6. Alive, Enabled and Stratum Active as proof of work.
@every
def test_constants_prove_nothing(unit: Firmware) -> None:
    """A unit without a rate hashes nothing, whatever they say."""

    def stand(replies: dict[str, Any]) -> None:
        for command in ("summary", "devs", "stats"):
            for row in replies.get(command, {}).get(command.upper(), ()):
                zero = (" 5s", " 1m", "total_rate")
                row |= {key: type(row[key])(0) for key in row if key.endswith(zero) or key.startswith("chain_rate")}

    reading = unit.changed(stand).read()
    assert not reading.rate_hs
    assert not any(board.hashrate_hs for board in reading.boards)
    assert reading.mode is not Mode.SLEEP


# 8. 0 C, 0 rpm and -1.
@of_three
@pytest.mark.parametrize("nothing", [0, -1, None])
def test_noughts_are_no_temperatures(unit: Firmware, nothing: Any) -> None:
    """None is shown as one."""

    def cold(replies: dict[str, Any]) -> None:
        for row in replies.get("temps", {}).get("TEMPS", ()):
            row |= {key: nothing for key in row if key not in {"ID", "TEMP"}}
        for row in replies.get("stats", {}).get("STATS", ()):
            row |= {key: "0-0-0-0" for key in row if key.startswith(("temp_pcb", "temp_chip"))}

    reading = unit.changed(cold).read()
    found = [celsius for board in reading.boards for celsius in (*board.chip_celsius, *board.pcb_celsius)]
    assert not any(celsius is not None and celsius <= 0 for celsius in found)
    assert not any(found)


# Rates in other units, as text, under other versions.
def scaled(prefix: str, factor: float, *, is_text: bool = False) -> Callable[[dict[str, Any]], None]:
    """Return a change of the unit's rates: other keys, other numbers, or text."""

    def change(replies: dict[str, Any]) -> None:
        row = replies["summary"]["SUMMARY"][0]
        for key in [key for key in row if key[1:4] == "HS "]:
            value = row.pop(key) * factor
            row[prefix + key[1:]] = str(value) if is_text else value

    return change


@pytest.mark.parametrize(
    ("unit", "prefix", "factor"),
    [
        *((unit, prefix, factor) for unit in (S19K_PRO, S19J_PRO) for prefix, factor in (("M", 1e3), ("T", 1e-3))),
        *((unit, prefix, factor) for unit in (BMM_100, S9) for prefix, factor in (("G", 1e-3), ("T", 1e-6))),
    ],
    ids=lambda value: value.name if isinstance(value, Firmware) else str(value),
)
def test_rates_in_another_unit(unit: Firmware, prefix: str, factor: float) -> None:
    """The key says which: GH/s, MH/s or TH/s are the same rate, over the same window."""
    before, after = unit.read(), unit.changed(scaled(prefix, factor)).read()
    assert after.rate_hs == pytest.approx(before.rate_hs, rel=1e-9)
    assert after.rate_window_s == before.rate_window_s
    assert after.hashrate_avg_hs == pytest.approx(before.hashrate_avg_hs, rel=1e-9)


@pytest.mark.parametrize("unit", [S19K_PRO, BMM_100], ids=["S19k Pro", "BMM 100"])
def test_rates_as_text(unit: Firmware) -> None:
    """The same rate, and a repair that says so."""
    own = "G" if unit.name == "luxos" else "M"
    after = unit.changed(scaled(own, 1.0, is_text=True)).read()
    assert after.rate_hs == unit.read().rate_hs
    assert "number_in_string" in after.repairs


def renamed(value: Any, old: str, new: str) -> Any:
    """Return a JSON tree in which a text stands for another in every text."""
    if isinstance(value, dict):
        return {key: renamed(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, old, new) for item in value]
    return value.replace(old, new) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("unit", "old", "new"),
    [
        (S19K_PRO, "LUXminer 2025.4.8.220305-57b389c7", "LUXminer 2027.1.2.030405-0badcafe"),
        (S21_PRO, "Vnish 1.2.7", "Vnish 1.5.0-rc2"),
        (BMM_100, "boser-openwrt 0.1.0-fc9fe388", "boser-openwrt 0.2.0-ffffffff"),
    ],
    ids=["LuxOS", "VNish", "Braiins OS"],
)
def test_a_newer_version_with_keys_that_nobody_knows(unit: Firmware, old: str, new: str) -> None:
    """It is read as before, whatever it adds."""

    def newer(replies: dict[str, Any]) -> None:
        for command in list(replies):
            replies[command] = renamed(replies[command], old, new)
            for section in replies[command].values():
                for row in section if isinstance(section, list) else ():
                    if isinstance(row, dict):
                        row |= {"Brand New": {"a": [1, 2]}, "GHS 2h": "later", "x" * 200: None}

    def without_names(reading: UnitReading) -> Any:
        return (reading.rate_hs, reading.boards, reading.mode, reading.power_watts, reading.pools, reading.shares)

    after = unit.changed(newer).read()
    assert without_names(after) == without_names(unit.read())
    assert after.identity != unit.read().identity


@every
def test_each_report_but_the_essential_may_be_missing(unit: Firmware) -> None:
    """Its figures are left out; the rate stays."""
    essential = {"stats", "version"} if unit.name == "vnish" else {"summary", "version"}
    before = unit.read()
    for command in set(unit.replies) - essential:
        after = unit.changed(lambda replies, command=command: replies.pop(command)).read()  # type: ignore[misc]
        # The S9s of the library are no one unit: without `devs` its total is that of `summary`.
        assert after.rate_hs == before.rate_hs or (unit is S9 and command == "devs"), command


@every
def test_held_alone_nothing_is_refuted(unit: Firmware) -> None:
    """A recorded unit that hashes needs no repair by the rules of consistency."""
    reading = unit.read()
    assert held_alone(reading, shipped_catalogue()) == reading
