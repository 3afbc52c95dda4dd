"""Machines that a look may find, for tests of discovery and of its exporters."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from agent.address import Endpoint
from agent.hil.discovery.figures import DiscoveryFigures, Look, Machine, MachineKind, Seen

AT = 1763674560.0  # 2025-11-20 21:36:00 UTC


def seen(host: str = "10.0.1.7", **changes: Any) -> Seen:
    """Return an S21 of 200 TH/s that answered at an address, with a page."""
    machine = Seen(
        endpoint=Endpoint(host, 4028),
        at=AT,
        is_identified=True,
        model="Antminer S21",
        mac="02:00:00:00:00:07",
        serial="SIMABC00007",
        hashrate_hs=200e12,
    )
    return msgspec.structs.replace(machine, **changes)


def figures(*machines: Machine, **changes: Any) -> DiscoveryFigures:
    """Return the figures of a look that found these machines, of 254 addresses."""
    look = Look(
        began=AT - 30.0,
        ended=AT,
        addresses=254,
        refused=3,
        silent=251 - len(machines),
        seen=tuple(machine.seen for machine in machines),
    )
    made = {"ranges": ("10.0.1.0/24",), "next_at": AT + 3600.0, "look": look, "looks": {"done": 1, "failed": 0}}
    return DiscoveryFigures(machines=machines, **{**made, **changes})


def machines() -> st.SearchStrategy[Machine]:
    """Return any machines, with any texts and rates."""
    texts = st.none() | st.text(max_size=80)
    return st.builds(
        Machine,
        seen=st.builds(
            Seen,
            endpoint=st.builds(
                Endpoint, st.ip_addresses(v=4, network="10.0.0.0/16").map(str), st.sampled_from([4028, 4029])
            ),
            at=st.floats(0, 4e9),
            is_identified=st.booleans(),
            model=texts,
            firmware=texts,
            mac=texts,
            serial=texts,
            hashrate_hs=st.none() | st.floats(0, 1e18),
            looks_like=texts,
        ),
        kind=st.sampled_from(MachineKind),
        unit_id=st.none() | st.just("u1"),
    )
