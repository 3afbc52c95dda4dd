"""Checks of what other firmware is assumed to say: each confirmed and refuted by replies written by hand."""

from typing import Any

import pytest
from recording_cases import legacy, raw, recorded

from agent.hil.assumptions import aftermarket
from agent.hil.assumptions.check import Verdict
from agent.hil.assumptions.recorded import Exchange
from agent.hil.assumptions.table import judge

VNISH = {"Type": "Antminer S21 Pro (Vnish 1.2.7)"}
LUXOS = legacy("version", {"API": "3.7", "LUXminer": "2025.7.10", "Type": "Antminer S21"})
BRAIINS = legacy("version", {"API": "3.7", "BOSer": "boser-openwrt 0.1.0"})
MODEL = legacy("devdetails", {"ID": 1, "Model": "Antminer S21"})


def vnish(**figures: Any) -> Exchange:
    """Return `stats` of a unit under VNish."""
    return legacy("stats", VNISH, figures)


def ended(*, has_nul: bool) -> Exchange:
    """Return `stats` of a unit under VNish that ended so."""
    return raw("stats", vnish(Elapsed=9).reply, has_nul=has_nul)


LOST = {"chain_acn1": 65, "chain_state1": "mining", "chain_state2": "disconnected"}
CONFIG = {"SystemStatus": "Initializing"}
CASES = [
    ("A170", (ended(has_nul=True),), (ended(has_nul=False),)),
    (
        "A171",
        (vnish(state="failure", **{"GHS 5s": "0.00"}),),
        (vnish(state="failure", **{"GHS 5s": "174000.0"}),),
    ),
    ("A172", (vnish(**LOST, chain_acn2=65),), (vnish(**LOST, chain_acn2=60),)),
    (
        "A175",
        (LUXOS, legacy("config", CONFIG, state="asleep")),
        (LUXOS, Exchange(request="config", state="asleep")),
    ),
    (
        "A178",
        (LUXOS, legacy("config", CONFIG, state="starting")),
        (LUXOS, legacy("config", {"SystemStatus": "Normal"}, state="starting")),
    ),
    ("A182", (BRAIINS, MODEL, legacy("devs", {"ID": 1})), (BRAIINS, MODEL, legacy("devs", {"ID": 0}))),
    (
        "A183",
        (BRAIINS, MODEL, legacy("temps", {"Board": 50.2, "Chip": 65.2})),
        (BRAIINS, MODEL, legacy("temps", {"Board": 50.2, "Chip": 57.0})),
    ),
    (
        "A198",
        (raw("page :4028/network", b'{"dhcp": null}'),),
        (raw("page :4028/network", b'{"dhcp": nul'),),
    ),
]


def verdict_of(name: str, *exchanges: Exchange) -> Verdict:
    """Return the verdict on one assumption."""
    return next(each.verdict for each in judge(recorded(*exchanges)) if each.id == name)


@pytest.mark.parametrize(("name", "agreeing", "contradicting"), CASES, ids=[case[0] for case in CASES])
def test_replies_confirm_or_refute(
    name: str, agreeing: tuple[Exchange, ...], contradicting: tuple[Exchange, ...]
) -> None:
    """One contradiction refutes, also beside what agrees."""
    assert verdict_of(name, *agreeing) is Verdict.CONFIRMED
    assert verdict_of(name, *contradicting) is Verdict.REFUTED
    assert verdict_of(name, *agreeing, *contradicting) is Verdict.REFUTED


@pytest.mark.parametrize("name", [case[0] for case in CASES])
def test_stock_firmware_shows_nothing_of_it(name: str) -> None:
    """The same reports of a stock unit are about nothing here."""
    version = legacy("version", {"API": "3.1", "Miner": "uart_trans.1.3", "Type": "Antminer S21"})
    both = [each for _, agreeing, contradicting in CASES for each in (*agreeing, *contradicting)]
    # A page on TCP 4028 is ePIC firmware's alone.
    others = [each for each in both if each.request != "version" and not each.request.startswith("page :4028")]
    plain = [raw(each.request, each.reply.replace(b" (Vnish 1.2.7)", b""), state=each.state) for each in others]
    assert verdict_of(name, version, *plain) is Verdict.NOT_SHOWN


def test_every_check_has_its_case() -> None:
    """Each has a recording that confirms and one that refutes."""
    assert {case[0] for case in CASES} == {check.id for check in aftermarket.CHECKS}
