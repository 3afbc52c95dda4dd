"""A program in the place of pyasic's process: it answers, hangs, ends, babbles or floods, by the last octet of a host.

Run as ``python fake_pyasic.py STARTS``: each start adds its process id to the file STARTS. A unit whose octet is in a
file ``healed`` beside it is sound again.
"""

import json
import os
import sys
import time
from pathlib import Path

SOUND, HANGS, ENDS, BABBLES, FLOODS, MUTE, WRONG_ID, SWELLS = 1, 66, 67, 68, 69, 70, 71, 72
"""What the unit at such an octet does to the process."""


def command(starts: Path) -> tuple[str, ...]:
    """Return the command that runs this program."""
    return (sys.executable, "-I", __file__, str(starts))


def starts(path: Path) -> list[int]:
    """Return the ids of the processes that were started, in order."""
    return [int(line) for line in path.read_text(encoding="ascii").split()] if path.exists() else []


def say(**answer: object) -> None:
    """Write an answer."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def octet_of(host: str) -> int:
    """Return what the unit at a host does."""
    octet, file = int(host.rsplit(".", 1)[1]), Path(sys.argv[1]).with_name("healed")
    return SOUND if file.exists() and str(octet) in file.read_text(encoding="ascii").split() else octet


def answer(asked: dict[str, object]) -> None:
    """Answer as for a sound unit."""
    rate = {"unit": {"value": 1e12}, "rate": 190.0}
    data = {"uptime": time.time(), "fw_ver": ",".join(sorted(os.environ))}
    say(id=asked["id"], make="Auradine", summary=rate, data=data)


def main() -> None:
    """Answer until the input ends."""
    with Path(sys.argv[1]).open("a", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")
    swollen: list[str] = []
    say(id=0)
    for line in sys.stdin:
        asked = json.loads(line)
        octet = octet_of(asked["host"])
        if octet == HANGS:
            time.sleep(3600)
        elif octet == ENDS:
            sys.exit(3)
        elif octet == BABBLES:
            sys.stdout.write("Segmentation fault\n")
            sys.stdout.flush()
        elif octet == FLOODS:
            while True:
                sys.stdout.write("x" * 65536)
        elif octet != MUTE:
            swollen.append("x" * (150_000_000 if octet == SWELLS else 0))
            answer(asked | {"id": asked["id"] + (1000 if octet == WRONG_ID else 0)})


if __name__ == "__main__":
    main()
