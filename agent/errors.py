"""Everything that can go wrong, as the decision it asks of the caller.

    AgentError
    |-- ConfigError                 do not start; exit 2; every mistake of the file, each with key, value and reason
    |-- LocalResourceError          no socket to be had here; says nothing of the unit -> counted as a skipped poll
    |-- HistoryError(.reason)       the history file cannot be used now; counted by reason; polling carries on
    |-- QueryError                  somebody asked over HTTP for something there is not -> 400, says what there would be
    |-- OutboxError(.reason)        an MQTT outbox file cannot be used now; counted; messages wait in memory
    |-- BrokerError(.reason)        an MQTT broker cannot be had now; counted; try again later, messages wait
    |-- MeterError                  a meter tells nothing usable; counted; its figure lapses and it is asked again
    '-- PollError(.reason)          one poll of one unit; counted by reason; the agent carries on
        |-- UnreachableError        refused, no route, connect deadline         -> back off
        |-- DeadlineError           connected, no whole reply in time           -> retry next interval
        |-- DisconnectedError       closed or reset in mid-reply                -> retry next interval
        |-- MalformedReplyError     not a reply, even after the named repairs   -> keep a clipped excerpt
        |-- RefusedError            STATUS E or F, access denied                -> tell the operator
        |-- UnsupportedReplyError   a good reply in a dialect we do not know    -> ask for a capture
        |   '-- MisreadReplyError   a reply that met a bug of ours              -> log the traceback, carry on
        '-- OtherUnitError          somebody else answers at the unit's address -> look for the unit

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
    """One thing wrong in a file somebody wrote.

    Attributes:
        file: Path as the user gave it.
        where: Key path (``poll.interval_s``) or line (``line 12, column host``).
        value: The offending value, clipped; empty when something is missing.
        reason: What is wrong with it, in words that say what would be right.
    """

    file: str
    where: str
    value: str
    reason: str

    def __str__(self) -> str:
        shown = f" = {self.value!r}" if self.value else ""
        return f"{self.file}: {self.where}{shown}: {self.reason}"


class ConfigError(AgentError):
    """A configuration, ledger or capture file that cannot be used; carries every mistake found, in file order."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class LocalResourceError(AgentError):
    """This machine has no socket to spare now; nothing was learnt about the unit."""


class QueryError(AgentError):
    """A query string that asks for something there is not; says what there would be."""


class HistoryError(AgentError):
    """The history file could not be read or written.

    Attributes:
        reason: One of `HISTORY_REASONS`. ``full``, ``unwritable``, ``in_use``: try again later; ``damaged``: move it
            aside, begin anew; ``foreign``, ``newer``: not ours to touch; ``older``, ``absent``, ``slow``: of reading.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


HISTORY_REASONS = ("full", "unwritable", "in_use", "damaged", "foreign", "newer", "older", "absent", "slow")


class OutboxError(AgentError):
    """An MQTT outbox file could not be read or written.

    Attributes:
        reason: One of `OUTBOX_REASONS`. ``full``, ``unwritable``, ``in_use``: try again later; ``damaged``: move it
            aside, begin anew; ``foreign``, ``newer``: not ours to touch.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


OUTBOX_REASONS = ("full", "unwritable", "in_use", "damaged", "foreign", "newer")


class BrokerError(AgentError):
    """A connection to an MQTT broker could not be had, or was lost.

    Attributes:
        reason: One of `BROKER_REASONS`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


BROKER_REASONS = ("unresolved", "refused", "timeout", "tls", "credentials", "rejected", "acl", "lost", "other")


class MeterError(AgentError):
    """A meter could not be read, or said what no power can be."""


class PollError(AgentError):
    """One poll of one unit failed; `reason` is the metric label."""

    reason: ClassVar[str] = "error"


class UnreachableError(PollError):
    """No connection: refused, no route, or the connect deadline passed.

    Attributes:
        is_refusal: True when the host itself answered "no" (TCP reset to our SYN), so that its state is known.
    """

    reason = "unreachable"

    def __init__(self, message: str, *, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.is_refusal = is_refusal


class DeadlineError(PollError):
    """Connected, but no whole reply before the poll's deadline."""

    reason = "deadline"


class DisconnectedError(PollError):
    """The unit closed or reset the connection before a whole reply."""

    reason = "disconnected"


class MalformedReplyError(PollError):
    """Bytes that are no reply even after the named repairs."""

    reason = "malformed"


class RefusedError(PollError):
    """The unit answered, and said no: STATUS E or F.

    Attributes:
        code: The reply's Code, where it has one: 14 is an unknown command, 45 an access denied.
    """

    reason = "refused"

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class UnsupportedReplyError(PollError):
    """A sound reply in a dialect we do not know; a capture of it would help."""

    reason = "unsupported"


class MisreadReplyError(UnsupportedReplyError):
    """A reply that met a bug of ours; its cause is what was raised. For the unit it counts as unsupported."""


class OtherUnitError(PollError):
    """Another unit answers at this one's address; no outcome of a poll, but of asking who was polled."""

    reason = "other_unit"


POLL_REASONS: tuple[str, ...] = tuple(
    error.reason
    for error in (
        UnreachableError,
        DeadlineError,
        DisconnectedError,
        MalformedReplyError,
        RefusedError,
        UnsupportedReplyError,
    )
)


def excerpt(data: bytes, at: int = 0, size: int = EXCERPT_BYTES) -> str:
    """Give at most `size` bytes of `data` around byte `at` as one printable ASCII line."""
    start = max(0, min(at - size // 2, len(data) - size))
    return data[start : start + size].decode("ascii", "backslashreplace").translate(_UNPRINTABLE)


_UNPRINTABLE = {code: f"\\x{code:02x}" for code in (*range(32), 127)}
