"""The error tree. Each class stands for a different decision of the caller.

    AgentError
    |-- ConfigError                 do not start; exit 2; every mistake in the file, with key, value and reason
    |-- LocalResourceError          this machine is out of sockets; the unit is unknown -> counted as a skipped poll
    |-- HistoryError(.reason)       the history file is unusable now; counted by reason; polling continues
    |-- QueryError                  an HTTP query that cannot be answered -> 400 with what is accepted
    |-- OutboxError(.reason)        an MQTT outbox file is unusable now; counted; messages wait in memory
    |-- BrokerError(.reason)        no connection to an MQTT broker; counted; retry later, messages wait
    |-- MeterError                  a meter gave no usable reading; counted; its figure expires, it is read again
    '-- PollError(.reason)          one poll of one unit; counted by reason; the agent continues
        |-- UnreachableError        refused, no route, connect deadline         -> back off
        |-- DeadlineError           connected, no complete reply in time        -> retry next interval
        |-- DisconnectedError       closed or reset mid-reply                   -> retry next interval
        |-- StalledReplyError       unfinished replies filled their memory      -> retry next interval
        |-- CostlyReplyError        its replies exceed a unit's CPU budget      -> poll it less
        |-- LaneError               pyasic's process ended or hangs             -> replace the process
        |-- MalformedReplyError     not a reply, even after the named repairs   -> keep a clipped excerpt
        |   |-- ForeignProtocolError  something else answers on the port        -> look what stands at the address
        |   '-- TooLargeReplyError    larger than any unit's reply              -> read no further
        |-- RefusedError            STATUS E or F, access denied                -> tell the operator
        |-- ContradictoryReplyError(.rule)  the reply refutes its own rate      -> believe none of it
        |-- UnsupportedReplyError   a valid reply in an unknown dialect         -> ask for a capture
        |   '-- MisreadReplyError   a reply that triggered a bug of ours        -> log the traceback, continue
        '-- OtherUnitError          another unit answers at the unit's address  -> look for the unit

`reason` is a closed list and a metric label; the text of an error never is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

EXCERPT_BYTES = 120


class AgentError(Exception):
    """Anything hashsight raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake in a file that an operator wrote.

    Attributes:
        file: Path as given.
        where: Key path (``poll.interval_s``) or line (``line 12, column host``).
        value: The offending value, clipped; empty if something is missing.
        reason: Why it is wrong, naming what is expected.
    """

    file: str
    where: str
    value: str
    reason: str

    def __str__(self) -> str:
        shown = f" = {self.value!r}" if self.value else ""
        return f"{self.file}: {self.where}{shown}: {self.reason}"


class ConfigError(AgentError):
    """A configuration, ledger or capture file that cannot be used, with every mistake found, in file order."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class LocalResourceError(AgentError):
    """This machine has no free socket now; nothing was learnt about the unit."""


class QueryError(AgentError):
    """An HTTP query that cannot be answered; the message says what is accepted."""


class HistoryError(AgentError):
    """The history file could not be read or written.

    Attributes:
        reason: One of `HISTORY_REASONS`. ``full``, ``unwritable``, ``in_use``: retry later. ``damaged``: move the file
            aside and start a new one. ``foreign``, ``newer``: not ours to touch. ``older``, ``absent`` and ``slow``
            occur only when reading.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


HISTORY_REASONS = ("full", "unwritable", "in_use", "damaged", "foreign", "newer", "older", "absent", "slow")


class OutboxError(AgentError):
    """An MQTT outbox file could not be read or written.

    Attributes:
        reason: One of `OUTBOX_REASONS`. ``full``, ``unwritable``, ``in_use``: retry later. ``damaged``: move the file
            aside and start a new one. ``foreign``, ``newer``: not ours to touch.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


OUTBOX_REASONS = ("full", "unwritable", "in_use", "damaged", "foreign", "newer")


class BrokerError(AgentError):
    """A connection to an MQTT broker could not be made, or was lost.

    Attributes:
        reason: One of `BROKER_REASONS`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


BROKER_REASONS = ("unresolved", "refused", "timeout", "tls", "credentials", "rejected", "acl", "lost", "other")


class MeterError(AgentError):
    """A meter could not be read, or its reading is out of range."""


class PoolAccountError(AgentError):
    """A pool gave no usable figure of an account.

    Attributes:
        reason: One of `POOL_ACCOUNT_REASONS`.
        retry_after_s: How long the pool asks to be left alone, s; None if it does not say.
    """

    def __init__(self, reason: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.reason, self.retry_after_s = reason, retry_after_s


POOL_ACCOUNT_REASONS = (
    *("key_file", "unreachable", "tls", "timeout", "refused", "not_found", "limited", "redirected", "server", "status"),
    *("too_large", "malformed", "denied", "missing", "implausible"),
)


class AlertmanagerError(AgentError):
    """Alertmanager gave no usable answer."""


class PollError(AgentError):
    """One poll of one unit failed; `reason` is the metric label."""

    reason: ClassVar[str] = "error"


class UnreachableError(PollError):
    """No connection: refused, no route, or the connect deadline passed.

    Attributes:
        is_refusal: True if the host itself refused (a TCP reset to our SYN); it is known to be up.
    """

    reason = "unreachable"

    def __init__(self, message: str, *, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.is_refusal = is_refusal


class DeadlineError(PollError):
    """Connected, but no complete reply before the poll's deadline."""

    reason = "deadline"


