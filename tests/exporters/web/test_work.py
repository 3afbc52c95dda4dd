"""Where units' work goes: what is shown of it, and to whom in full."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from exporter_cases import AT
from page_cases import Parsed
from web_doors import TOKEN, USERS, VIEWER_TOKEN, Clock, basic, written
from web_site import get_json, served, source
from work_cases import DIVERTED, LISTED, OUR_ACCOUNT, THEIR_ACCOUNT, THEIRS, UNITS, working

from agent.address import Endpoint
from agent.exporters.web.door.door import Door
from agent.exporters.web.door.passwords import Passwords
from agent.exporters.web.door.web_file import read_web_file
from agent.exporters.web.pages.banners import ALARMS, BannerKind
from agent.exporters.web.work_answers import pools_answer
from agent.site.status import UnitStatus

LOOPBACK, NETWORK = Endpoint("127.0.0.1", 9184), Endpoint("10.0.0.5", 9184)
ADDRESSES = (
    *("/api/v1/pools", "/api/v1/pools.csv", "/api/v1/units", "/api/v1/units.csv", "/api/v1/units/d1", "/units.csv"),
    *("/", "/units", "/units?pool=diverted", "/units/d1"),
)
"""Every address that says where work goes."""
WHOLE = frozenset({"/units", "/units?pool=diverted"})
"""Those of them that say it by class alone."""


@asynccontextmanager
async def behind(
    folder: Path, units: tuple[UnitStatus, ...] = UNITS, *, listen: Endpoint = LOOPBACK, users: str = "", **changes: Any
) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve units behind a door that thinks that it listens at an address."""
    door = Door(
        read_web_file(written(folder, users)) if users else None,
        listen=listen,
        operators=lambda: ("anna",),
        token=lambda: TOKEN,
        viewer_token=lambda: VIEWER_TOKEN,
        passwords=Passwords(Clock()),
    )
    async with served(source(units, door=door, **changes)) as client:
        yield client


@pytest.mark.parametrize(
    ("listen", "users", "login", "is_whole"),
    [
        (LOOPBACK, "", None, True),
        (NETWORK, "", None, False),
        (NETWORK, "", f"Bearer {VIEWER_TOKEN.text}", False),
        (NETWORK, "", f"Bearer {TOKEN.text}", True),
        (NETWORK, USERS, basic("ben", "ben's"), False),
        (NETWORK, USERS, basic("anna", "anna's"), True),
        (LOOPBACK, USERS, basic("ben", "ben's"), False),
        (LOOPBACK, "", f"Bearer {VIEWER_TOKEN.text}", False),
    ],
)
async def test_who_sees_accounts_in_full(
    tmp_path: Path,
    listen: Endpoint,
    users: str,
    login: str | None,
    is_whole: bool,  # noqa: FBT001
) -> None:
    """Operators do, and everyone on a server of this machine without users; others see the host and the head."""
    headers = {} if login is None else {"Authorization": login}
    async with behind(tmp_path, listen=listen, users=users) as client:
        for address in ADDRESSES:
            async with client.get(address, headers=headers) as response:
                text = await response.text()
            assert response.status == 200, address
            shows = is_whole and address not in WHOLE
            assert (THEIR_ACCOUNT in text, str(THEIRS) in text) == (shows, shows), address
            assert OUR_ACCOUNT not in text or shows, address
            if address not in WHOLE:
                assert THEIRS.host in text, address
                assert is_whole or "bc1q…" in text, address


async def test_destinations_are_summed(tmp_path: Path) -> None:
    """Diverted ones come first; units without a destination are one row a class, whatever they told before."""
    delivered = {"d1": (150e12, None), "u0": (190e12, None), "u1": (200e12, None)}
    changes = {"delivered_hs": lambda unit_id: delivered.get(unit_id, (None, None))}
    async with behind(tmp_path, **changes) as client:
        answer = await get_json(client, "/api/v1/pools")
    assert (answer["is_judged"], answer["is_redacted"], answer["left_out"]) == (True, False, 0)
    assert answer["units_by_class"] == {"listed": 4, "tolerated": 1, "diverted": 2, "idle": 1, "unknown": 1}
    assert answer["hashrate_hs_by_class"]["diverted"] == 2 * 198e12
    rows = [
        (each["pool_class"], each["entry"], each["destination"], each["account"], each["units"])
        for each in answer["destinations"]
    ]
    assert rows == [
        ("diverted", None, str(THEIRS), THEIR_ACCOUNT, 2),
        ("listed", "main", "stratum+tcp://pool.example:3333", OUR_ACCOUNT, 4),
        ("tolerated", None, None, None, 1),
        ("idle", None, None, None, 1),
        ("unknown", None, None, None, 1),
    ]
    assert [each["delivered_1h_hs"] for each in answer["destinations"][:3]] == [150e12, 390e12, None]
    assert answer["destinations"][0]["first_since"] == "2025-11-20T21:26:00Z"


