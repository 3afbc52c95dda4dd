"""Makes whose reports are behind a login: where it goes, and what is read behind it. Pure.

Only these makes can be given one. It is what pyasic 0.79 sends (Documented (D262)); `gate` lets nothing else out.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Door(NamedTuple):
    """One make's login.

    Attributes:
        make: The make, as the ledger spells it.
        port: The TCP port.
        path: The page that takes user and password by POST.
        is_json: They are sent as a JSON object; else as a form.
        words: The names of the two, and what is sent beside them.
        method: How reports are read behind it.
        reports: Their pages.
    """

    make: str
    port: int
    path: str
    is_json: bool
    words: Mapping[str, str]
    method: str
    reports: frozenset[str]


DOORS: Final[Mapping[str, Door]] = MappingProxyType(
    {
        door.make: door
        for door in (
            Door(
                make="Auradine",
                port=8080,
                path="/token",
                is_json=True,
                words={"command": "token", "user": "{user}", "password": "{password}"},
                method="GET",
                reports=frozenset({"/ipreport", "/psu", "/fan"}),
            ),
            Door(
                make="Innosilicon",
                port=80,
                path="/api/auth",
                is_json=False,
                words={"username": "{user}", "password": "{password}"},
                method="POST",
                reports=frozenset({"/api/getAll", "/api/overview"}),
            ),
        )
    }
)
