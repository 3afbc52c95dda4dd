"""The definitions of every figure and list of a statement's document, with their version. Pure.

A change in the meaning of a term, or of the method, is a new version: earlier ones stay here, because documents that
name them must go on being verifiable.
"""

import msgspec

from agent.statement.statement import METHOD

VERSION = 1


class Definitions(msgspec.Struct, frozen=True, kw_only=True):
    """The definitions that a document was made by.

    Attributes:
        version: Their version.
        terms: What each name in the document means.
    """

    version: int
    terms: dict[str, str]


_FIGURES_1 = {
    "deployed_hs": "The sum of nameplate hashrate of all units that the site's dated ledger has as deployed, answering"
    " or not: its mean over the time that was watched.",
    "deployed_whole_hs": "The same over the whole time; where nothing was watched, by the ledger.",
    "deployed_end_hs": "The same in the last row: a snapshot.",
    "units": "Units deployed, mean over the time that was watched.",
    "units_end": "Units deployed in the last row.",
    "simulated_units": "Units among these that history counted as simulated.",
    "operating_hs": "The sum of hashrate that units report in fresh readings, mean over the time that was watched; a"
    " unit that was not read counts as nothing.",
    "operating_end_hs": "The same in the last row: a snapshot.",
    "operating_floor_hs": "Operating over the whole time, if unwatched time and units in unknown states are nothing.",
    "operating_ceiling_hs": "The same if both are full nameplate.",
    "uplift_hs": "What units hash above their nameplates; it is part of operating.",
    "losses_hs": "Each unit's nameplate less its measured hashrate, never below zero, by cause. Deployed - losses +"
    " uplift = operating.",
    "lost_hs": "The sum of all losses.",
    "losses_ratio": "Losses over mean deployed.",
    "lost_ratio": "Their sum over mean deployed.",
    "uplift_ratio": "Uplift over mean deployed.",
    "operational_efficiency_ratio": "Mean operating over mean deployed, both over the time that was watched.",
    "operational_efficiency_floor_ratio": "The operating floor over deployed of the whole time.",
    "operational_efficiency_ceiling_ratio": "The operating ceiling over deployed of the whole time.",
    "operational_efficiency_capped_ratio": "Operating less uplift, over deployed: no unit above its nameplate.",
    "operational_efficiency_capped_floor_ratio": "The floor of that.",
    "operational_efficiency_own_ratio": "Operating over deployed by what units say of their own nameplates; absent"
    " where no row differs from that.",
    "operational_efficiency_own_floor_ratio": "The floor of that.",
    "recovered_hs": "Work that units' own counters prove of gaps, as a mean over the whole time; in no other figure.",
    "operating_floor_recovered_hs": "The operating floor with that work.",
    "operational_efficiency_floor_recovered_ratio": "That over deployed of the whole time. It decides nothing.",
    "operational_efficiency_end_ratio": "Mean operating over deployed at the end.",
    "operational_efficiency_excluding_curtailment_ratio": "Mean operating over mean deployed less curtailed.",
    "is_above_target": "True if the unrounded floor ratio is above 0.9.",
    "is_lower_bound": "True if over 5 % of deployed was in unknown states: only the floor may be published.",
    "unknown_ratio": "Share of deployed nameplate that was in unknown states while it was watched.",
    "ledger_off_ratio": "How far the ledger is from deployed as history kept it, of that.",
    "coverage_ratio": "Share of deployed nameplate, over the whole time, whose state was known.",
    "watched_ratio": "Share of the time for which there are figures.",
    "joules": "Energy of the time that was watched, J.",
    "joules_by_source": "The same by the source of each unit's power.",
    "energy_efficiency_j_per_th": "Power over hashrate of the units that have both.",
    "energy_coverage_ratio": "Their share of deployed.",
    "delivered_hs": "Accepted difficulty by units' own counters x 2^32 / time.",
    "delivered_coverage_ratio": "Share of deployed behind it.",
    "reach_uptime_ratio": "Share of unit time in which units answered.",
    "hashing_uptime_ratio": "Share of unit time in which they answered and hashed.",
    "diverted_hs": "Measured hashrate that worked for a destination outside the site's allow-list; part of operating.",
    "diverted_ratio": "Its share of operating of the sites that judged it.",
    "judged_ratio": "Share of the watched time in which it was judged.",
    "credited_hs": "What pools themselves say that they credited, over the windows that were kept of it.",
    "credited_covered_ratio": "Share of the time, over all accounts, that these cover.",
}
_CONTENTS_1 = {
    "absent": "What this document does not say, with the reason. Nothing absent is zero.",
    "agents": "Versions of the software that kept the history, from which time on, with the number of starts.",
    "chain": "Name of the history's chain, and number and hash of its last link when this was computed: every row and"
    " fact up to that link is bound by it.",
    "chain_events": "What happened to the history as a file: sealed as found, anchored, restored from a backup, rolled"
    " back, forked, merged, altered.",
    "clock": "Sources of time, and the largest |offset| + error of any look at the clock.",
    "configs": "Digests of the configurations in force, from which time on.",
    "curtailments": "Declared events that touch the period. Hours and energy are of the whole event; energy is modelled"
    " from nameplates.",
    "deployed_steps": "Deployed by the ledger at each moment of the period: Unix time and H/s from then on.",
    "energy": "Energy with its error, by source: the maker's tolerance for what rests on a nameplate or on firmware;"
    " that of meters and power supplies is their own and not stated. What is outside is listed.",
    "facts_since": "Unix time of the first start that the history keeps as a fact. Of what was before it, nothing that"
    " rests on facts is known.",
    "gaps": "Times in which the agent did not watch, with the reason that it found when it was back.",
    "keys": "Public keys with which the history's chain was signed, from which time on.",
    "ledger_changes": "Every change of the ledger since the period began until this was computed, for whichever date it"
    " was entered.",
    "ledgers": "Digests of the ledgers in force, from which time on.",
    "malformed": "Facts that could not be read; they are in no list.",
    "repairs": "How often each rule that repairs a reply, or caps a figure, touched figures in the period.",
    "simulated": "Units of the ledger at loopback addresses, with serial numbers of the simulator, or marked as"
    " simulated, counted in the figures or not.",
    "site": "The site's name.",
    "units": "Units that the dated ledger has as entered, left or in maintenance in the period. The list itself is an"
    " appendix in CSV, named by its SHA-256.",
    "unknown_facts": "Facts of kinds that this version does not know, by number.",
}
_DOCUMENT_1 = {
    "documents": "The documents that a combination rests on, whole.",
    "inputs": "The rows of a part: the SHA-256 of them as `hashsight history export` prints them, in which version.",
    "recovered": "Of a part: work of units that hashed through its gaps, by their own uptimes and counters, as facts of"
    " the history tell. It is in no figure but the floor with recovered time.",
    "restates": "The earlier document that this one replaces, by the SHA-256 of its file, and every figure that"
    " differs.",
    "signature": "Ed25519 over the canonical JSON of everything else in the document.",
    "unseen": "What history does not show: hashes of unwatched time, of units in unknown states, and of their rates.",
}
METHODS = {1: METHOD}
TERMS = {1: _FIGURES_1 | _CONTENTS_1 | _DOCUMENT_1}


def definitions() -> Definitions:
    """Return the definitions of today."""
    return Definitions(version=VERSION, terms=dict(TERMS[VERSION]))
