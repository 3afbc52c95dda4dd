"""The plan of a farm: models, places, addresses, and the troubles it starts with.

Everything follows from the plan and its seed: the same plan gives the same units, serials, troubles and bytes.
"""

import ipaddress
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from itertools import count
from typing import NamedTuple

from simulators.faults import unit as unit_faults
from simulators.firmware.registry import FIRMWARES
from simulators.strangers.surroundings import QUIET, Elsewhere, Surroundings
from simulators.twins.twin import PREFIX, Twin, read_twin
from simulators.unit import chance, physics
from simulators.unit.builds import build_for
from simulators.unit.conditions import Condition
from simulators.unit.endpoints import Endpoint
from simulators.unit.identity import STOCK, Identity
from simulators.unit.models import Cooling, Model, find_model
from simulators.unit.stretches import WARM_UP_S
from simulators.unit.unit import Unit

SLOTS_PER_RACK = 20
MAX_REFUSING_UNITS = 4096

_MAX_UNITS = 1_000_000
_DAY_S = 86400.0
USUAL_AIR = physics.Climate(mean_celsius=22.0, swing_celsius=6.0)

_COOLANT_MEAN_CELSIUS = 32.0


class FarmError(ValueError):
    """A farm that cannot be built; the message names the value."""


class Kind(NamedTuple):
    """A kind of unit in a mix.

    Attributes:
        model: Its model and bin.
        firmware: Name of the firmware it runs, as in `simulators.firmware.registry`.
    """

    model: Model
    firmware: str = STOCK


