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


_TERMS_1 = {
    "deployed": "The sum of nameplate hashrate of all units that the site's dated ledger has as deployed, answering or"
    " not; means are weighted by time.",
    "operating": "The sum of hashrate that units report in fresh readings; a unit that was not read counts as nothing.",
    "operational_efficiency_ratio": "Mean operating over mean deployed, over the time that was watched.",
    "operational_efficiency_floor_ratio": "The same over the whole time, with unwatched time and units in unknown"
    " states as nothing. 'Above 90 %' is said only of this one.",
    "operational_efficiency_ceiling_ratio": "The same, with both as full nameplate.",
    "operational_efficiency_capped_ratio": "Operating less uplift, over deployed: no unit counts with more than its"
    " nameplate.",
    "losses_hs": "Each unit's nameplate less its measured hashrate, never below zero, by cause."
    " Deployed - losses + uplift = operating.",
    "coverage_ratio": "Share of deployed nameplate, over the whole period, whose state was known.",
    "delivered_hs": "Accepted difficulty by units' own counters x 2^32 / time, beside what they report.",
    "credited_hs": "What pools themselves say that they credited, over the windows that were kept of it.",
    "diverted_hs": "Measured hashrate that worked for a destination outside the site's allow-list; it is part of"
    " operating.",
    "joules": "Energy of the time that was watched, by the source of each unit's power.",
    "energy": "The error is the maker's tolerance of power, for each source that rests on a nameplate or on firmware;"
    " that of meters and power supplies is their own and is not stated here. What is outside is listed.",
    "inputs": "The digest is the SHA-256 of the history's rows as `hashsight history export` prints them.",
    "facts_since": "Unix time of the first start that the history keeps as a fact. Before it nothing is known of what"
    " is listed by facts.",
    "absent": "What this document does not say, with the reason. Nothing absent is zero.",
    "chain": "Name of the history's chain, and number and hash of its last link when this was computed: every row and"
    " fact up to that link is bound by it.",
    "chain_events": "What happened to the history as a file: sealed as found, anchored, restored from a backup, rolled"
    " back, forked, merged, altered.",
    "agents": "Versions of the software that kept the history, from which time on, with the number of starts.",
    "clock": "Sources of time, and the largest |offset| + error of any look at the clock.",
    "configs": "Digests of the configurations in force, from which time on.",
    "ledgers": "Digests of the ledgers in force, from which time on; and every change of the ledger since the period"
    " began until this was computed, for whichever date it was entered.",
    "deployed_steps": "Deployed by the ledger at each moment of the period.",
    "units": "Units that the dated ledger has as entered, left or in maintenance in the period. The list itself is an"
    " appendix in CSV, named by its SHA-256.",
    "curtailments": "Declared events that touch the period. Energy is modelled from nameplates, of the whole event.",
    "repairs": "How often each rule that repairs a reply, or caps a figure, touched figures in the period.",
    "recovered": "Work of units that hashed through gaps, by their own uptimes and counters. It is in no figure.",
    "gaps": "Times in which the agent did not watch, with the reason that it found when it was back.",
    "simulated": "Units of the ledger at loopback addresses, with serial numbers of the simulator, or marked as"
    " simulated, counted in the figures or not.",
    "restates": "The earlier document that this one replaces, by the SHA-256 of its file, and every figure that"
    " differs.",
}
METHODS = {1: METHOD}
TERMS = {1: _TERMS_1}


def definitions() -> Definitions:
    """Return the definitions of today."""
    return Definitions(version=VERSION, terms=dict(TERMS[VERSION]))
