"""The recorded replies in `tests/captures`, by folder and file."""

from pathlib import Path

from paths import CAPTURES

from agent.hil.capture.form import GOLDEN, MANIFEST, SOURCES, TIMINGS

FOLDERS = tuple(sorted(path for path in CAPTURES.iterdir() if path.is_dir()))
_NO_REPLIES = frozenset({GOLDEN, MANIFEST, SOURCES, TIMINGS})


def replies_in(folder: Path) -> list[Path]:
    """Return the replies of a capture, those of its moments too; what is beside them is none."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in _NO_REPLIES)


FILES = tuple(sorted(path for folder in FOLDERS for path in replies_in(folder)))


def capture(name: str) -> bytes:
    """Return one capture by ``folder/file``, as recorded."""
    return (CAPTURES / name).read_bytes()


def is_whole(path: Path) -> bool:
    """Return True if the capture is JSON that was not cut."""
    return path.suffix == ".json"


CAPTURES_TEXT = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in FILES}
S21_STATS = capture("s21-stock-aml-202407/http-stats.json")
S21_SUMMARY = capture("s21-stock-aml-202407/tcp4028-summary.json")
S21_POOLS = capture("s21-stock-aml-202407/tcp4028-pools.json")
S21_VERSION = capture("s21-stock-aml-202407/tcp4028-version.json")
S19_STATS = capture("s19pro-stock-202212/tcp4028-stats.json")
S19_SUMMARY = capture("s19pro-stock-202212/tcp4028-summary.json")
S21_ASLEEP_STATS = capture("s21-stock-202410-sleep/tcp4028-stats.subset.json")
S21_ASLEEP_SUMMARY = capture("s21-stock-202410-sleep/tcp4028-summary.subset.json")
T21_ASLEEP_STATS = capture("t21-stock-202501-sleep/tcp4028-stats.subset.json")
T21_ASLEEP_SUMMARY = capture("t21-stock-202501-sleep/tcp4028-summary.subset.json")
# A whole reply, made from the recorded one in Python notation.
INVALID_COMMAND = (
    b'{"STATUS":[{"STATUS":"E","When":1687903255,"Code":14,"Msg":"Invalid command",'
    b'"Description":"cgminer 1.0.0"}],"id":1}\0'
)
