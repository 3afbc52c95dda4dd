"""Every preset against its pool's stand-in, over TLS: figures of now, the past, and whom the key opens."""

from pathlib import Path

import pytest
from pool_account_cases import ACCOUNT, KEY, KINDS, NOW, SECRET, Certified, Kept, Time, key_file, reader, section

from agent.config.pool_accounts import KEYED_KINDS
from agent.pool_accounts.plan import DAY_S, HOUR_S, NOT_TRIED
from agent.pool_accounts.presets import PRESETS
from simulators.farm.clock import SimClock
from simulators.farm.farm import Farm
from simulators.farm.plan import HEALTHY_FARM, FarmPlan
from simulators.pool.answers import ANSWERS, Holder
from simulators.pool.books import PoolBooks
from simulators.pool.server import DOWN, LIMITED, Pool, serve_pool

START = NOW - 30 * 3600.0


@pytest.fixture(scope="module")
def books() -> PoolBooks:
    """Return the books of an account for which three units worked for thirty hours."""
    farm = Farm(FarmPlan(units=3, seed=5, base="127.30.0.1", troubles=HEALTHY_FARM), SimClock(start=START, speed=0))
    books = PoolBooks(farm.units, start=START)
    for step in range(1, 121):
        books.take(START + 900.0 * step)
    return books


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """Return the authority of all pools of this file."""
    return Certified(tmp_path_factory.mktemp("pools"))


def pool_of(kind: str, books: PoolBooks, time: Time, *, account: str = ACCOUNT) -> Pool:
    """Return a pool with one account."""
    return Pool(kind=kind, holders=(Holder(account=account, key=KEY, secret=SECRET, books=books),), clock=time)


def test_every_preset_says_that_it_was_not_tried() -> None:
    """The presets are those of the section's kinds, and each carries the mark."""
    assert set(PRESETS) == set(ANSWERS) == set(KINDS)
    assert {plan.basis for plan in PRESETS.values()} == {NOT_TRIED}
    assert all("{key}" not in plan.reading.call.path + str(plan.reading.call.query) for plan in PRESETS.values())


@pytest.mark.parametrize("kind", KINDS)
async def test_both_windows_are_what_the_pool_credited(
    kind: str, books: PoolBooks, certified: Certified, tmp_path: Path
) -> None:
    """In H/s, whatever the pool's unit, of the account alone, and on time."""
    time = Time()
    async with serve_pool(pool_of(kind, books, time), tls=certified.server) as url:
        accounts = reader([section(kind, tmp_path, url=url, ca_file=certified.ca_file)], time)
        await accounts.read_once()
    (state,) = accounts.states()
    assert (state.trouble, state.reads, state.at, state.pool) == (None, 1, NOW, PRESETS[kind].title)
    for window_s in (HOUR_S, DAY_S):
        assert state.rates_hs[window_s] == pytest.approx(books.rate_hs(NOW, window_s), rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "window_s", "kept"),
    [("foundry", HOUR_S, 30), ("luxor", HOUR_S, 30), ("viabtc", DAY_S, 2), ("braiins", DAY_S, 2), ("ocean", HOUR_S, 1)],
)
async def test_what_a_pool_forgets_is_kept(
    kind: str, window_s: int, kept: int, *, books: PoolBooks, certified: Certified, tmp_path: Path
) -> None:
    """Closed hours or days since the account's beginning, each once; where none can be asked for, the rolling hour."""
    time, archive = Time(NOW + 660.0 if kind != "ocean" else NOW + 120.0), Kept()
    async with serve_pool(pool_of(kind, books, time), tls=certified.server) as url:
        accounts = reader([section(kind, tmp_path, url=url, ca_file=certified.ca_file)], time, archive=archive)
        for _ in range(14):
            await accounts.read_once()
            time.now += 60.0
    real = {start: window for (_, _, start), window in archive.windows.items() if window.credited_hs > 0}
    assert len(real) == kept
    assert all(window.window_s == window_s and start % window_s == 0 for start, window in real.items())
    if kind != "ocean":
        latest = max(real)
        assert real[latest].credited_hs == pytest.approx(books.rate_hs(latest + window_s, window_s), rel=1e-5)


async def test_the_past_is_asked_for_once_an_hour(books: PoolBooks, certified: Certified, tmp_path: Path) -> None:
    """Once all hours are there, none is asked for until another one closed; then that one alone."""
    time, archive = Time(NOW + 660.0), Kept()
    pool = pool_of("foundry", books, time)
    async with serve_pool(pool, tls=certified.server) as url:
        accounts = reader([section("foundry", tmp_path, url=url, ca_file=certified.ca_file)], time, archive=archive)
        for _ in range(5):
            await accounts.read_once()
            time.now += 300.0
        asked = [path for _, path in pool.asked if "hour" in path]
        time.now = NOW + HOUR_S + 700.0
        before = dict(archive.windows)
        await accounts.read_once()
    assert len(asked) == 1
    assert [path for _, path in pool.asked if "hour" in path] == asked * 2
    assert before.items() <= archive.windows.items()


