"""A twin: the model and the build that stand for a recorded unit, over the physics of every simulated unit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from simulators.captures.folder import CaptureError, read_capture
from simulators.captures.form import API_PAGE, Recording
from simulators.twins.facts import MAX_BOARDS, Hardware, Texts, hardware_of, texts_of
from simulators.twins.stages import Replies, Stage, number, rows_with, stages_of
from simulators.unit.builds import BUILDS, FLEET_BUILDS, Build, Report
from simulators.unit.models import (
    HS_PER_TH,
    Cooling,
    LayoutGrade,
    Model,
    ModelError,
    PowerGrade,
    farmable_models,
    find_model,
)

PREFIX: Final = "like:"

_JOULES_PER_TH = 30.0  # Assumed (A156): of units that neither tell their power nor are in the catalogue.
_PLACE = re.compile(r"(?P<path>.+?)(?:@(?P<th>[0-9.]+)(?:TH)?(?::(?P<watts>[0-9.]+)W?)?)?")
_BY_DIFFICULTY = 65536


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Twin:
    """Simulated units in the likeness of a recorded one.

    Attributes:
        name: Name of the capture.
        model: Nameplate, layout, clock and rate, for the physics.
        build: The nearest build that the simulators know, with the recorded texts.
        texts: Texts of its firmware.
        hardware: What its reply to `stats` told; None if no reply to `stats` can be a template.
        stages: Whole replies by stage.
        is_stock: The firmware is Bitmain's.
        notes: What of it is not recorded, in words.
    """

    name: str
    model: Model
    build: Build
    texts: Texts
    hardware: Hardware | None
    stages: Mapping[Stage, Replies]
    is_stock: bool
    notes: tuple[str, ...]


@cache
def read_twin(text: str) -> Twin:
    """Read ``CAPTURE``, ``CAPTURE@200`` or ``CAPTURE@200:3500``: a folder, the bin in TH/s, its power in W.

    Raises:
        CaptureError: The folder is no capture, or cannot be a template; the message says why.
    """
    place = _PLACE.fullmatch(text.strip().removeprefix(PREFIX))
    if place is None:
        raise CaptureError(f"{text!r} is not CAPTURE, CAPTURE@TH or CAPTURE@TH:W")
    recording = read_capture(Path(place["path"]))
    return twin_of(
        recording,
        bin_th=float(place["th"]) if place["th"] else None,
        watts=float(place["watts"]) if place["watts"] else None,
    )


def twin_of(recording: Recording, *, bin_th: float | None = None, watts: float | None = None) -> Twin:
    """Return the twin of a recording.

    Args:
        recording: The recording.
        bin_th: The bin it was sold as, TH/s; None to take what the capture tells.
        watts: Power of that bin at the wall; None for the catalogue's, or what the capture tells.

    Raises:
        CaptureError: It cannot be a template.
    """
    if any(answer.reply.request.startswith(API_PAGE) for answer in recording.answers):
        raise CaptureError(
            f"{recording.name}: cannot be a template: it has pages on TCP 4028; units under ePIC firmware are "
            "simulated by --mix MODEL:TH/epic"
        )
    stages = stages_of(recording)
    texts = texts_of(list(stages.values()))
    if not texts.type:
        texts = texts_of([_everything(recording)])
    name = re.sub(r"(?i)^antminer\s+", "", texts.type).partition(" (")[0].strip()
    is_stock = _is_stock(texts)
    hashing = stages.get(Stage.HASHING) or stages.get(Stage.RAMPING)
    hardware = hardware_of(hashing) if hashing is not None else None
    if not name:
        raise CaptureError(f"{recording.name}: cannot be a template: no reply names an Antminer model")
    if hardware is None and not is_stock:
        raise CaptureError(
            f"{recording.name}: cannot be a template: no whole reply to stats has rates and boards, and "
            f"{texts.program or texts.type} has no simulated firmware to stand in"
        )
    if hardware is not None and len(hardware.boards) > MAX_BOARDS:
        raise CaptureError(
            f"{recording.name}: cannot be a template: {len(hardware.boards)} boards, and {MAX_BOARDS} can be simulated"
        )
    notes: list[str] = []
    th = _bin_th(recording, name, hardware, bin_th, notes, is_stock=is_stock)
    known = _known_model(name, th)
    if hardware is None:
        model = _stand_in(recording.name, known, texts, name=name, th=th, watts=watts)
    else:
        watts = watts or _watts_of(known, hardware, th)
        if watts is None:
            watts = _JOULES_PER_TH * th
            how = f"{watts:.0f} W are assumed ({_JOULES_PER_TH:g} J/TH); give it as {recording.name}@{th:g}:W"
            notes.append(f"power: not told; {how}")
        model = _model(known, hardware, texts, name=name, th=th, watts=watts)
    build = _build(name, hardware, texts, stages)
    notes += _missing(stages, is_stock=is_stock)
    return Twin(
        name=recording.name,
        model=replace(model, share_difficulty=_difficulty(stages) or model.share_difficulty),
        build=build,
        texts=texts,
        hardware=hardware,
        stages=stages,
        is_stock=is_stock,
        notes=tuple(notes),
    )


def _everything(recording: Recording) -> Replies:
    """Return every reply of a recording, also those that publishers cut: their texts are true."""
    api = {answer.reply.request: answer.data for answer in recording.answers if not answer.reply.is_page}
    pages = {answer.reply.request: answer.data for answer in recording.answers if answer.reply.is_page}
    return Replies(api=api, pages=pages)


def _is_stock(texts: Texts) -> bool:
    """Return True for Bitmain's firmware.

    Observed (O155): of the captures no other one says cgminer 1.0.0. Documented (D85): builds of May 2026 say cminer.
    """
    has_other_name = re.search(r"(?i)vnish|luxos|luxminer|braiins|bos|hiveon|epic|mara", texts.type + texts.program)
    return has_other_name is None and texts.program in ("", "cgminer 1.0.0", "cminer 1.0.0")


def _bin_th(
    recording: Recording, name: str, hardware: Hardware | None, given: float | None, notes: list[str], *, is_stock: bool
) -> float:
    if given:
        return given
    if recording.unit.bin_hs:
        return recording.unit.bin_hs / HS_PER_TH
    if hardware is not None and hardware.sale_ghs:
        return hardware.sale_ghs / 1e3
    # Observed (O30): stock firmware calls the nameplate ideal. Documented (D84): from 2026 the boards' sum.
    if hardware is not None and is_stock and hardware.ideal_ghs and not hardware.has_board_ideal:
        return hardware.ideal_ghs / 1e3
    bins = [model for model in farmable_models() if model.name.casefold() == name.casefold()]
    if bins and is_stock:
        notes.append(f"bin: not told; {bins[0].hashrate_th:g} TH/s, the first of the catalogue")
        return bins[0].hashrate_th
    raise CaptureError(
        f"{recording.name}: cannot be a template: no reply tells the bin it was sold as; give it in TH/s as "
        f"{recording.name}@TH"
    )


def _known_model(name: str, th: float) -> Model | None:
    """Return the catalogue's bin of a model; its first bin if that one is not in it; None without the model."""
    try:
        return find_model(name, th)
    except ModelError:
        return next((model for model in farmable_models() if model.name.casefold() == name.casefold()), None)


