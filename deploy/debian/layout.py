"""Which file goes where in the package, besides the virtual environment."""

import gzip
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DEPLOY = ROOT / "deploy"

MAINTAINER = "hashsight <hashsight@localhost>"
SERVICES = ("hashsight.service", "hashsight-fleet.service")
# Texts of deploy/ that differ in the package; each must occur.
SERVICE_CHANGES: Mapping[str, str] = {
    "/opt/hashsight/bin/hashsight": "/usr/bin/hashsight",
    "file:/opt/hashsight/share/doc/README.md": "man:hashsight(1) file:/usr/share/doc/hashsight/README.md",
}
OWN_USER: Mapping[str, str] = {"DynamicUser=true\n": "User=hashsight\nGroup=hashsight\n"}
SITE_CHANGES: Mapping[str, str] = {
    'zone = "America/Chicago"\n': '# Of days and months; UTC without it.\n# zone = "America/Chicago"\n',
}
# Where the wheel has them below `share`, and where Debian looks.
COMPLETIONS: Mapping[str, str] = {
    "bash-completion/completions/hashsight": "usr/share/bash-completion/completions/hashsight",
    "zsh/site-functions/_hashsight": "usr/share/zsh/vendor-completions/_hashsight",
    "fish/vendor_completions.d/hashsight.fish": "usr/share/fish/vendor_completions.d/hashsight.fish",
}


def lay_out(tree: Path, *, version: str, epoch: int) -> None:
    """Add everything but the virtual environment to the tree of the package, and move what that shares."""
    shared = _place(tree / "usr/share/hashsight")
    shutil.move(tree / "usr/lib/hashsight/share/hashsight", shared)
    # The agent looks for what it shares below its own prefix.
    (tree / "usr/lib/hashsight/share/hashsight").symlink_to("../../../share/hashsight")
    # The package has services of its own.
    for name in SERVICES:
        (shared / name).unlink()
    (shared / "ledger.first.csv").write_text(first_ledger(), encoding="utf-8")
    _commands(tree)
    _services(tree)
    site = _place(tree / "etc/hashsight/site.toml")
    site.write_text(adapted(DEPLOY / "gateway.example.toml", SITE_CHANGES), encoding="utf-8")
    _documents(tree / "usr/share/doc/hashsight", version=version, epoch=epoch)
    shutil.copy(HERE / "lintian-overrides", _place(tree / "usr/share/lintian/overrides/hashsight"))


def adapted(path: Path, changes: Mapping[str, str]) -> str:
    """Return the text of a shipped file with texts replaced.

    Raises:
        ValueError: One of them does not occur.
    """
    text = path.read_text(encoding="utf-8")
    for before, after in changes.items():
        if before not in text:
            raise ValueError(f"{path.name} has no {before!r} any more")
        text = text.replace(before, after)
    return text


def first_ledger() -> str:
    """Return the example ledger with its rows as comments, so that no example counts as deployed."""
    lines = (DEPLOY / "ledger.example.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    header = next(number for number, line in enumerate(lines) if line.startswith("unit_id,"))
    rows = (f"# {line}" if line.strip() and not line.startswith("#") else line for line in lines[header + 1 :])
    return "".join((*lines[: header + 1], *rows))


def _commands(tree: Path) -> None:
    """Put the commands on PATH, with their manual pages and completions."""
    for name in ("hashsight", "hashsight-sim"):
        _place(tree / "usr/bin" / name).symlink_to(f"../lib/hashsight/bin/{name}")
    share = tree / "usr/lib/hashsight/share"
    for source, name in COMPLETIONS.items():
        shutil.move(share / source, _place(tree / name))
    for page in sorted((share / "man/man1").iterdir()):
        compress(tree / f"usr/share/man/man1/{page.name}.gz", page.read_bytes())
    for name in ("bash-completion", "fish", "man", "zsh"):
        shutil.rmtree(share / name)


def _services(tree: Path) -> None:
    for name in SERVICES:
        changes = {**SERVICE_CHANGES, **(OWN_USER if name == "hashsight.service" else {})}
        text = adapted(DEPLOY / name, changes)
        text = re.sub(r"\A# (.*)\. Copy to .*\n", r"# \1; see /usr/share/doc/hashsight/README.md.\n", text)
        _place(tree / "lib/systemd/system" / name).write_text(text, encoding="utf-8")


def _documents(folder: Path, *, version: str, epoch: int) -> None:
    for source, name in ((DEPLOY / "README.md", "README.md"), (HERE / "copyright", "copyright")):
        shutil.copy(source, _place(folder / name))
    (folder / "runbooks").symlink_to("../../hashsight/runbooks")
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(epoch))
    entry = f"hashsight ({version}) stable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- {MAINTAINER}  {date}\n"
    compress(folder / "changelog.gz", entry.encode())
    compress(folder / "CHANGELOG.md.gz", (ROOT / "CHANGELOG.md").read_bytes())


def compress(path: Path, content: bytes) -> None:
    """Write a gzip file whose bytes depend on the content alone."""
    _place(path).write_bytes(gzip.compress(content, 9, mtime=0))


def _place(path: Path) -> Path:
    """Return the path after making the folder above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
