"""Units whose work goes to different destinations, for tests of what is shown of it and to whom."""

from typing import Any

import msgspec
from exporter_cases import AT, entry, reading, status

from agent.site.pools.destinations import Destination
from agent.site.pools.work import PoolClass, UnitWork
from agent.site.status import UnitStatus

OURS = Destination("stratum+tcp", "pool.example", 3333)
THEIRS = Destination("stratum+ssl", "evil.example", 4444)
OUR_ACCOUNT, THEIR_ACCOUNT = "ouraccount", "bc1qthieves"
LISTED = UnitWork(
    pool_class=PoolClass.LISTED, entry="main", destination=OURS, account=OUR_ACCOUNT, since=AT - 7200, known_at=AT - 20
)
DIVERTED = UnitWork(
    pool_class=PoolClass.DIVERTED, destination=THEIRS, account=THEIR_ACCOUNT, since=AT - 600, known_at=AT - 20
)
TOLERATED = UnitWork(pool_class=PoolClass.TOLERATED, since=AT - 60, known_at=AT - 20)
IDLE = UnitWork(pool_class=PoolClass.IDLE, destination=OURS, account=OUR_ACCOUNT, since=AT - 60, known_at=AT - 20)
UNKNOWN = UnitWork(pool_class=PoolClass.UNKNOWN, since=AT - 60)


def working(unit_id: str, work: UnitWork | None, **changes: Any) -> UnitStatus:
    """Return a unit that hashes 198 TH/s for a destination; `changes` are of its reading."""
    return msgspec.structs.replace(status(entry(unit_id), reading(unit_id, **changes)), work=work)


UNITS = (
    *(working(f"u{number}", LISTED) for number in range(4)),
    working("d1", DIVERTED),
    working("d2", msgspec.structs.replace(DIVERTED, since=AT - 300)),
    working("t1", TOLERATED),
    working("i1", IDLE),
    working("x1", UNKNOWN),
)