def _stand_in(capture: str, known: Model | None, texts: Texts, *, name: str, th: float, watts: float | None) -> Model:
    """Return the catalogue's model, for a capture without a whole reply to `stats`.

    Raises:
        CaptureError: There is none of this bin.
    """
    if known is None or known.hashrate_th != th:
        raise CaptureError(
            f"{capture}: cannot be a template: no whole reply to stats, and no simulated {name} of {th:g} TH/s"
        )
    return replace(known, api_type=texts.type, power_watts=watts or known.power_watts)


def _watts_of(known: Model | None, hardware: Hardware, th: float) -> float | None:
    """Return the power of a bin at the wall; None if neither catalogue nor capture tells it."""
    if known is not None:
        return known.joules_per_hash * th * HS_PER_TH
    return hardware.watts * th * 1e3 / hardware.average_ghs if hardware.watts else None


def _model(known: Model | None, hardware: Hardware, texts: Texts, *, name: str, th: float, watts: float) -> Model:
    """Return the model whose healthy units hash, on average, at the recorded rate."""
    boards = len(hardware.boards)
    clock = round(hardware.clock_mhz) or (500 if known is None else known.frequency_mhz)
    cooling = Cooling.AIR if hardware.fans else Cooling.HYDRO
    return Model(
        name=name,
        api_type=texts.type,
        hashrate_hs=th * HS_PER_TH,
        power_watts=watts,
        power_grade=PowerGrade.UNSOURCED if known is None else known.power_grade,
        boards=boards,
        chips_per_board=hardware.chips,
        fans=hardware.fans,
        layout_grade=LayoutGrade.SOURCED,
        cooling=cooling if known is None else known.cooling,
        ghs_per_chip_mhz=hardware.average_ghs / (boards * hardware.chips * clock),
        frequency_mhz=clock,
        share_difficulty=_BY_DIFFICULTY if known is None else known.share_difficulty,
        chips_by_board=(hardware.chips,) * boards,
    )


def _build(name: str, hardware: Hardware | None, texts: Texts, stages: Mapping[Stage, Replies]) -> Build:
    """Return the build that is nearest in keys and in how it sleeps, with the recorded texts."""
    report = Report.PLAIN
    if hardware is not None and hardware.sale_ghs:
        report = Report.SALE
    elif hardware is not None and any(b'"watt"' in data for each in stages.values() for data in each.api.values()):
        report = Report.POWER
    own = [BUILDS[key] for key, _ in FLEET_BUILDS.get(name, ())]
    ranked = sorted(
        (*own, *BUILDS.values()),
        key=lambda build: (build.report is not report, bool(texts.api) and build.api != texts.api),
    )
    nearest = ranked[0]
    return replace(
        nearest,
        compile_time=texts.compile_time or nearest.compile_time,
        miner=texts.miner or nearest.miner,
        api=texts.api or nearest.api,
    )


def _difficulty(stages: Mapping[Stage, Replies]) -> int:
    """Return the mean difficulty of the recorded shares; 0 if it is not told."""
    hashing = stages.get(Stage.HASHING)
    if hashing is None:
        return 0
    for row in rows_with(hashing, ("Accepted", "Difficulty Accepted")):
        accepted, difficulty = number(row["Accepted"]) or 0.0, number(row["Difficulty Accepted"]) or 0.0
        if accepted >= 1.0 and difficulty >= 1.0:
            return max(1, round(difficulty / accepted))
    return 0


def _missing(stages: Mapping[Stage, Replies], *, is_stock: bool) -> list[str]:
    """Return what the capture lacks, and what stands in."""
    lacking = [stage for stage in (Stage.HASHING, Stage.ASLEEP, Stage.STARTING, Stage.FAULT) if stage not in stages]
    if not lacking:
        return []
    stand_in = "the nearest simulated stock firmware" if is_stock else "its hashing reply with rates of zero"
    return [f"not recorded: {', '.join(lacking)}; shaped like {stand_in}"]
