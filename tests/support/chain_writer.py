"""A process that writes a site's minutes as fast as it can, and prints each minute once it is on the disk."""

import sys
from contextlib import closing
from pathlib import Path

from chained import Keeper
from history_cases import AT

from agent.history.reader import read_history


def main(path: Path) -> None:
    """Go on from the last minute of a history for ever."""
    at = AT
    if path.exists():
        with closing(read_history(path)) as reader:
            span = reader.span()
            at = AT if span is None else span[1]
    keeper = Keeper(path, at=at, keep_days=0.2)
    while True:
        minute = int(keeper.now)
        keeper.minute()
        # An hour's head every tenth minute, and a day's every hour or two.
        if minute % 600 == 0:
            keeper.now += 3000
        sys.stdout.write(f"minute {minute}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
