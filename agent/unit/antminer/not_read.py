"""Fields that are known and deliberately not read, each with the reason. What is in no list here is news.

Paths are folded as in `agent.unit.unread`: ``[]`` for elements of a list, ``#`` for a number at the end of a key.
Facts: docs/antminer-api.md, by id.
"""

from collections.abc import Mapping
from typing import Final

_CLOCK: Final = "the unit's clock; the agent's own is used"
_LEFTOVER: Final = "left over from cgminer, always the same"
_VERSION_TELLS: Final = "told by `version` too"
_STATS_TELLS: Final = "told by `stats` too"
_SUMS: Final = "follows from fields that are read"
_CHIPS: Final = "settings of chips; no figure rests on them"
_UPSTREAM: Final = "a counter of cgminer that no figure needs"

_LEGACY_ENVELOPE: Final = {"STATUS[].When": _CLOCK, "id": _LEFTOVER}
_NEW_ENVELOPE: Final = {
    "STATUS.when": _CLOCK,
    "STATUS.api_version": "1.0.0 in every recorded reply (O09)",
}

STATS: Final[Mapping[str, str]] = {
    **_LEGACY_ENVELOPE,
    # Observed (O26): s19pro-stock-202212.
    "STATS[].BMMiner": _VERSION_TELLS,
    "STATS[].STATS": _LEFTOVER,
    "STATS[].ID": _LEFTOVER,
    "STATS[].Calls": _LEFTOVER,
    "STATS[].Wait": _LEFTOVER,
    "STATS[].Max": _LEFTOVER,
    "STATS[].Min": _LEFTOVER,
    "STATS[].total rate": "`GHS av` again (O26)",
    "STATS[].total_rate": "`GHS av` or `GHS 5s` again",
    "STATS[].frequency": "`freq#` of the boards is read",
    "STATS[].total_freqavg": "`freq#` of the boards is read",
    "STATS[].fan_num": _SUMS,
    "STATS[].temp_num": _SUMS,
    "STATS[].temp#": "the maximum of `temp_pcb#` (O31)",
    "STATS[].temp2_#": "the maximum of `temp_chip#` (O31)",
    "STATS[].temp_max": "0 while hashing (O26)",
    "STATS[].total_acn": _SUMS,
    "STATS[].no_matching_work": "the sum of `chain_hw#` (O29)",
    "STATS[].miner_version": "`Miner` again (O26)",
    "STATS[].miner_id": "an id that no other report has (O26)",
}
NEW_API_STATS: Final[Mapping[str, str]] = {
    **_NEW_ENVELOPE,
    # Observed (O45, O46): s19proplus-hyd-stock-202303.
    "STATS[].chain_num": _SUMS,
    "STATS[].fan_num": _SUMS,
    "STATS[].hwp_total": "percent of nonces by a rule that is assumed (A21); `hw` is read",
    "STATS[].freq-level": "a setting; `freq_avg` is what runs",
    "STATS[].chain[].rate_ideal": "at the present clock; clock and chips are read",
    "STATS[].chain[].eeprom_loaded": "without an EEPROM there is no `sn`, which is read",
    "STATS[].chain[].hwp": "as `hwp_total`",
    # Documented (D81, D85): builds of 2026.
    "STATS[].jt": "`watt` over the rate, both of which are read",
    "STATS[].ambient_temp": "no source tells where it is measured (D85)",
    "STATS[].freq-level-mode": "a setting; `freq_avg` is what runs",
    "STATS[].freq-level-min": "a setting; `freq_avg` is what runs",
    "STATS[].chain[].eeprom_level": _CHIPS,
    "STATS[].chain[].eeprom_vol": _CHIPS,
    "STATS[].chain[].eeprom_freq": _CHIPS,
    "STATS[].chain[].eeprom_bin": _CHIPS,
    "STATS[].chain[].eeprom_ft": _CHIPS,
    "STATS[].chain[].tpl": "places of chips on the board; no figure rests on them",
}
SUMMARY: Final[Mapping[str, str]] = {
    **_LEGACY_ENVELOPE,
    # Observed (O17): s21-stock-aml-202407, s19pro-stock-202212.
    "SUMMARY[].Found Blocks": _UPSTREAM,
    "SUMMARY[].Getwork": _UPSTREAM,
    "SUMMARY[].Getworks": _UPSTREAM,
    "SUMMARY[].Discarded": _UPSTREAM,
    "SUMMARY[].Get Failures": _UPSTREAM,
    "SUMMARY[].Local Work": _UPSTREAM,
    "SUMMARY[].Remote Failures": _UPSTREAM,
    "SUMMARY[].Network Blocks": _UPSTREAM,
    "SUMMARY[].Last getwork": _UPSTREAM,
    "SUMMARY[].Utility": "accepted shares over uptime (O20)",
    "SUMMARY[].Work Utility": _UPSTREAM,
    "SUMMARY[].Total MH": "average rate times uptime (O19)",
    "SUMMARY[].Device Hardware%": "always 0.0 (O18)",
    "SUMMARY[].Device Rejected%": "always 0.0 (O18)",
    "SUMMARY[].Pool Rejected%": "always 0.0 (O18)",
    "SUMMARY[].Pool Stale%": "always 0.0 (O18)",
}
NEW_API_SUMMARY: Final[Mapping[str, str]] = {
    **_NEW_ENVELOPE,
    "INFO": _STATS_TELLS,
    "SUMMARY[].rate_ideal": _STATS_TELLS,
    "SUMMARY[].status[].code": "1 beside every `e` or `w`; `msg` has the code of the error table (D53)",
}
POOLS: Final[Mapping[str, str]] = {
    **_LEGACY_ENVELOPE,
    # Observed (O35): s21-stock-aml-202407, s19pro-stock-202212.
    "POOLS[].Priority": "`POOL` again",
    "POOLS[].Quota": _LEFTOVER,
    "POOLS[].Long Poll": _LEFTOVER,
    "POOLS[].Getworks": _UPSTREAM,
    "POOLS[].Discarded": _UPSTREAM,
    "POOLS[].Get Failures": _UPSTREAM,
    "POOLS[].Remote Failures": _UPSTREAM,
    "POOLS[].Last Share Time": "an age, as text of another form on each firmware",
    "POOLS[].Last Share Difficulty": _UPSTREAM,
    "POOLS[].Best Share": "that of `summary` is read",
    "POOLS[].Diff": "shortened; the sums of difficulty are read (O38)",
    "POOLS[].Diff1 Shares": _LEFTOVER,
    "POOLS[].Proxy Type": _LEFTOVER,
    "POOLS[].Proxy": _LEFTOVER,
    "POOLS[].Has Stratum": _LEFTOVER,
    "POOLS[].Has GBT": _LEFTOVER,
    "POOLS[].Stratum URL": "the host of `URL` (O35)",
    "POOLS[].Pool Rejected%": "always 0.0 (O35)",
    "POOLS[].Pool Stale%%": "always 0.0 (O39)",
}
VERSION: Final[Mapping[str, str]] = {**_LEGACY_ENVELOPE, "VERSION[].BMMiner": "the program's version, 1.0.0 (O11)"}
SYSTEM_INFO: Final[Mapping[str, str]] = {
    # Observed (O67): s21plus-stock-202503, s21-stock-aml-202407.
    "nettype": "settings of the network; addresses come from the ledger",
    "netdevice": "settings of the network; addresses come from the ledger",
    "hostname": "a name that an owner may give; MAC and serial number tell units apart",
    "ipaddress": "settings of the network; addresses come from the ledger",
    "netmask": "settings of the network; addresses come from the ledger",
    "gateway": "settings of the network; addresses come from the ledger",
    "dnsservers": "settings of the network; addresses come from the ledger",
    "system_mode": "the operating system's",
    "system_kernel_version": "the operating system's",
    "firmware_type": "`Release` in every recorded page (O67)",
}
