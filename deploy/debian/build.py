"""Build the Debian package.

Needs CPython 3.11, because the package's bytecode is Debian's python3.11's; hatchling, pip and dpkg-deb. Packages come
from the locked list, by hash. The same commit gives the same bytes: files have the time SOURCE_DATE_EPOCH, by default
the commit's.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from layout import HERE, ROOT, lay_out
from venv_tree import ARCHITECTURES, BuildError, fill_venv

CONTROL_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
Fill = Callable[[Path], None]


def version_of(root: Path = ROOT) -> str:
    """Return the project's version, from the agent's package."""
    found = re.search(r'^__version__ = "(.+)"$', (root / "agent/__init__.py").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError("agent/__init__.py names no __version__")
    return found[1]


def build_time() -> int:
    """Return SOURCE_DATE_EPOCH, or the time of the commit, Unix s."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        command = ("git", "-C", str(ROOT), "log", "-1", "--format=%ct")
        asked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  fixed words
        given = asked.stdout.strip()
    if not given.isdecimal():
        raise BuildError("no time for the package's files: set SOURCE_DATE_EPOCH, or build in a git checkout")
    return int(given)


def build(out: Path, architecture: str, version: str, *, fill: Fill | None = None, level: int = 6) -> Path:
    """Build the package and return its file.

    Args:
        out: Folder for it.
        architecture: Debian's name of the gateway's processor.
        version: Version of the package.
        fill: Fills `/usr/lib/hashsight`; by default with the project's wheel and all locked packages.
        level: How much xz compresses, 0 to 9.
    """
    epoch = build_time()
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    with tempfile.TemporaryDirectory(prefix="hashsight-deb-") as work:
        tree = Path(work) / "tree"
        inside = tree / "usr/lib/hashsight"
        inside.mkdir(parents=True)
        (fill or (lambda folder: fill_venv(folder, architecture)))(inside)
        lay_out(tree, version=version, epoch=epoch)
        _settle(tree, epoch)
        _describe(tree, architecture, version)
        out.mkdir(parents=True, exist_ok=True)
        package = out / f"hashsight_{version}_{architecture}.deb"
        _run("dpkg-deb", "--root-owner-group", "-Zxz", f"-z{level}", "--build", str(tree), str(package))
    return package


def _settle(tree: Path, epoch: int) -> None:
    """Give every file the mode and the time that do not depend on who builds."""
    for path in sorted(tree.rglob("*"), reverse=True):
        if not path.is_symlink():
            is_program = path.is_dir() or (path.parent.name == "bin" and path.is_file())
            path.chmod(0o755 if is_program else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def _describe(tree: Path, architecture: str, version: str) -> None:
    """Write the package's control files."""
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    installed_kib = sum(1 + path.stat().st_size // 1024 for path in files)
    conffiles = [f"/{path.relative_to(tree)}\n" for path in files if path.is_relative_to(tree / "etc")]
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files]  # noqa: S324  dpkg's
    control = tree / "DEBIAN"
    control.mkdir()
    text = (HERE / "control").read_text(encoding="utf-8")
    text = text.format(version=version, architecture=architecture, installed_size=installed_kib)
    (control / "control").write_text(text, encoding="utf-8")
    (control / "conffiles").write_text("".join(conffiles), encoding="utf-8")
    (control / "md5sums").write_text("".join(sums), encoding="utf-8")
    for name in CONTROL_SCRIPTS:
        shutil.copy(HERE / name, control / name)
    for path in (control, *control.iterdir()):
        path.chmod(0o755 if path.is_dir() or path.name in CONTROL_SCRIPTS else 0o644)


def _run(*command: str) -> str:
    """Run one of dpkg's programs; return its output."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  fixed programs
    except FileNotFoundError:
        raise BuildError(f"{command[0]} is not installed: build on Debian or Ubuntu") from None
    if ran.returncode:
        raise BuildError(f"{command[0]} failed: {ran.stderr.strip() or ran.stdout.strip()}")
    return ran.stdout.strip()


def main(words: Sequence[str]) -> int:
    """Build as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description="Build the Debian package.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the package")
    parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), help="default: this machine's")
    parser.add_argument("--version", help="default: the project's")
    options = parser.parse_args(words)
    try:
        package = build(
            options.out, options.architecture or _run("dpkg", "--print-architecture"), options.version or version_of()
        )
    except BuildError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{package}  ({package.stat().st_size / 1e6:.0f} MB)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
