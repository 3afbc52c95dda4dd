"""One owner's share of a site's history, as the source of a statement. Pure but for the file that it reads.

An owner's statement has the site's seconds: where the site was watched and the owner had no units, its row is zeros.
So the statements of all owners of a site have the same weights and gaps, and add up to the site's. Nothing of another
owner is in the rows; that all owners together add up to the site is checked minute by minute.

    site watched, owner has a row     that row
    site watched, others have rows    zeros: it had no units
    site watched, no owner has a row  no row: the ledger named no owners then, or an earlier version wrote the history
    site not watched                  no row
"""

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import Protocol

from agent.history.chain.links import Fact
from agent.history.credits import PoolCredit
from agent.history.minutes import COLUMNS, JUDGED, MEANS, Values, mean_values
from agent.site.ledger.entries import LedgerEntry
from agent.statement.declared import DeployedCourse
from agent.statement.errors import StatementError
from agent.statement.period import utc_text
from agent.statement.rows import TOLERANCE_RATIO

_PLACE = {name: place for place, name in enumerate(COLUMNS)}
_UNITS, _DEPLOYED, _OPERATING = _PLACE["units"], _PLACE["deployed_hs"], _PLACE["operating_hs"]
_SLACK_S = 1e-3
# Of nameplates only the owner's own sums are taken (`checked_nameplates`).
_SHARED_FACTS = frozenset({"start", "stop", "nameplates"})


class OwnedHistory(Protocol):
    """A history that has rows of owners: an open file."""

    site: str

    def chunks(
        self, start: float, end: float, container: str | None = None, *, owner: str | None = None
    ) -> Generator[list[Values], None, None]:
        """Yield rows of the site or of an owner that begin in [start, end), oldest first, in chunks."""

    def span(self) -> tuple[int, int] | None:
        """Return the Unix times at which the site's rows begin and end, s; None if there are no rows."""

    def set_aside_times(self) -> Sequence[float]:
        """Return the Unix times at which rows that a wrong clock dated ahead were set aside, s."""

    def facts(self, start: float, end: float, *, kinds: Collection[str]) -> Iterable[Fact]:
        """Return the facts of a span of time."""

    def owners_begin(self) -> int | None:
        """Return the Unix time at which the first row of an owner begins, s; None without any."""

    def owner_sums(self, start: float, end: float) -> Generator[tuple[int, float, float, float], None, None]:
        """Yield, for each minute with rows of owners, its time, watched seconds, deployed and operating, hashes."""


class OwnerSource:
    """One owner's rows of a site.

    Args:
        history: The site's history.
        owner: The owner's name.

    Attributes:
        site: The site's name.
    """

    def __init__(self, history: OwnedHistory, owner: str) -> None:
        self._history = history
        self.site, self.owner = history.site, owner

    def span(self) -> tuple[int, int] | None:
        """Return the Unix times from and until which owners are known, s; None if they never are."""
        first, span = self._history.owners_begin(), self._history.span()
        return None if first is None or span is None else (first, span[1])

    def chunks(self, start: float, end: float) -> Iterator[list[Values]]:
        """Yield the owner's rows that begin in [start, end), oldest first.

        Raises:
            StatementError: The owners do not add up to the site: rows were changed or lost.
        """
        with (
            closing(self._history.chunks(start, end)) as site,
            closing(self._history.chunks(start, end, owner=self.owner)) as own,
            closing(self._history.owner_sums(start, end)) as sums,
        ):
            owned = _Owned(self.site, chain.from_iterable(own), sums)
            for chunk in site:
                rows = [row for row in map(owned.row, chunk) if row is not None]
                if rows:
                    yield rows
            owned.refuse_left()

    def site_span(self) -> tuple[int, int] | None:
        """Return the Unix times at which the site's rows begin and end, s; None if there are no rows."""
        return self._history.span()

    def is_site_watched(self, start: int, end: int) -> bool:
        """Return True if the site has rows in [start, end): then it is for another reason that the owner has none."""
        with closing(self._history.chunks(start, end)) as chunks:
            return next(chunks, None) is not None

    def container_sums(self, start: int, end: int) -> Iterable[tuple[int, float, float]]:  # noqa: ARG002
        """Return nothing: containers are not cut along owners."""
        return ()

    def set_aside_times(self) -> Sequence[float]:
        """Return what the site's history returns."""
        return self._history.set_aside_times()

    def facts(self, start: float, end: float, *, kinds: Collection[str]) -> Iterable[Fact]:
        """Return those facts that show nothing of other owners: runs of the agent, and nameplates, by owner."""
        shared = set(kinds) & _SHARED_FACTS
        # Without any kind, a history returns all of them.
        return self._history.facts(start, end, kinds=shared) if shared else ()

    def pool_credits(self, start: float, end: float, *, known_by: float) -> Sequence[PoolCredit]:  # noqa: ARG002
        """Return nothing: an account at a pool is the site's, and may be credited with the work of several owners."""
        return ()


