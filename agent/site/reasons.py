"""The closed list of reasons for which a unit is as it is: words, severity, and what to check first. Pure.

A `Reason` is a label: metrics, alerts and other programs group by it. A `Finding` adds the words about one unit, with
its numbers: "fan 2 at 0 rpm". Fans are numbered from 1, as on the unit's own page and in `miner_fan_speed_rpm`. Boards
are numbered by their slot, from 0, as in every reading and in the label ``board`` of metrics.

`docs/reasons.md` lists all of them; a test compares it with `REASONS`.
"""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How much a reason asks of an operator, least first."""

    FINE = "fine"
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Reason(StrEnum):
    """The closed list of reasons; a unit has one."""

    HASHING = "hashing"
    MAINTENANCE = "maintenance"
    # Not hashing, and what its reply shows.
    POWER_SUPPLY = "power_supply"
    FAN_STOPPED = "fan_stopped"
    TOO_HOT = "too_hot"
    NO_BOARDS = "no_boards"
    BOARD_FAULT = "board_fault"
    NO_POOL_ALIVE = "no_pool_alive"
    TOO_COLD = "too_cold"
    FAILURE = "failure"
    STOPPED_UNKNOWN = "stopped_unknown"
    ASLEEP = "asleep"
    WAKING = "waking"
    RESTARTING = "restarting"
    BOOTING = "booting"
    RAMPING_UP = "ramping_up"
    # Hashing, and for nothing.
    OWNER_UNPAID = "owner_unpaid"
    # Hashing, and not what its row says, or less than it should.
    WRONG_ROW = "wrong_row"
    BOARD_ABSENT = "board_absent"
    CHIPS_MISSING = "chips_missing"
    CHIPS_BAD = "chips_bad"
    STRAGGLING = "straggling"
    HELD_BACK = "held_back"
    CLOCK_LOW = "clock_low"
    SLOW = "slow"
    # Not read.
    OTHER_UNIT = "other_unit"
    FOREIGN_PROTOCOL = "foreign_protocol"
    ACCESS_DENIED = "access_denied"
    REFUSED_COMMAND = "refused_command"
    STANDS_STILL = "stands_still"
    CONTRADICTORY_REPLY = "contradictory_reply"
    UNKNOWN_DIALECT = "unknown_dialect"
    NO_RATE = "no_rate"
    MALFORMED_REPLY = "malformed_reply"
    REPLY_TOO_LARGE = "reply_too_large"
    COSTLY_REPLY = "costly_reply"
    STALLS_IN_REPLY = "stalls_in_reply"
    LANE_FAILED = "lane_failed"
    LANE_QUARANTINED = "lane_quarantined"
    CLOSED_IN_REPLY = "closed_in_reply"
    RESETS_CONNECTION = "resets_connection"
    NO_WHOLE_REPLY = "no_whole_reply"
    CONNECTION_REFUSED = "connection_refused"
    NO_ANSWER = "no_answer"
    NOT_POLLED_LATELY = "not_polled_lately"
    NOT_POLLED = "not_polled"


class Meaning(NamedTuple):
    """A reason in words for people.

    Attributes:
        words: The reason without numbers.
        severity: How much it asks of an operator.
        check_first: What to look at first; empty if there is nothing to check.
    """

    words: str
    severity: Severity
    check_first: str


_FINE, _INFO, _WARNING, _CRITICAL = Severity

REASONS: dict[Reason, Meaning] = {
    Reason.HASHING: Meaning("hashing", _FINE, ""),
    Reason.MAINTENANCE: Meaning("ledger says maintenance", _INFO, "the unit's row in the ledger"),
    Reason.POWER_SUPPLY: Meaning(
        "power supply fault reported", _CRITICAL, "the power supply's cables, its input voltage and the unit's log"
    ),
    Reason.FAN_STOPPED: Meaning(
        "fan stopped", _CRITICAL, "that fan's plug and blades; the unit does not hash until it turns"
    ),
    Reason.TOO_HOT: Meaning(
        "too hot", _CRITICAL, "the air or coolant at the inlet, dust in the fins, and the fans or the pump"
    ),
    Reason.NO_BOARDS: Meaning(
        "no boards at all", _CRITICAL, "power to the boards, then the ribbon cables at the control board"
    ),
    Reason.BOARD_FAULT: Meaning(
        "board fault reported", _CRITICAL, "the unit's log for the board's number, then its power and ribbon cables"
    ),
    Reason.NO_POOL_ALIVE: Meaning(
        "no pool alive", _CRITICAL, "whether other units reach the pool: the site's uplink, DNS, then this unit's pools"
    ),
    Reason.TOO_COLD: Meaning("too cold", _CRITICAL, "the air at the inlet; the unit starts once it is warmer"),
    Reason.FAILURE: Meaning(
        "failure reported, cause not named", _CRITICAL, "the unit's own log, where the cause stands"
    ),
    Reason.STOPPED_UNKNOWN: Meaning("cause unknown", _CRITICAL, "the unit's own log; restart it if that says nothing"),
    Reason.ASLEEP: Meaning("asleep", _INFO, "who sent it to sleep, and whether a curtailment event should cover it"),
    Reason.WAKING: Meaning("waking after an event", _INFO, "nothing for 15 minutes after the event's end"),
    Reason.RESTARTING: Meaning("restarting", _INFO, "how often its uptime began again; often means power or firmware"),
    Reason.BOOTING: Meaning("still booting", _INFO, "nothing for 10 minutes after its start"),
    Reason.RAMPING_UP: Meaning("ramping up", _INFO, "nothing for 10 minutes after its start"),
    Reason.OWNER_UNPAID: Meaning(
        "owner's pools get nothing",
        _CRITICAL,
        "pools and users in its settings, and whether the pool sees its worker; only the firmware's pool is paid",
    ),
    Reason.WRONG_ROW: Meaning(
        "not the model or bin of its row",
        _WARNING,
        "the label on the machine beside its row in the ledger; `hashsight ledger set` corrects the row",
    ),
    Reason.BOARD_ABSENT: Meaning(
        "board absent", _WARNING, "that board's power and ribbon cables, then the same board in another slot"
    ),
    Reason.CHIPS_MISSING: Meaning(
        "chips missing", _WARNING, "whether a restart finds them again; if not, the board wants repair"
    ),
    Reason.CHIPS_BAD: Meaning("chips bad", _WARNING, "whether the marks stay after a restart; the board wants repair"),
    Reason.STRAGGLING: Meaning(
        "hashing above an event's target", _WARNING, "whether the order reached the unit, and its work mode"
    ),
    Reason.HELD_BACK: Meaning("held back by an event", _INFO, "nothing before the event's end"),
    Reason.CLOCK_LOW: Meaning("low clock", _WARNING, "its work mode or preset, then the temperature at its inlet"),
    Reason.SLOW: Meaning(
        "slow without a visible reason", _WARNING, "hardware errors and rejected shares, then temperature and supply"
    ),
    Reason.OTHER_UNIT: Meaning("another unit answers here", _WARNING, "the address lease, and which unit moved"),
    Reason.FOREIGN_PROTOCOL: Meaning(
        "another protocol answers", _WARNING, "what stands at this address: another make, firmware or service"
    ),
    Reason.ACCESS_DENIED: Meaning(
        "refused the command", _WARNING, "the unit's API access list (api-allow): it must hold this gateway's address"
    ),
    Reason.REFUSED_COMMAND: Meaning(
        "refused the command", _WARNING, "the unit's firmware: it does not offer the reports that stock firmware does"
    ),
    Reason.STANDS_STILL: Meaning("figures stand still", _WARNING, "the miner process: it hangs until it is restarted"),
    Reason.CONTRADICTORY_REPLY: Meaning(
        "contradictory reply", _WARNING, "the unit's own page beside `hashsight read`; restart it if both are wrong"
    ),
    Reason.UNKNOWN_DIALECT: Meaning("unknown dialect", _WARNING, "the firmware; send a capture of its replies"),
    Reason.NO_RATE: Meaning("reports no hashrate", _WARNING, "the unit's own page; send a capture of its replies"),
    Reason.MALFORMED_REPLY: Meaning("malformed reply", _WARNING, "the firmware; send a capture of its replies"),
    Reason.REPLY_TOO_LARGE: Meaning(
        "reply too large", _WARNING, "what answers at this address, then the firmware; no unit sends as much"
    ),
    Reason.COSTLY_REPLY: Meaning(
        "costs too much to read", _WARNING, "the firmware; send a capture of its replies. It is polled less until then"
    ),
    Reason.STALLS_IN_REPLY: Meaning(
        "stalls in mid-reply", _WARNING, "what answers at this address, then the network path"
    ),
    Reason.LANE_FAILED: Meaning(
        "reading of other makes failed",
        _WARNING,
        "this agent's log: pyasic's process ended or hung; the unit may be well",
    ),
    Reason.LANE_QUARANTINED: Meaning(
        "its answers break the reading",
        _WARNING,
        "the unit's firmware; send a capture of its replies. It is asked rarely until it answers well",
    ),
    Reason.CLOSED_IN_REPLY: Meaning("closed in mid-reply", _WARNING, "the network path, then the unit's load"),
    Reason.RESETS_CONNECTION: Meaning(
        "resets connections", _WARNING, "whether it restarts over and over, then the unit's API access list (api-allow)"
    ),
    Reason.NO_WHOLE_REPLY: Meaning("no whole reply in time", _WARNING, "the network path, then the unit's load"),
    Reason.CONNECTION_REFUSED: Meaning(
        "connection refused", _WARNING, "whether the miner process runs, and whether its API is switched on"
    ),
    Reason.NO_ANSWER: Meaning("no answer", _WARNING, "power, then the network cable and the switch"),
    Reason.NOT_POLLED_LATELY: Meaning("not polled lately", _INFO, "the agent's own state at /readyz"),
    Reason.NOT_POLLED: Meaning("not polled yet", _INFO, "nothing before the first round of polls is over"),
}
"""Every reason's meaning."""

MAX_WHY = 120
"""Longest `why` of a unit, characters."""


class Finding(NamedTuple):
    """A reason and its words about one unit.

    Attributes:
        reason: From the closed list.
        why: The words, with numbers; at most `MAX_WHY` characters, the same for the same reading.
    """

    reason: Reason
    why: str

    @property
    def severity(self) -> Severity:
        """How much it asks of an operator."""
        return REASONS[self.reason].severity


PLAIN: dict[Reason, Finding] = {reason: Finding(reason, meaning.words) for reason, meaning in REASONS.items()}
"""Every reason as a finding without numbers; the same object each time."""

_RANK = {severity: rank for rank, severity in enumerate(reversed(Severity))}


def most_severe_first(findings: list[Finding]) -> list[Finding]:
    """Return findings by severity; those of the same severity keep their order."""
    return sorted(findings, key=lambda finding: _RANK[finding.severity])