AnyKind = Kind | Twin
"""Kind of a unit: a bin of a model under a firmware, or the twin of a recorded unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """Troubles that a farm starts with, as shares of its units; no unit has two of them.

    The defaults leave a healthy farm of 101.7 % of nameplate at about 92 %.

    Attributes:
        off: No power.
        asleep: In work mode 1 outside any curtailment.
        starting: Switched on within the last few minutes.
        missing_board: One board missing.
        missing_chips: A quarter of the chips of one board missing.
        slow: An eighth below the rate of their chips.
    """

    off: float = 0.04
    asleep: float = 0.03
    starting: float = 0.01
    missing_board: float = 0.05
    missing_chips: float = 0.03
    slow: float = 0.03


HEALTHY_FARM = Troubles(off=0.0, asleep=0.0, starting=0.0, missing_board=0.0, missing_chips=0.0, slow=0.0)
ASLEEP_FARM = replace(HEALTHY_FARM, asleep=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmPlan:
    """The plan of a farm.

    Attributes:
        units: Number of units.
        seed: Random seed.
        base: First IPv4 address; the others follow, skipping those that end in 0 or 255.
        endpoints: One for each unit, instead of `base`; empty for the range.
        mix: Share of each kind of unit; the shares add up to 1.
        containers: Number of containers, which are filled evenly and in order.
        troubles: Troubles that it starts with.
        air: Outside air; containers differ by a degree or two.
        owners: Share of the units of each owner, in the farm's order; the rest are the site's own.
        around: The network around the units.
        build: Key of the firmware build that all units run; empty for those of their models.
    """

    units: int = 300
    seed: int = 1
    base: str = "127.10.0.1"
    endpoints: tuple[Endpoint, ...] = ()
    mix: Mapping[AnyKind, float] = field(default_factory=lambda: read_mix("S21:200=60%,T21:190=40%"))
    containers: int = 3
    troubles: Troubles = field(default_factory=Troubles)
    air: physics.Climate = USUAL_AIR
    owners: Mapping[str, float] = field(default_factory=dict)
    around: Surroundings = QUIET
    build: str = ""


def read_mix(text: str) -> dict[AnyKind, float]:
    """Read ``S21:200=60%,T21:190/vnish=40%``: kinds of unit as of `read_kind`, and their shares.

    ``like:CAPTURE=60%`` stands for twins of a recorded unit; see `read_twin`.

    Raises:
        FarmError: The text is malformed, a firmware is unknown, or the shares do not add up to 100 %.
        ModelError: Unknown model or bin.
        CaptureError: A capture that cannot be read, or be a template.
    """
    mix: dict[AnyKind, float] = {}
    for part in text.split(","):
        name, equals, share = part.strip().rpartition("=")
        if not equals:
            raise FarmError(f"mix part {part.strip()!r} is not of the form MODEL:TH=SHARE%, as in S21:200=60%")
        kind: AnyKind = read_twin(name) if name.startswith(PREFIX) else read_kind(name)
        mix[kind] = mix.get(kind, 0.0) + read_share(share)
    total = sum(mix.values())
    if abs(total - 1.0) > 0.005:
        raise FarmError(f"shares of mix {text!r} add up to {total:.1%}, not to 100 %")
    return mix


def read_owners(text: str) -> dict[str, float]:
    """Read ``North=50%,South=30%``: owners and their shares of the units; empty for none.

    Raises:
        FarmError: The text is malformed, or an owner is named twice.
    """
    owners: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, share = part.rpartition("=")
        if not equals or not name.strip():
            raise FarmError(f"owner {part!r} is not of the form NAME=SHARE%, as in North=50%")
        if name.strip() in owners:
            raise FarmError(f"owner {name.strip()!r} is there twice")
        owners[name.strip()] = read_share(share)
    return owners


def read_likes(texts: Sequence[str]) -> dict[AnyKind, float]:
    """Read ``CAPTURE``, ``CAPTURE=2`` and the like: captures with their weights, 1 for those without one.

    Raises:
        FarmError: A weight is not a number above 0.
        CaptureError: A capture that cannot be read, or be a template.
    """
    weights: dict[AnyKind, float] = {}
    for text in texts:
        name, equals, given = text.rpartition("=")
        try:
            weight = float(given.removesuffix("%")) if equals else 1.0
        except ValueError:
            weight = 0.0
        if not 0.0 < weight < math.inf:
            raise FarmError(f"weight {given!r} of {text!r} is not a number above 0")
        twin = read_twin(name if equals else text)
        weights[twin] = weights.get(twin, 0.0) + weight
    total = sum(weights.values())
    return {twin: weight / total for twin, weight in weights.items()}


def read_kind(text: str) -> Kind:
    """Read ``S21:200/vnish``: model and bin as of `read_model`, and the firmware; stock without one.

    Raises:
        FarmError: Unknown firmware, or the bin is not a number.
        ModelError: Unknown model or bin.
    """
    model, slash, firmware = text.partition("/")
    if slash and firmware not in FIRMWARES:
        raise FarmError(f"unknown firmware {firmware!r} of {text!r}; known: {', '.join(FIRMWARES)}")
    return Kind(read_model(model), firmware or STOCK)


def read_model(text: str) -> Model:
    """Read ``S21:200``: model and bin in TH/s. Without a bin the model's first one is used.

    Raises:
        FarmError: The bin is not a number.
        ModelError: Unknown model or bin.
    """
    name, _, bin_text = text.partition(":")
    try:
        hashrate_th = float(bin_text) if bin_text else None
    except ValueError:
        raise FarmError(f"bin {bin_text!r} of {text!r} is not a number of TH/s") from None
    return find_model(name, hashrate_th)


def read_share(text: str) -> float:
    """Read ``3%`` or ``0.03`` as a share.

    Raises:
        FarmError: Not a share between 0 and 100 %.
    """
    try:
        share = float(text.strip().removesuffix("%")) / (100.0 if text.strip().endswith("%") else 1.0)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise FarmError(f"{text!r} is not a share; write it as 3% or 0.03")
    return share


def addresses(base: str) -> Iterator[int]:
    """Return the addresses from `base` on, as numbers, skipping those that end in 0 or 255."""
    first = int(ipaddress.IPv4Address(base))
    return (address for address in count(first) if 0 < address & 255 < 255)


def check_plan(plan: FarmPlan) -> None:
    """Refuse a plan that cannot be built.

    Raises:
        FarmError: A value is wrong; the first one is named.
    """
    if not 1 <= plan.units <= _MAX_UNITS:
        raise FarmError(f"units must be 1 to {_MAX_UNITS}, not {plan.units}")
    if not 1 <= plan.containers <= plan.units:
        raise FarmError(f"containers must be 1 to the number of units, not {plan.containers}")
    if plan.endpoints and len(plan.endpoints) != plan.units:
        raise FarmError(f"{plan.units} units, but a list of {len(plan.endpoints)} addresses")
    try:
        first = ipaddress.IPv4Address(plan.base)
    except ValueError:
        raise FarmError(f"base {plan.base!r} is not an IPv4 address") from None
    if first.is_loopback and int(first) + plan.units * 256 // 254 + 2 > int(ipaddress.IPv4Address("127.255.255.254")):
        raise FarmError(f"{plan.units} units do not fit between {plan.base} and 127.255.255.254")
    _check_surroundings(plan)
    owned = sum(plan.owners.values())
    if owned > 1.0 + 1e-9:
        raise FarmError(f"owners have {owned:.1%} of the units")
    wrong = sum(astuple(plan.troubles))
    if wrong > 1.0 + 1e-9:
        raise FarmError(f"troubles add up to {wrong:.1%} of the units")


def unit_endpoints(plan: FarmPlan) -> Iterator[Endpoint]:
    """Yield the places of the units, in their order; more than there are units if they follow `base`."""
    return iter(plan.endpoints) if plan.endpoints else map(Endpoint, addresses(plan.base))


def _check_surroundings(plan: FarmPlan) -> None:
    around = plan.around
    if around.elsewhere is Elsewhere.REFUSE:
        sockets = plan.units + sum(span.size for span in around.silent)
        if sockets > MAX_REFUSING_UNITS:
            raise FarmError(
                f"elsewhere = refuse needs a socket for each unit and silent address; {sockets} are more than "
                f"{MAX_REFUSING_UNITS}"
            )
    spans = [span for group in around.strangers for span in group.spans]
    if spans:
        for place, _ in zip(unit_endpoints(plan), range(plan.units), strict=False):
            if any(place.address in span for span in spans):
                raise FarmError(f"a unit and a stranger both stand at {Endpoint(place.address)}")


def build_units(plan: FarmPlan, start: float) -> Iterator[Unit]:
    """Yield the units of a plan as they are at `start`, Unix seconds."""
    # Seeding with a string is documented as stable. Each list has its own stream, so that a new option does not change
    # the other lists.
    kinds = _spread(dict(plan.mix), plan.units)
    random.Random(f"models {plan.seed}").shuffle(kinds)
    troubles = _assign_troubles(plan)
    climates = [_climate(plan, container) for container in range(plan.containers)]
    farm_key = chance.word(plan.seed, 0)
    endpoints = unit_endpoints(plan)
    container_names = [f"C{container + 1}" for container in range(plan.containers)]
    owners = _owners(plan)
    rack_names: dict[tuple[int, int], str] = {}
    places = [0] * plan.containers
    for index, kind in enumerate(kinds):
        model = kind.model
        twin, firmware = (kind, STOCK) if isinstance(kind, Twin) else (None, kind.firmware)
        container = index * plan.containers // plan.units
        rack, slot = divmod(places[container], SLOTS_PER_RACK)
        places[container] += 1
        rack_name = rack_names.setdefault((container, rack), f"{container_names[container]}-R{rack + 1:02d}")
        key = chance.word(farm_key, index)
        address, port = next(endpoints)
        identity = Identity(
            unit_id=f"{rack_name}-{slot + 1:02d}",
            index=index,
            model=model,
            build=plan.build or (build_for(model.name, chance.uniform(key, -1)) if twin is None else twin.build.key),
            address=address,
            port=port,
            container=container_names[container],
            rack=rack_name,
            slot=slot + 1,
            key=key,
            like="" if twin is None else twin.name,
            firmware=firmware,
            tuning=FIRMWARES[firmware].tuning_for(chance.uniform(key, -8)),
            owner=owners[index],
        )
        trouble = troubles.get(index, "")
        air, coolant = climates[container]
        draw = chance.uniform(key, -6)
        yield Unit(
            identity,
            air if model.cooling is Cooling.AIR else coolant,
            start=start,
            # Starting units were switched on less than a warm-up ago; the others have run for an hour to thirty days.
            uptime_s=draw * WARM_UP_S if trouble == "starting" else 3600.0 + draw * 30.0 * _DAY_S,
            faults=_faults_of(trouble, model, key),
        )


def _spread(mix: Mapping[AnyKind, float], units: int) -> list[AnyKind]:
    """Return `units` kinds in the shares of `mix`, by largest remainder."""
    wanted = {kind: share * units for kind, share in mix.items()}
    counts = {kind: int(share) for kind, share in wanted.items()}
    by_remainder = sorted(mix, key=lambda kind: counts[kind] - wanted[kind])
    for kind in by_remainder[: units - sum(counts.values())]:
        counts[kind] += 1
    return [kind for kind, number in counts.items() for _ in range(number)]


def _owners(plan: FarmPlan) -> list[str]:
    """Return the owner of each unit: one owner's units stand together."""
    owners, until = [""] * plan.units, 0.0
    for name, share in plan.owners.items():
        first, until = until, until + share
        begin, end = round(first * plan.units), round(until * plan.units)
        owners[begin:end] = [name] * (end - begin)
    return owners


