"""Firmware builds of the S21 family: the versions each reports, and the builds each model runs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Line(StrEnum):
    """The firmware lines in the field. Observed (O12): A. Documented (D19, D20): B and C."""

    A = "A"
    B = "B"
    C = "C"


class Report(StrEnum):
    """The keys of `stats` in the new dialect. Documented (D81, D84, D85): those of 2026.

    Attributes:
        PLAIN: Before 2026: no power.
        POWER: From January 2026: `watt` and `jt`, and the boards' topology.
        SALE: From May 2026: the bin it was sold as, the ambient, and coolant keys as well.
    """

    PLAIN = "plain"
    POWER = "power"
    SALE = "sale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One firmware build.

    Attributes:
        key: Name in this table.
        line: The line it belongs to.
        compile_time: Date on TCP 4028, single-digit days padded with a space.
        filesystem_version: The same date or an ``FR-`` name, as on the web pages.
        subtype: Control board and hashboard, as on the web pages.
        api: API version.
        miner: Version of the hash side.
        report: The keys of its `stats` in the new dialect.
        is_power_measured: False if it reports 0 W and 0.0 J/TH always.
        map_group: Chips in a group of a board's chip map.
    """

    key: str
    line: Line
    compile_time: str
    filesystem_version: str
    subtype: str
    api: str
    miner: str = "uart_trans.1.3"  # Assumed (A13): of every build before 2026.
    report: Report = Report.PLAIN
    is_power_measured: bool = True
    map_group: int = 3  # Assumed (A17): of every build before 2026.

    @property
    def restart_s(self) -> float:
        """Time for which the API is down while the miner process restarts, as after a change of mode."""
        # Documented (D51): stopping takes 8 s on zynq boards and 50 s on CVCtrl boards, starting 5 s. Assumed
        # (A35): AML as zynq.
        return 55.0 if self.subtype.startswith("CVCtrl") else 13.0

    @property
    def is_sleep_reported_in_full(self) -> bool:
        """True if `stats` keeps its second object in sleep.

        Documented (D46): line C does. Observed (O61): A drops it. Assumed (A31): so does B.
        """
        return self.line is Line.C


def _build(key: str, line: Line, compile_time: str, subtype: str, release: str = "", **of_2026: Any) -> Build:
    return Build(
        key=key,
        line=line,
        compile_time=compile_time,
        filesystem_version=release or " ".join(compile_time.split()),
        subtype=subtype,
        api="1.0.0" if line is Line.C else "3.1",
        **of_2026,
    )


BUILDS = {
    build.key: build
    for build in (
        # Observed (O12): s21-stock-aml-202407 and s21-stock-202410-sleep. Assumed (A53): the subtype.
        _build("s21-202407", Line.A, "Thu Jul 11 16:38:25 CST 2024", "AMLCtrl_BHB68606"),
        _build("s21-202410", Line.A, "Fri Oct 11 16:34:48 CST 2024", "AMLCtrl_BHB68606"),
        # Documented (D19): FR-1.12(251009-S21). Assumed (A10): 4028 keeps a date of the same day.
        _build("s21-fr", Line.B, "Thu Oct  9 15:20:11 CST 2025", "AMLCtrl_BHB68606", "FR-1.12(251009-S21)"),
        # Observed (O12): t21-stock-202501-sleep.
        _build("t21-202501", Line.A, "Sun Jan 26 18:50:43 CST 2025", "AMLCtrl_BHB68703"),
        # Observed (O14): s21plus-stock-202503 (web). Documented (D20): FR-1.15(250422-S21+) with a date on
        # 4028.
        _build("s21plus-202503", Line.C, "Wed Mar 12 14:34:31 CST 2025", "AMLCtrl_BHB68802"),
        _build("s21plus-fr", Line.C, "Tue Apr 22 17:04:42 CST 2025", "AMLCtrl_BHB68802", "FR-1.15(250422-S21+)"),
        # Documented (D21, D74): names of published images. Assumed (A11): the time of day.
        _build("s21hyd-fr", Line.B, "Wed Apr 16 11:02:27 CST 2025", "zynq7007_HHB68XXX", "FR-1.1(250416-S21 Hyd.)"),
        _build("s21plushyd-202502", Line.A, "Wed Feb 19 07:30:20 CST 2025", "CVCtrl_H6HB70701"),
        _build("s21xphyd-202410", Line.A, "Fri Oct 11 16:43:05 CST 2024", "zynq7007_HHB70501"),
        _build("s21exphyd-202501", Line.A, "Mon Jan  6 15:07:41 CST 2025", "zynq7007_HHB70501"),
        _build("s21ehyd-fr", Line.B, "Tue May 20 10:14:09 CST 2025", "CVCtrl_H6HB70701", "FR-1.14(250520-S21e Hyd.)"),
        # Assumed (A12): no build of S21 Pro or S21 XP is published in the clear; dated like their family.
        _build("s21pro-202411", Line.A, "Mon Nov 18 14:09:52 CST 2024", "AMLCtrl_A3HB70601"),
        _build("s21xp-202411", Line.A, "Mon Nov 18 14:31:07 CST 2024", "AMLCtrl_A3HB70501"),
        # Observed (O189): s21pro-stock-202507. Assumed (A53): the subtype.
        _build("s21pro-202507", Line.A, "Fri Jul 18 13:26:42 CST 2025", "AMLCtrl_A3HB70601", map_group=5),
        # Assumed (A12): nor is one of an immersed unit, of the S21 XP+ Hyd. or of the U3S21EXPH.
        _build("s21imm-202503", Line.A, "Tue Mar  4 10:12:44 CST 2025", "AMLCtrl_BHB68606"),
        _build("s21xpimm-202412", Line.A, "Mon Dec 16 15:40:18 CST 2024", "AMLCtrl_A3HB70501"),
        _build("s21xpplushyd-202505", Line.A, "Tue May 20 09:26:31 CST 2025", "zynq7007_HHB70501"),
        _build("u3s21exph-202505", Line.A, "Tue May 20 09:58:02 CST 2025", "zynq7007_HHB70501"),
        # Assumed (A97): an S21 build of 2026 reports as that of the S21 Pro+ does.
        _build(
            "s21-202604",
            Line.C,
            "Thu Apr 30 19:48:10 CST 2026",
            "AMLCtrl_BHB68606",
            report=Report.POWER,
            map_group=9,
        ),
        # Documented (D22), Observed (O187): its year has a digit too many, and it reports no power.
        _build(
            "s21xphyd-202601",
            Line.C,
            "Thu Jan 8 15:44:15 CST 20266",
            "zynq7007_HHB70501",
            miner="71.0.1.3",
            report=Report.POWER,
            is_power_measured=False,
            map_group=8,
        ),
        # Documented (D81, D85): an S21j XP Hyd. of May 2026. Assumed (A97): an S23 Hyd. runs a build of the same day.
        _build(
            "s21jxphyd-202605",
            Line.C,
            "Mon May 25 20:43:41 CST 2026",
            "AMLCtrl_HHB70801",
            miner="platform[AML]",
            report=Report.SALE,
            map_group=11,
        ),
        _build(
            "s23hyd-202605",
            Line.C,
            "Mon May 25 21:05:17 CST 2026",
            "AMLCtrl_HHB72801",
            miner="platform[AML]",
            report=Report.SALE,
            map_group=7,
        ),
    )
}

