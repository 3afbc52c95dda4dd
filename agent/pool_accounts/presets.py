"""The pools that are known, as data. Every one is documented, and none was tried against the pool.

Facts are in docs/pool-apis.md. A pool whose limit is not published is asked once in ten seconds at most.
"""

from collections.abc import Iterable, Mapping

from agent.config.pool_accounts import PoolAccountSection
from agent.pool_accounts.plan import DAY_S, HOUR_S, Call, Figure, Past, Plan, Reading, Signature

_GH = 1e9

PRESETS: Mapping[str, Plan] = {
    "foundry": Plan(
        title="Foundry USA",
        base="https://api.foundryusapool.com",
        reading=Reading(
            # Documented (D305). Assumed (A220): GH/s, as the pool's own hashrate and that of workers.
            call=Call(path="/subaccount_stats/{account}", query={"coin": "BTC"}, headers={"X-API-KEY": "{key}"}),
            figures=(Figure(HOUR_S, "/hashrate1hrAvg", _GH), Figure(DAY_S, "/hashrate24hrAvg", _GH)),
        ),
        past=Past(
            # Documented (D306): hours are kept for 30 days.
            call=Call(
                path="/subaccount_hashrate_hour/{account}",
                query={"coin": "BTC", "startDateUnixMs": "{start_ms}", "endDateUnixMs": "{end_ms}"},
                headers={"X-API-KEY": "{key}"},
            ),
            rows_pointer="",
            start_pointer="/unixTime",
            figure=Figure(HOUR_S, "/hashrateAccepted", _GH),
            kept_s=30 * DAY_S,
            most_rows=30 * 24,
        ),
    ),
    "antpool": Plan(
        title="AntPool",
        base="https://antpool.com",
        reading=Reading(
            # Documented (D308, D309). `hashrate.htm` has the same figures in MH/s, by what clients say.
            call=Call(
                method="POST",
                path="/api/accountOverview.htm",
                form={"coin": "BTC", "userId": "{account}"},
                signature=Signature.ANTPOOL,
            ),
            figures=(Figure(HOUR_S, "/data/hsLast1h"), Figure(DAY_S, "/data/hsLast1d")),
            done_pointer="/code",
        ),
        # Documented (D310): 600 calls in ten minutes.
        between_s=2.0,
    ),
    "f2pool": Plan(
        title="F2Pool",
        base="https://api.f2pool.com",
        reading=Reading(
            # Documented (D315): hashes, not hashes a second.
            call=Call(path="/bitcoin/{account}"),
            figures=(Figure(HOUR_S, "/hashes_last_hour", 1 / HOUR_S), Figure(DAY_S, "/hashes_last_day", 1 / DAY_S)),
        ),
    ),
    "viabtc": Plan(
        title="ViaBTC",
        base="https://www.viabtc.net",
        reading=Reading(
            # Documented (D318).
            call=Call(path="/res/openapi/v1/hashrate", query={"coin": "BTC"}, headers={"X-API-KEY": "{key}"}),
            figures=(Figure(HOUR_S, "/data/hashrate_1hour"), Figure(DAY_S, "/data/hashrate_24hour")),
            done_pointer="/code",
        ),
        past=Past(
            # Documented (D319): days of UTC if asked so. Assumed (A222): as many rows as these.
            call=Call(
                path="/res/openapi/v1/hashrate/history",
                query={
                    "coin": "BTC",
                    "utc": "true",
                    "page": "1",
                    "limit": "30",
                    "start_date": "{start_date}",
                    "end_date": "{end_date}",
                },
                headers={"X-API-KEY": "{key}"},
            ),
            rows_pointer="/data/data",
            start_pointer="/date",
            figure=Figure(DAY_S, "/hashrate"),
            kept_s=30 * DAY_S,
            most_rows=30,
            done_pointer="/code",
        ),
    ),
    "braiins": Plan(
        title="Braiins Pool",
        base="https://pool.braiins.com",
        reading=Reading(
            # Documented (D321): the unit is in the answer.
            call=Call(path="/accounts/profile/json/btc/", headers={"Pool-Auth-Token": "{key}"}),
            figures=(
                Figure(HOUR_S, "/btc/hash_rate_60m", unit_pointer="/btc/hash_rate_unit"),
                Figure(DAY_S, "/btc/hash_rate_24h", unit_pointer="/btc/hash_rate_unit"),
            ),
        ),
        past=Past(
            # Documented (D322). Assumed (A223): without a group in the path, the account's own.
            call=Call(path="/accounts/hash_rate_daily/json/btc", headers={"Pool-Auth-Token": "{key}"}),
            rows_pointer="/btc",
            start_pointer="/date",
            figure=Figure(DAY_S, "/hash_rate_24h", unit_pointer="/hash_rate_unit"),
            kept_s=90 * DAY_S,
            most_rows=90,
        ),
        # Documented (D323): one call in 5 s, then an IP ban.
        between_s=10.0,
    ),
    "luxor": Plan(
        title="Luxor",
        base="https://app.luxor.tech",
        reading=Reading(
            # Documented (D325).
            call=Call(
                path="/api/v2/pool/summary/BTC",
                query={"subaccount_names": "{account}"},
                headers={"authorization": "{key}"},
            ),
            figures=(Figure(HOUR_S, "/hashrate_1h"), Figure(DAY_S, "/hashrate_24h")),
        ),
        past=Past(
            # Documented (D326): hours of the last month, ten a page unless asked for more. Assumed (A224): a hundred.
            call=Call(
                path="/api/v2/pool/hashrate-efficiency/BTC",
                query={
                    "subaccount_names": "{account}",
                    "tick_size": "1h",
                    "page_number": "1",
                    "page_size": "100",
                    "start_date": "{start_date}",
                    "end_date": "{end_date}",
                },
                headers={"authorization": "{key}"},
            ),
            rows_pointer="/hashrate_efficiency",
            start_pointer="/date_time",
            figure=Figure(HOUR_S, "/hashrate"),
            kept_s=30 * DAY_S,
            # Dates are whole days, so three of them are asked for.
            most_rows=72,
        ),
    ),
    "ocean": Plan(
        title="OCEAN",
        base="https://api.ocean.xyz",
        reading=Reading(
            # Documented (D328).
            call=Call(path="/v1/user_hashrate/{account}"),
            figures=(Figure(HOUR_S, "/result/hashrate_3600s"), Figure(DAY_S, "/result/hashrate_86400s")),
            at_pointer="/result/snap_ts",
        ),
    ),
}


def plan_of(section: PoolAccountSection) -> Plan:
    """Return how an account is read: by its pool's preset, or by what the section describes."""
    if section.kind != "http":
        return PRESETS[section.kind]
    windows = ((HOUR_S, section.hour_pointer), (DAY_S, section.day_pointer))
    call = Call(
        method=section.method,
        path=section.path or "/",
        query=_pairs(section.query, "="),
        headers=_pairs(section.headers, ": "),
        form=_pairs(section.form, "="),
        body=section.body,
    )
    return Plan(
        title="HTTP",
        base=section.url or "",
        reading=Reading(
            call=call,
            figures=tuple(
                Figure(window_s, pointer, section.scale) for window_s, pointer in windows if pointer is not None
            ),
            at_pointer=section.at_pointer,
            done_pointer=section.done_pointer,
        ),
        basis="described in the configuration",
    )


def _pairs(texts: Iterable[str], mark: str) -> dict[str, str]:
    return {name: value for name, _, value in (text.partition(mark) for text in texts)}
