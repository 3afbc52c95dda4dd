"""A keeper driven by a clock of its own, and histories with every kind of row, for tests of the chain."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from history_cases import AT, PH, row

from agent.files.signing import public_file, read_public_key
from agent.history.chain.findings import Verdict
from agent.history.chain.heads import SignedHead
from agent.history.credits import PoolCredit
from agent.history.heads import key_file, latest_file, log_file
from agent.history.keeper import History
from agent.history.reader import read_history
from agent.history.state_changes import Change
from agent.site.credited.windows import Window


class Keeper:
    """A history whose thread is not started; each `minute` writes one and sets the clock on.

    Args:
        path: The history file.
        at: Unix time at which the clock begins, s.
        keep_days: How long rows are kept.
        others: Ids of keys of other agents of the site.
    """

    def __init__(self, path: Path, *, at: float = AT, keep_days: float = 400, others: tuple[str, ...] = ()) -> None:
        self.path = path
        self.now = float(at)
        self.history = History(
            path,
            site="alpha",
            zone="UTC",
            wall=lambda: self.now,
            version="1.0",
            other_agents=others,
            keep_days=keep_days,
        )

    def minute(self, *, containers: int = 2, is_owned: bool = False) -> None:
        """Write the minute that ends now, and set the clock on by one."""
        at = int(self.now) // 60 * 60
        each = row(at, operating_hs=(46 + at % 7 / 8) * PH)
        self.history.record_site(each)
        for number in range(containers):
            self.history.record_container(f"C{number}", each)
        if is_owned:
            self.history.record_owner("Own", each)
        self.now += 60
        assert self.history.flush(), self.history.health.trouble

    def minutes(self, number: int) -> None:
        """Write some minutes."""
        for _ in range(number):
            self.minute()

    def stop(self) -> None:
        """Stop as an agent does."""
        self.history.start()
        self.history.stop(timeout_s=30)


def rich(path: Path) -> None:
    """Write three hours of a site with containers, an owner, states and windows of pools; the last minutes are open."""
    keeper = Keeper(path)
    for number in range(185):
        if number % 9 == 0:
            since = keeper.now + 0.25
            keeper.history.record_change(
                Change(unit_id=f"u{number}", state="stopped", why="asleep", since=since, until=since + 300.5)
            )
        if number % 60 == 30:
            window = Window(start=int(keeper.now) // 3600 * 3600, window_s=3600, credited_hs=44 * PH)
            keeper.history.record_credits([PoolCredit("pool/main", window, int(keeper.now))])
        keeper.minute(is_owned=True)
    keeper.history.close()


def known(path: Path) -> Iterator[tuple[str, SignedHead]]:
    """Yield the heads that stand beside a history."""
    for file in (log_file(path), latest_file(path)):
        if file.exists():
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
                yield f"{file.name}, line {number}", SignedHead.parse(line)


def verified(path: Path, *, is_alone: bool = False) -> Verdict:
    """Return the verdict on a history with its public key and, unless it is to stand alone, the heads beside it."""
    public = public_file(key_file(path))
    keys = [read_public_key(public, where="--key")] if public.exists() else []
    with closing(read_history(path)) as reader:
        return reader.verify(keys=keys, known=[] if is_alone else [*known(path)])


def said(path: Path) -> list[str]:
    """Return the findings of a history in short: kind, table, and minutes after `AT` from which and to which."""
    return [
        " ".join((finding.kind, finding.table, *(_minute(at) for at in (finding.start, finding.end)))).strip()
        for finding in verified(path).findings
    ]


def _minute(at: int | None) -> str:
    return "" if at is None else f"{(at - AT) / 60:g}"