async def test_a_unit_says_where_its_work_goes(tmp_path: Path) -> None:
    """A unit's row has class, name, destination, account and times; where pools are not judged it is null."""
    async with behind(tmp_path) as client:
        unit = (await get_json(client, "/api/v1/units/d1"))["unit"]
        assert unit["work"] == {
            "pool_class": "diverted",
            "entry": None,
            "host": "evil.example",
            "destination": "stratum+ssl://evil.example:4444",
            "account": THEIR_ACCOUNT,
            "is_redacted": False,
            "since": "2025-11-20T21:26:00Z",
            "known_at": "2025-11-20T21:35:40Z",
        }
        assert (await get_json(client, "/api/v1/units/u0"))["unit"]["work"]["entry"] == "main"
        site = await get_json(client, "/api/v1/site")
        assert (site["figures"]["diverted_units"], site["figures"]["diverted_hs"]) == (2, 2 * 198e12)
        assert site["units_by_pool_class"]["diverted"] == 2
    async with behind(tmp_path, (working("u1", None),)) as client:
        assert (await get_json(client, "/api/v1/units/u1"))["unit"]["work"] is None
        site = await get_json(client, "/api/v1/site")
        assert (site["figures"]["diverted_units"], site["units_by_pool_class"]) == (None, None)
        assert (await get_json(client, "/api/v1/pools"))["is_judged"] is False
        async with client.get("/") as response:
            assert "Where the work goes" not in await response.text()


async def test_units_are_found_by_class(tmp_path: Path) -> None:
    """JSON, CSV and page take the filter; a word that is no class is refused with the words that are."""
    async with behind(tmp_path) as client:
        listed = await get_json(client, "/api/v1/units?pool=diverted")
        assert [unit["unit_id"] for unit in listed["units"]] == ["d1", "d2"]
        for path in ("/api/v1/units.csv?pool=diverted", "/units.csv?pool=diverted"):
            async with client.get(path) as response:
                assert len((await response.text()).splitlines()) == 3
        async with client.get("/units?pool=diverted") as response:
            page = Parsed(await response.text()).text
        assert "2 units match" in page
        assert page.count("works for an address that is not yours since 21:26") == 1
        assert page.count("works for an address that is not yours since 21:31") == 1
        async with client.get("/api/v1/units?pool=stolen") as response:
            assert response.status == 400
            assert "pool must be one of listed, tolerated, diverted, idle, unknown" in await response.text()


async def test_the_first_page_says_it_at_the_top(tmp_path: Path) -> None:
    """A banner with units and hashrate leads to exactly these units; the card names destinations, theirs first."""
    async with behind(tmp_path) as client, client.get("/") as response:
        html = await response.text()
    page = Parsed(html)
    assert "Work is diverted: 396.00 TH/s of 2 units works for an address that is not yours." in page.text
    assert ("href", "units?pool=diverted") in page.attributes
    assert "Diverted 396.00 TH/s of operating, 2 units" in page.text
    assert html.index("evil.example") < html.index("pool.example")
    assert BannerKind.CONTAINER_DARK < BannerKind.WORK_DIVERTED < BannerKind.AGENT_LATE
    assert BannerKind.WORK_DIVERTED in ALARMS


async def test_a_row_links_to_its_own_units_or_to_none(tmp_path: Path) -> None:
    """A link by class leads to more units than a row has where a class has several destinations."""
    other = msgspec.structs.replace(DIVERTED, account="bc1qothers")
    units = (working("d1", DIVERTED), working("d2", other), working("u1", LISTED))
    async with behind(tmp_path, units) as client, client.get("/") as response:
        card = (await response.text()).partition("Where the work goes")[2].partition("</section>")[0]
    assert "units?pool=listed" in card
    assert "units?pool=diverted" not in card


async def test_a_units_page_says_where_and_since_when(tmp_path: Path) -> None:
    """The page of a diverted unit says it with the reason, and the card of pools has the facts."""
    async with behind(tmp_path) as client:
        async with client.get("/units/d1") as response:
            page = Parsed(await response.text()).text
        assert f"not yours: {THEIRS}, account {THEIR_ACCOUNT}" in page
        assert "since 21:26" in page
        async with client.get("/units/u0") as response:
            page = Parsed(await response.text()).text
    assert "not yours" not in page
    assert "Named main" in page


def test_accounts_with_one_head_are_one_row_for_those_who_may_not_see_them() -> None:
    """What is shortened is not told apart: the number of rows would give accounts away."""
    other = msgspec.structs.replace(DIVERTED, account="bc1qothers")
    units = (working("d1", DIVERTED), working("d2", other))
    whole = pools_answer("nd-1", units, AT, is_whole=True)
    shortened = pools_answer("nd-1", units, AT, is_whole=False)
    assert [len(answer.destinations) for answer in (whole, shortened)] == [2, 1]
    assert (shortened.destinations[0].account, shortened.destinations[0].units) == ("bc1q…", 2)