class _Owned:
    """Puts each minute of the site beside the owners'.

    Args:
        site: The site's name, for errors.
        own: The owner's rows, oldest first.
        sums: All owners' sums, oldest first.
    """

    def __init__(self, site: str, own: Iterator[Values], sums: Iterator[tuple[int, float, float, float]]) -> None:
        self._site, self._own, self._sums = site, own, sums
        # First the sums: while they are read, all is from one snapshot of the file.
        self._next_sums = next(sums, None)
        self._next_own = next(own, None)

    def row(self, site: Values) -> Values | None:
        """Return the owner's row beside the site's; None if owners are not known then."""
        at = int(site[0] or 0)
        if self._next_sums is not None and self._next_sums[0] < at:
            self._refuse(self._next_sums[0], "owners have rows, the site has none")
        if self._next_sums is None or self._next_sums[0] > at:
            # An empty site is empty for each owner.
            return None if site[_UNITS] or site[_DEPLOYED] else _nothing(site, site[2] or 0.0)
        _, watched_s, deployed, operating = self._next_sums
        self._next_sums = next(self._sums, None)
        site_s = site[2] or 0.0
        if abs(watched_s - site_s) <= _SLACK_S:
            for name, found, whole_hs in (
                ("deployed", deployed, site[_DEPLOYED] or 0.0),
                ("operating", operating, site[_OPERATING] or 0.0),
            ):
                whole = whole_hs * site_s
                if abs(found - whole) > TOLERANCE_RATIO * max((site[_DEPLOYED] or 0.0) * site_s, whole, 1.0):
                    self._refuse(at, f"{name} is {found:g} hashes of all owners, {whole:g} of the site")
        own = self._next_own
        if own is None or (own[0] or 0) > at:
            return _nothing(site, watched_s)
        self._next_own = next(self._own, None)
        rest_s = watched_s - (own[2] or 0.0)
        if rest_s <= _SLACK_S:
            return own
        # Two agents' minutes were merged, and it had units in one's seconds only.
        return mean_values([own, _nothing(site, rest_s)], at=at, span_s=int(own[1] or 0))

    def refuse_left(self) -> None:
        """Refuse rows of owners behind the site's last."""
        if self._next_sums is not None:
            self._refuse(self._next_sums[0], "owners have rows, the site has none")

    def _refuse(self, at: int, reason: str) -> None:
        raise StatementError(f"owners do not add up to {self._site}: {utc_text(at)}: {reason}")


def _nothing(site: Values, watched_s: float) -> Values:
    """Return the row of an owner without units in a minute of the site, of which so many seconds were watched."""
    judged_s = min(site[JUDGED] or 0.0, watched_s)
    judged = (judged_s, 0.0 if judged_s else None)
    return (site[0], site[1], watched_s, *(0.0 for _ in MEANS), 0.0, None, *judged)


class OwnerCourse(DeployedCourse):
    """Deployed of one owner by the dated ledger; which rows are the owner's is as the ledger has it today.

    Args:
        entries: The whole ledger's.
        owner: The owner's name.
        digest: SHA-256 of the ledger's file.
    """

    def __init__(self, entries: Iterable[LedgerEntry], owner: str, *, digest: str) -> None:
        entries = tuple(entries)
        super().__init__((entry for entry in entries if entry.owner_name == owner), digest=digest)
        self._site = DeployedCourse(entries, digest=digest)

    def first_deployed_at(self, start: int, end: int) -> int | None:
        """Return when the site's first unit was deployed: all owners of a site have its weight."""
        return self._site.first_deployed_at(start, end)