@pytest.mark.parametrize("kind", ["foundry", "f2pool"])
async def test_hours_are_kept_again_after_a_clock_that_was_ahead(
    kind: str, books: PoolBooks, certified: Certified, tmp_path: Path
) -> None:
    """A gateway may begin with a wrong clock: what it kept of the time to come is no reason to keep nothing now."""
    time, wall, archive = Time(NOW + 60.0), Time(NOW + 60.0 + 365 * DAY_S), Kept()
    pool = pool_of(kind, books, time)
    async with serve_pool(pool, tls=certified.server) as url:
        accounts = reader([section(kind, tmp_path, url=url, ca_file=certified.ca_file)], time, archive=archive)
        accounts._wall = wall
        for _ in range(3):
            await accounts.read_once()
            time.now += 600.0
        wall.now = time.now = NOW + HOUR_S + 600.0
        for _ in range(3):
            await accounts.read_once()
    assert NOW in {start for _, _, start in archive.windows}


@pytest.mark.parametrize("kind", sorted(KEYED_KINDS))
async def test_a_wrong_key_is_told_and_a_new_one_is_read(
    kind: str, books: PoolBooks, certified: Certified, tmp_path: Path
) -> None:
    """The pool's way of saying no is a reason of a closed list; the file's next content opens the account."""
    time = Time()
    one = section(kind, tmp_path, url="https://127.0.0.1:1", ca_file=certified.ca_file)
    async with serve_pool(pool_of(kind, books, time), tls=certified.server) as url:
        key_file(tmp_path, "other\nother\n" if kind == "antpool" else "other\n")
        accounts = reader([one.model_copy(update={"url": url})], time)
        await accounts.read_once()
        (refused,) = accounts.states()
        key_file(tmp_path, f"{KEY}\n{SECRET}\n" if kind == "antpool" else f"{KEY}\n")
        await accounts.read_once()
    assert set(refused.failures) == {"denied" if kind in {"antpool", "viabtc"} else "refused"}
    assert refused.rates_hs == {}
    assert refused.at is None
    (state,) = accounts.states()
    assert (state.trouble, state.reads) == (None, 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_each_account_of_a_pool_is_answered_by_its_own_books(
    kind: str, books: PoolBooks, certified: Certified, tmp_path: Path
) -> None:
    """Whatever way a pool has of refusing another account's request."""
    time, nothing = Time(), PoolBooks((), start=START)
    first = Holder(account="other", key="other-key", secret=f"other-{SECRET}", books=nothing)
    pool = Pool(kind=kind, holders=(first, *pool_of(kind, books, time).holders), clock=time)
    async with serve_pool(pool, tls=certified.server) as url:
        accounts = reader([section(kind, tmp_path, url=url, ca_file=certified.ca_file)], time)
        await accounts.read_once()
    (state,) = accounts.states()
    assert state.trouble is None
    assert state.rates_hs[DAY_S] == pytest.approx(books.rate_hs(NOW, DAY_S), rel=1e-3)


@pytest.mark.parametrize("kind", ["f2pool", "ocean", "foundry", "luxor"])
async def test_another_account_is_not_known(kind: str, books: PoolBooks, certified: Certified, tmp_path: Path) -> None:
    """No figure of an account that the pool does not have."""
    time = Time()
    async with serve_pool(pool_of(kind, books, time, account="someoneelse"), tls=certified.server) as url:
        accounts = reader([section(kind, tmp_path, url=url, ca_file=certified.ca_file)], time)
        await accounts.read_once()
    (state,) = accounts.states()
    assert set(state.failures) == {"status" if kind == "luxor" else "not_found"}


async def test_a_pool_that_is_down_or_limits_leaves_the_last_word_until_it_is_old(
    books: PoolBooks, certified: Certified, tmp_path: Path
) -> None:
    """The latest figures stay, with their age and the trouble; they are stale after half an hour, never 0."""
    time = Time()
    pool = pool_of("ocean", books, time)
    async with serve_pool(pool, tls=certified.server) as url:
        accounts = reader([section("ocean", tmp_path, url=url, ca_file=certified.ca_file)], time)
        await accounts.read_once()
        pool.trouble = LIMITED
        time.now += 300.0
        await accounts.read_once()
        (limited,) = accounts.states()
        pool.trouble = DOWN
        time.now += 1600.0
        await accounts.read_once()
        (down,) = accounts.states()
    assert limited.trouble == "HTTP status 429: the pool was asked too often"
    assert (limited.is_stale, down.is_stale) == (False, True)
    assert limited.rates_hs == down.rates_hs != {}
    assert down.failures == {"limited": 1, "server": 1}
    assert down.age_s == pytest.approx(1900.0, abs=30)