# Builds by model, each with the share of units that run it.
FLEET_BUILDS: dict[str, tuple[tuple[str, float], ...]] = {
    "S21": (("s21-202407", 0.4), ("s21-202410", 0.3), ("s21-fr", 0.3)),
    "T21": (("t21-202501", 1.0),),
    "S21+": (("s21plus-202503", 0.5), ("s21plus-fr", 0.5)),
    "S21 Pro": (("s21pro-202411", 1.0),),
    "S21 XP": (("s21xp-202411", 1.0),),
    "S21 Hyd.": (("s21hyd-fr", 1.0),),
    "S21+ Hyd.": (("s21plushyd-202502", 1.0),),
    "S21 XP Hyd.": (("s21xphyd-202410", 1.0),),
    "S21e XP Hyd.": (("s21exphyd-202501", 1.0),),
    "S21e Hyd.": (("s21ehyd-fr", 1.0),),
    "S21 Imm. (NEM)": (("s21imm-202503", 1.0),),
    "S21 Imm. (HEM)": (("s21imm-202503", 1.0),),
    "S21 XP Imm. (NEM)": (("s21xpimm-202412", 1.0),),
    "S21 XP Imm. (HEM)": (("s21xpimm-202412", 1.0),),
    "S21 XP+ Hyd.": (("s21xpplushyd-202505", 1.0),),
    "U3S21EXPH (S21e XP Hyd. 3U)": (("u3s21exph-202505", 1.0),),
    "S21j XP Hyd.": (("s21jxphyd-202605", 1.0),),
    "S23 Hyd.": (("s23hyd-202605", 1.0),),
}


def build_for(model: str, draw: float) -> str:
    """Return the key of the build that a unit of `model` runs, for a uniform `draw` in [0, 1)."""
    below = 0.0
    for key, share in FLEET_BUILDS[model]:
        below += share
        if draw < below:
            return key
    return FLEET_BUILDS[model][-1][0]


class BuildError(ValueError):
    """A build that no table has; the message lists those that it has."""


def find_build(text: str) -> Build:
    """Return the build of a key, or of a version as it tells it on TCP 4028 or on its web pages.

    Raises:
        BuildError: There is none.
    """
    told = " ".join(text.split())
    for build in BUILDS.values():
        if told in {build.key, build.filesystem_version, " ".join(build.compile_time.split())}:
            return build
    known = ", ".join(f"{build.key} ({' '.join(build.compile_time.split())})" for build in BUILDS.values())
    raise BuildError(f"unknown firmware build {text!r}; known: {known}")
