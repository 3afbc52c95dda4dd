"""Memory of one unit between polls, and its change by each report."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from zlib import crc32

import msgspec

from agent.errors import PollError
from agent.unit.braiins.boards import first_number, stopped
from agent.unit.braiins.devdetails import Details
from agent.unit.braiins.devs import Board
from agent.unit.braiins.summary import Summary
from agent.unit.braiins.temps import NOT_READ, Temps
from agent.unit.cgminer.fields import interned
from agent.unit.cgminer.pools_turn import PoolsTurn
from agent.unit.cgminer.version import read_version
from agent.unit.model_names import short_model
from agent.unit.reading import Identity, Places, PoolReading, ShareReading

GAP_S: Final = 300.0
"""A unit that was not read for so long may have got another board, or another machine's address."""
MOVED_RATIO: Final = 0.001
"""Clocks are read again when what the boards should give has moved by this share."""


class Memory(msgspec.Struct, gc=False):
    """The state of one unit that a conversation keeps between polls.

    Attributes:
        at: Of the latest reading, Unix s.
        details: As last read; None before.
        fans: Speed at each connector as last read, rpm.
        first: The number of the board in slot 0; None before a board was seen.
        identity: As last reported.
        is_chip_computed: The chips' temperatures in `temps` are the firmware's arithmetic.
        is_details_due, is_pools_due: Asked for as soon as there is room.
        is_fans_turn: `fans` is next, and not `temps`.
        layout: The boards that `devs` listed when `details` were read, and those of them that did not run.
        nominal_hs: What the boards should give, when `details` were read, H/s.
        pools: As last read; empty after a restart.
        pools_turn: When they are asked for besides slow polls.
        shares: As last taken, every `slow_every` polls; None after a restart.
        sleep_doubted_at: See `consistency.words`.
        temps: As last read.
        turned: The connectors at which a fan was seen turning.
        unknown: Requests that the unit refused as unknown.
        until_slow: Polls until share counters and pools are taken again.
        uptime_s: As last reported, s.
        version: An answer to `version` that has not been read yet.
        young_uptime: See `consistency.youth`.
    """

    at: float | None = None
    details: Details | None = None
    fans: Places = ()
    first: int | None = None
    identity: Identity = Identity()
    is_chip_computed: bool = False
    is_details_due: bool = True
    is_fans_turn: bool = False
    is_pools_due: bool = True
    layout: tuple[frozenset[int], frozenset[int]] | None = None
    nominal_hs: float = 0.0
    pools: tuple[PoolReading, ...] = ()
    pools_turn: PoolsTurn = msgspec.field(default_factory=PoolsTurn)
    shares: ShareReading | None = None
    sleep_doubted_at: float | None = None
    temps: Temps = NOT_READ
    turned: frozenset[int] = frozenset()
    unknown: frozenset[bytes] = frozenset()
    until_slow: int = 0
    uptime_s: float | None = None
    version: bytes | None = None
    young_uptime: tuple[float, float] | None = None

    def forget_process(self) -> None:
        """Forget what the process before this one reported; carried over, its counters would show a jump."""
        self.pools, self.shares, self.temps, self.fans = (), None, NOT_READ, ()
        self.is_details_due = self.is_pools_due = True
        self.is_fans_turn = False
        self.unknown = frozenset()

    def note_process(
        self, summary: Summary, at: float, *, unit_id: str, slow_every: int, pools_every: int | None = None
    ) -> bool:
        """Note what `summary` tells of the process; return True if this is a slow poll."""
        uptime_s = summary.uptime_s
        is_first, is_restarted = self.at is None, False
        if uptime_s is not None:
            is_restarted = self.uptime_s is not None and uptime_s < self.uptime_s
            self.uptime_s = uptime_s
        if is_restarted:
            self.forget_process()
        if self.at is not None and not 0 <= at - self.at <= GAP_S:
            self.is_details_due = True
        self.at = at
        is_new = is_first or is_restarted
        is_slow = is_new or self.until_slow <= 0
        if is_slow:
            # The first wait depends on the unit's id, so that a fleet that starts together spreads its slow requests.
            self.until_slow = 1 + crc32(unit_id.encode()) % slow_every if is_new else slow_every
            self.is_pools_due = True
            self.shares = summary.shares
        self.until_slow -= 1
        if pools_every is not None:
            self.pools_turn.hear(summary.shares)
            is_due = self.pools_turn.is_due(pools_every, unit_id, is_new=is_new, is_asked=self.is_pools_due)
            self.is_pools_due |= is_due
        return is_slow

    def note_program(self, program: str | None, heard: bytes | None) -> None:
        """Note the program that answers, and an answer to `version` if there is one."""
        if heard is not None:
            with suppress(PollError):
                self._identify(api=read_version(heard)[0].api)
        if program is None or program == self.identity.firmware:
            return
        firmware = interned(program)
        if firmware != self.identity.firmware:
            if self.identity.firmware is not None:
                self.is_details_due = True
            self._identify(firmware=firmware)

    def note_boards(self, boards: Sequence[Board], *, is_slow: bool) -> None:
        """Note which boards there are; another list, or other clocks at a slow poll, make `devdetails` due."""
        if not boards:
            return
        first = first_number([board.number for board in boards])
        # Without its first board, a unit that counts from 0 looks like one that counts from 1.
        if first != 1 or self.first != 0:
            self.first = first
        if self.layout is not None and self.layout != layout_of(boards):
            self.is_details_due = True
        if is_slow and abs(nominal_of(boards) - self.nominal_hs) > MOVED_RATIO * self.nominal_hs:
            self.is_details_due = True

    def note_details(self, details: Details | None, boards: Sequence[Board], *, is_known: bool) -> None:
        """Note an answer to `devdetails`.

        Args:
            details: None if it could not be read.
            boards: Of `devs`, at the same poll.
            is_known: The unit knows the request, and may be asked again.
        """
        if details is not None:
            self.details = details
            if details.model is not None and details.model != self.identity.model:
                self._identify(model=details.model)
        self.is_details_due = self.details is None and is_known
        self.layout, self.nominal_hs = layout_of(boards), nominal_of(boards)

    def note_temps(self, temps: Temps | None) -> None:
        """Note an answer to `temps`; None if it could not be read."""
        self.temps = NOT_READ if temps is None else temps
        model = self.identity.model
        self.is_chip_computed = self.temps.is_chip_computed(None if model is None else short_model(model))

    def note_fans(self, fans: Places | None) -> None:
        """Note an answer to `fans`; None if it could not be read."""
        self.fans = fans or ()
        turning = frozenset([place for place, rpm in enumerate(self.fans) if rpm])
        if not turning <= self.turned:
            self.turned |= turning

    def _identify(self, *, model: str | None = None, firmware: str | None = None, api: str | None = None) -> None:
        """Change what is given of the identity."""
        known = self.identity
        self.identity = Identity(model=model or known.model, firmware=firmware or known.firmware, api=api or known.api)


def layout_of(boards: Sequence[Board]) -> tuple[frozenset[int], frozenset[int]]:
    """Return the numbers of the boards that are listed, and of those that do not run."""
    return frozenset([board.number for board in boards]), stopped(boards)


def nominal_of(boards: Sequence[Board]) -> float:
    """Return what the boards should give together, H/s."""
    return sum([board.nominal_hs or 0.0 for board in boards])
