"""Every address held against every role, whoever adds an address next."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from exporter_cases import AT
from web_doors import TOKEN, USERS, VIEWER_TOKEN, ask, basic, served, written
from web_site import UNITS, curtailment_api, source

from agent.exporters.web import server as web
from agent.exporters.web.repair_api import RepairApi

NOBODY, ANNA, BEN = None, basic("anna", "anna's"), basic("ben", "ben's")
OPERATORS, VIEWERS = f"Bearer {TOKEN.text}", f"Bearer {VIEWER_TOKEN.text}"
OWN = {"Sec_Fetch_Site": "same-origin", "Content_Type": "application/json", "Content_Length": "0"}
READS = frozenset({"GET", "HEAD"})
GUARDED_READS = frozenset({"/api/v1/curtailments", "/api/v1/curtailments.csv"})
"""Without users, these alone need a login."""


async def reload() -> str | None:
    """Reload nothing."""
    return None


def whole(folder: Path) -> dict[str, Any]:
    """Return the parts of a source that has every address."""
    curtailments = curtailment_api(folder)
    repairs = RepairApi(
        "nd-1",
        entries=list,
        unlisted=lambda: 0,
        annotate=lambda *_: None,
        unit={one.entry.unit_id: one for one in UNITS}.get,
        refusal=curtailments.change_refusal,
        wall=lambda: AT,
        zone=lambda: ZoneInfo("UTC"),
    )
    return {"curtailments": curtailments, "repairs": repairs, "reload": reload}


def addresses(folder: Path) -> list[tuple[str, str]]:
    """Return every method and path that is served."""
    named = {"unit_id": "a1", "id": "7", "name": "page.css"}
    router = web._application(source(**whole(folder))).router
    return [
        (route.method, route.resource.canonical.format(**named))
        for route in router.routes()
        if route.resource is not None
    ]


NOTHING, OPEN, READ, CHANGE = "nothing", "all but curtailments", "read", "read and change"


@pytest.mark.parametrize(
    ("login", "users", "rights"),
    [
        (NOBODY, USERS, NOTHING),
        ("Bearer guessed-0123456789", USERS, NOTHING),
        (BEN, USERS, READ),
        (VIEWERS, USERS, READ),
        (ANNA, USERS, CHANGE),
        (OPERATORS, USERS, CHANGE),
        (NOBODY, "", OPEN),
        (VIEWERS, "", READ),
        (OPERATORS, "", CHANGE),
    ],
)
async def test_every_address_asks_for_its_role(login: str | None, users: str, rights: str, tmp_path: Path) -> None:
    """Reading takes a viewer, changing an operator; a stranger is 401 or told to wait, a viewer's change is 403."""
    shown = {} if login is None else {"Authorization": login}
    found = addresses(tmp_path)
    assert {method for method, _ in found} == {"GET", "HEAD", "POST", "DELETE"}
    async with served(written(tmp_path, users), **whole(tmp_path)) as port:
        for method, path in found:
            if method in READS:
                may = rights in {READ, CHANGE} or (rights == OPEN and path not in GUARDED_READS)
            else:
                may = rights == CHANGE
            headers = shown if method in READS else {**shown, **OWN}
            status = (await ask(port, path, method=method, **headers)).status
            assert (method, path, status in {401, 403, 429}) == (method, path, not may)
            assert status != 403 or login in {BEN, VIEWERS}
