"""Replies of each pool as its documents describe them. The facts are in docs/pool-apis.md."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from simulators.pool.books import PoolBooks

HOUR_S, DAY_S = 3600, 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request.

    Attributes:
        method, path: As sent.
        query, form, headers: By name; names of headers are in lower case.
        now: Unix time of the pool, s.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One reply: status, JSON, and headers."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_granted(self) -> bool:
        """True if it has what was asked for; some pools refuse by a code in an answer of status 200."""
        return self.status == 200 and not (isinstance(self.body, dict) and self.body.get("code"))


@dataclass(slots=True, kw_only=True)
class Holder:
    """An account at a pool.

    Attributes:
        account: Its name there.
        key, secret: What opens it; empty where the pool asks for none.
        books: What it is credited with.
        nonce: The last one that was used.
    """

    account: str
    key: str = ""
    secret: str = ""
    books: PoolBooks
    nonce: int = -1


NOT_FOUND = Reply(status=404, body={"message": "not found"})

Answer = Callable[[Asked, Holder], Reply]


def foundry(asked: Asked, holder: Holder) -> Reply:
    """Documented (D305, D306, D307): an object, and a list of hours; GH/s."""
    if asked.headers.get("x-api-key") != holder.key:
        return Reply(status=403, body={"message": "Forbidden"})
    books, now = holder.books, asked.now
    if asked.path == f"/subaccount_stats/{holder.account}":
        figures = {"5min": 300, "15min": 900, "1hr": HOUR_S, "24hr": DAY_S}
        rates = {f"hashrate{name}Avg": round(books.rate_hs(now, span) / 1e9) for name, span in figures.items()}
        return Reply(
            body={"name": holder.account, "activeWorkers": 1, **rates, "updatedAt": iso(now), "isActive": True}
        )
    if asked.path == f"/subaccount_hashrate_hour/{holder.account}":
        begin, end = (int(asked.query[name]) / 1000 for name in ("startDateUnixMs", "endDateUnixMs"))
        hours = hours_between(begin, min(end, now))
        # Clients disagree on the order: the latest come first here.
        return Reply(
            body=[
                {
                    "time": iso(start),
                    "endTime": iso(start + HOUR_S),
                    "unixTime": start * 1000,
                    "hashrateAccepted": round(books.rate_hs(start + HOUR_S, HOUR_S) / 1e9),
                    "hashrateStale": 0,
                    "hashrateRejected": 0,
                }
                for start in reversed(hours)
            ]
        )
    return NOT_FOUND


def antpool(asked: Asked, holder: Holder) -> Reply:
    """Documented (D308, D309, D311): texts in H/s, and a code that is 0; the nonce must rise."""
    form, said = asked.form, {"message": "ok", "data": None}
    if asked.method != "POST" or asked.path != "/api/accountOverview.htm":
        return NOT_FOUND
    if form.get("key") != holder.key:
        return Reply(body=said | {"code": -6, "message": "key"})
    nonce = form.get("nonce", "")
    text = f"{form.get('userId', '')}{holder.key}{nonce}".encode()
    if form.get("signature") != hmac.new(holder.secret.encode(), text, hashlib.sha256).hexdigest().upper():
        return Reply(body=said | {"code": -7, "message": "signature"})
    if not nonce.isdigit() or int(nonce) <= holder.nonce:
        return Reply(body=said | {"code": -18, "message": "nonce"})
    holder.nonce = int(nonce)
    if form.get("userId") != holder.account:
        return Reply(body=said | {"code": -9, "message": "permission"})
    rates = {"hsLast10m": 600, "hsLast1h": HOUR_S, "hsLast1d": DAY_S}
    shown = {name: text_of(holder.books, asked.now, span) for name, span in rates.items()}
    return Reply(body={"code": 0, "message": "ok", "data": {"userId": holder.account, "totalWorkerNum": 1, **shown}})


def f2pool(asked: Asked, holder: Holder) -> Reply:
    """Documented (D315): hashes of the last hour and day, without a key."""
    if asked.path != f"/bitcoin/{holder.account}":
        return NOT_FOUND
    books, now = holder.books, asked.now
    return Reply(
        body={
            "balance": 0.0,
            "hashrate": round(books.rate_hs(now, 600)),
            "hashes_last_hour": round(books.rate_hs(now, HOUR_S) * HOUR_S),
            "hashes_last_day": round(books.rate_hs(now, DAY_S) * DAY_S),
            "stale_hashes_rejected_last_day": 0,
            "workers": [],
        }
    )


def viabtc(asked: Asked, holder: Holder) -> Reply:
    """Documented (D318, D319, D320): texts in H/s below `data`, and a code that is 0."""
    if asked.headers.get("x-api-key") != holder.key:
        return Reply(body={"code": 12001, "message": "invalid key", "data": {}})
    books, now = holder.books, asked.now
    if asked.path == "/res/openapi/v1/hashrate" and asked.query.get("coin") == "BTC":
        spans = {"hashrate_10min": 600, "hashrate_1hour": HOUR_S, "hashrate_24hour": DAY_S}
        rates = {name: text_of(books, now, span) for name, span in spans.items()}
        data = {"coin": "BTC", "active_workers": 1, "unactive_workers": 0, **rates}
        return Reply(body={"code": 0, "message": "OK", "data": data})
    if asked.path == "/res/openapi/v1/hashrate/history" and asked.query.get("utc") == "true":
        days = days_between(asked.query["start_date"], asked.query["end_date"], now)
        rows = [
            {"coin": "BTC", "date": iso(day)[:10], "hashrate": text_of(books, day + DAY_S, DAY_S), "reject_rate": "0"}
            for day in days
        ]
        data = {"count": len(rows), "curr_page": 1, "data": rows, "has_next": False, "total_page": 1}
        return Reply(body={"code": 0, "message": "OK", "data": data})
    return NOT_FOUND


def braiins(asked: Asked, holder: Holder) -> Reply:
    """Documented (D321, D322): numbers, and the name of their unit beside them."""
    if asked.headers.get("pool-auth-token") != holder.key:
        return Reply(status=401, body={"detail": "Invalid token"})
    books, now = holder.books, asked.now
    if asked.path == "/accounts/profile/json/btc/":
        spans = {"hash_rate_5m": 300, "hash_rate_60m": HOUR_S, "hash_rate_24h": DAY_S}
        rates = {name: round(books.rate_hs(now, span) / 1e9, 3) for name, span in spans.items()}
        return Reply(body={"username": holder.account, "btc": {"hash_rate_unit": "Gh/s", "ok_workers": 1, **rates}})
    if asked.path == "/accounts/hash_rate_daily/json/btc":
        today = int(now) // DAY_S * DAY_S
        days = range(today, today - 5 * DAY_S, -DAY_S)
        rows = [
            {
                "date": day,
                "hash_rate_unit": "Gh/s",
                "hash_rate_24h": round(books.rate_hs(min(day + DAY_S, now), DAY_S) / 1e9, 3),
                "total_shares": 0,
            }
            for day in days
        ]
        return Reply(body={"btc": rows})
    return NOT_FOUND


def luxor(asked: Asked, holder: Holder) -> Reply:
    """Documented (D325, D326, D327): texts in H/s; hours of whole days, a page at a time."""
    if asked.headers.get("authorization") != holder.key:
        return Reply(status=401, body={"statusCode": 401, "error": "Unauthorized"})
    books, now = holder.books, asked.now
    if asked.query.get("subaccount_names") != holder.account:
        return Reply(status=400, body={"statusCode": 400, "error": "Bad Request"})
    if asked.path == "/api/v2/pool/summary/BTC":
        spans = {"hashrate_5m": 300, "hashrate_1h": HOUR_S, "hashrate_24h": DAY_S}
        rates = {name: text_of(books, now, span) for name, span in spans.items()}
        return Reply(body={"currency_type": "BTC", **rates, "efficiency_5m": 0.99, "active_miners": 1})
    if asked.path == "/api/v2/pool/hashrate-efficiency/BTC" and asked.query.get("tick_size") == "1h":
        first = day_of(asked.query["start_date"])
        after = day_of(asked.query["end_date"]) + DAY_S
        rows = [
            {"date_time": iso(hour), "hashrate": text_of(books, hour + HOUR_S, HOUR_S), "efficiency": 0.99}
            for hour in hours_between(first, min(after, now))
        ]
        size = int(asked.query.get("page_size", "10"))
        return Reply(body={"currency_type": "BTC", "tick_size": "1h", "hashrate_efficiency": rows[:size]})
    return NOT_FOUND


def ocean(asked: Asked, holder: Holder) -> Reply:
    """Documented (D328): texts in H/s below `result`, without a key; 404 for an address that never mined."""
    if asked.path != f"/v1/user_hashrate/{holder.account}":
        return NOT_FOUND
    spans = (60, 300, 600, 1800, HOUR_S, 10_800, 43_200, DAY_S)
    rates = {f"hashrate_{span}s": text_of(holder.books, asked.now, span) for span in spans}
    moments = {"snap_ts": str(int(asked.now)), "lastest_share_ts": str(int(asked.now))}
    return Reply(body={"result": {"active_worker_count": 1, **rates, **moments}})


ANSWERS: Mapping[str, Answer] = {
    "antpool": antpool,
    "braiins": braiins,
    "f2pool": f2pool,
    "foundry": foundry,
    "luxor": luxor,
    "ocean": ocean,
    "viabtc": viabtc,
}


def text_of(books: PoolBooks, end: float, window_s: float) -> str:
    """Return a credited hashrate in whole H/s, as a text."""
    return str(round(books.rate_hs(end, window_s)))


def iso(at: float) -> str:
    """Return a Unix time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def day_of(text: str) -> int:
    """Return the Unix time at which a day of UTC begins, s."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def hours_between(start: float, end: float) -> range:
    """Return the beginnings of the hours that lie in a span as a whole."""
    return range(-int(-start // HOUR_S) * HOUR_S, int(end // HOUR_S) * HOUR_S, HOUR_S)


def days_between(first: str, last: str, now: float) -> list[int]:
    """Return the beginnings of the days from one to another that are over, the latest first."""
    after = (datetime.fromisoformat(last).replace(tzinfo=UTC) + timedelta(days=1)).timestamp()
    return [day for day in range(day_of(first), int(after), DAY_S) if day + DAY_S <= now][::-1]