def _assign_troubles(plan: FarmPlan) -> dict[int, str]:
    order = list(range(plan.units))
    random.Random(f"troubles {plan.seed}").shuffle(order)
    assigned: dict[int, str] = {}
    taken = 0
    for name in ("off", "asleep", "starting", "missing_board", "missing_chips", "slow"):
        number = round(getattr(plan.troubles, name) * plan.units)
        assigned.update(dict.fromkeys(order[taken : taken + number], name))
        taken += number
    return assigned


def _faults_of(trouble: str, model: Model, key: int) -> tuple[Condition, ...]:
    draw = chance.word(key, -7)
    board = draw % model.boards
    match trouble:
        case "off":
            return (unit_faults.PowerOff(),)
        case "asleep":
            return (unit_faults.Asleep(),)
        case "missing_board":
            return (unit_faults.DeadBoard(board=board, is_listed=draw & 64 == 0),)
        case "missing_chips":
            # Documented (D54): a log of "find 82 asic" of 108.
            return (unit_faults.MissingChips(board=board, chips=model.chips_per_board * 26 // 108),)
        case "slow":
            return (unit_faults.HashrateDrift(ratio=0.875),)
        case _:
            return ()


def _climate(plan: FarmPlan, container: int) -> tuple[physics.Climate, physics.Climate]:
    """Return the air and the coolant of a container; containers differ by a degree or two."""
    off = 1.2 * chance.normal(chance.word(plan.seed, 1), container)
    return (
        replace(plan.air, mean_celsius=plan.air.mean_celsius + off),
        physics.Climate(mean_celsius=_COOLANT_MEAN_CELSIUS + off, swing_celsius=2.0),
    )