class DisconnectedError(PollError):
    """The unit closed or reset the connection before the reply was complete.

    Attributes:
        is_reset: True if it reset the connection before the first byte: no program reads at its end.
    """

    reason = "disconnected"

    def __init__(self, message: str, *, is_reset: bool = False) -> None:
        super().__init__(message)
        self.is_reset = is_reset


class MalformedReplyError(PollError):
    """Bytes that do not parse as a reply, even after the named repairs, or JSON without the shape of one.

    The unit is not asked again in the other dialect: that would only cost as much once more.
    """

    reason = "malformed"


class ForeignProtocolError(MalformedReplyError):
    """Bytes of another protocol, or another make's API.

    Attributes:
        speaker: One of the closed list in `agent.unit.cgminer.foreign`, as words: ``HTTP``, ``a Whatsminer``.
    """

    reason = "foreign"

    def __init__(self, message: str, *, speaker: str) -> None:
        super().__init__(message)
        self.speaker = speaker


class TooLargeReplyError(MalformedReplyError):
    """More bytes than any unit's reply to that command has; the rest was not read."""

    reason = "too_large"


class StalledReplyError(PollError):
    """The unit held much of an unfinished reply when all units' together exceeded their bound; it was given up."""

    reason = "stalled"


class CostlyReplyError(PollError):
    """Reading this unit's replies takes more CPU than a unit may take; it is polled less. The poller raises it."""

    reason = "costly"


class LaneError(PollError):
    """pyasic's process, which reads units of other makes, ended or hangs; nothing was learnt about the unit."""

    reason = "lane"


class QuarantineError(LaneError):
    """The unit's answers end, hang or flood pyasic's process again and again; it is asked alone, and rarely."""

    reason = "quarantined"


class ContradictoryReplyError(PollError):
    """A reply whose rate the rest of it refutes, and that has no other rate to believe.

    Attributes:
        rule: One of `CONTRADICTIONS`.
    """

    reason = "contradictory"

    def __init__(self, message: str, *, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


CONTRADICTIONS = ("over_limit", "unsupported_rate", "silent_boards")
"""Why a reply is contradictory: above twice the rating; above its rating, unsupported; boards that all report 0."""


class RefusedError(PollError):
    """The unit answered with a refusal: STATUS E or F.

    Attributes:
        code: The reply's Code, if it has one: 14 is an unknown command, 45 is access denied.
    """

    reason = "refused"

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class UnsupportedReplyError(PollError):
    """A valid reply in an unknown dialect; a capture of it would help."""

    reason = "unsupported"


class MisreadReplyError(UnsupportedReplyError):
    """A reply that triggered a bug of ours, chained as the cause. The unit counts as unsupported."""


class OtherUnitError(PollError):
    """Another unit answers at this one's address. Identity checks raise it, not polls."""

    reason = "other_unit"


POLL_REASONS: tuple[str, ...] = tuple(
    error.reason
    for error in (
        UnreachableError,
        DeadlineError,
        DisconnectedError,
        StalledReplyError,
        CostlyReplyError,
        LaneError,
        QuarantineError,
        MalformedReplyError,
        ForeignProtocolError,
        TooLargeReplyError,
        ContradictoryReplyError,
        RefusedError,
        UnsupportedReplyError,
    )
)


def drop_frames(error: BaseException) -> None:
    """Remove the tracebacks of an error, and of every error it was raised from or beside.

    A traceback holds the frames of the poll that failed. Those frames hold the poll's call, and through it the error: a
    cycle of 14 objects per failed poll, which only a full garbage collection would find.
    """
    seen: BaseException | None = error
    while seen is not None:
        seen.__traceback__ = None
        # A context that is not the cause only says what was being handled at the time.
        seen.__context__ = None
        seen = seen.__cause__


def excerpt(data: bytes, at: int = 0, size: int = EXCERPT_BYTES) -> str:
    """Return at most `size` bytes of `data` around byte `at` as one printable ASCII line."""
    start = max(0, min(at - size // 2, len(data) - size))
    return data[start : start + size].decode("ascii", "backslashreplace").translate(_UNPRINTABLE)


_UNPRINTABLE = {code: f"\\x{code:02x}" for code in (*range(32), 127)}
