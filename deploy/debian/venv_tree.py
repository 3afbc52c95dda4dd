"""The virtual environment in the package: Debian's python3.11 with the project's wheel and the locked packages."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from layout import ROOT

PREFIX = "/usr/lib/hashsight"
# Debian's name of a processor: pip's, and the number in the header of its programs (e_machine of elf(5)).
ARCHITECTURES: Mapping[str, tuple[str, int]] = {"amd64": ("x86_64", 62), "arm64": ("aarch64", 183)}
GLIBC = range(5, 37)
"""Minor versions of glibc 2 that Debian 12 can stand in for: it has 2.36."""

SCRIPT = f"""#!{PREFIX}/bin/python -I
import sys

from {{module}} import main

sys.exit(main())
"""
COMMANDS = {"hashsight": "agent.__main__", "hashsight-sim": "simulators.__main__"}
CONFIGURATION = """\
home = /usr/bin
include-system-site-packages = false
version = 3.11
"""


class BuildError(Exception):
    """The package cannot be built; the message says why."""


def fill_venv(folder: Path, architecture: str) -> None:
    """Fill the folder with a virtual environment for its place in the package.

    Raises:
        BuildError: This Python is not 3.11, or a package cannot be had for that processor.
    """
    if sys.version_info[:2] != (3, 11) or sys.implementation.name != "cpython":
        raise BuildError(f"the package needs CPython 3.11, Debian 12's; this is {sys.version.split()[0]}")
    site_packages = make_venv(folder)
    lock = ("--require-hashes", "--requirement", str(ROOT / "requirements.lock"))
    install(site_packages, *_for(architecture), *lock)
    add_project(folder, site_packages)
    wrong = [path.relative_to(folder) for path in site_packages.rglob("*.so*") if _machine(path) != architecture]
    if wrong:
        raise BuildError(f"{wrong[0]} is not for {architecture}")
    compile_all(folder)


def make_venv(folder: Path) -> Path:
    """Write what makes a folder a virtual environment of /usr/bin/python3.11; return the folder of its packages."""
    site_packages = folder / "lib/python3.11/site-packages"
    site_packages.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(CONFIGURATION, encoding="utf-8")
    programs = folder / "bin"
    programs.mkdir()
    (programs / "python3.11").symlink_to("/usr/bin/python3.11")
    for name in ("python", "python3"):
        (programs / name).symlink_to("python3.11")
    for name, module in COMMANDS.items():
        (programs / name).write_text(SCRIPT.format(module=module), encoding="utf-8")
    return site_packages


def add_project(folder: Path, site_packages: Path) -> None:
    """Build the project's wheel and install it; what it shares goes to `share`."""
    with tempfile.TemporaryDirectory(prefix="hashsight-wheel-") as built:
        command = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", built)
        _run(*command)
        (wheel,) = Path(built).glob("*.whl")
        install(site_packages, "--no-index", "--no-deps", str(wheel))
    shutil.move(site_packages / "share", folder / "share")
    # pip's own launchers name the Python that ran it, and its record where the wheel was.
    shutil.rmtree(site_packages / "bin", ignore_errors=True)
    for source in site_packages.glob("*.dist-info/direct_url.json"):
        source.unlink()
    for record in site_packages.glob("*.dist-info/RECORD"):
        kept = (line for line in record.read_text(encoding="utf-8").splitlines(keepends=True) if _is_kept(line))
        record.write_text("".join(kept), encoding="utf-8")


def _is_kept(line: str) -> bool:
    """Return true unless the line of a RECORD is of a file that the package leaves out."""
    name = line.split(",", maxsplit=1)[0]
    return not name.endswith("/direct_url.json") and not name.startswith(("../", "bin/"))


def install(site_packages: Path, *words: str) -> None:
    """Install packages into a folder, without bytecode."""
    options = ("--disable-pip-version-check", "--no-compile", "--no-warn-conflicts", "--quiet")
    _run(sys.executable, "-m", "pip", "install", *options, "--upgrade", "--target", str(site_packages), *words)


def compile_all(folder: Path) -> None:
    """Compile every module for its place in the package; nothing compares the bytecode with its source later."""
    # In a process of its own: warnings about others' modules must not become errors of a caller that forbids warnings.
    places = ("-s", str(folder), "-p", PREFIX, "--invalidation-mode", "unchecked-hash")
    _run(sys.executable, "-Wignore", "-m", "compileall", "-q", "-j", "0", *places, str(folder / "lib"))


def _for(architecture: str) -> Iterator[str]:
    """Yield pip's options for wheels of a processor, whatever machine builds."""
    machine, _ = ARCHITECTURES[architecture]
    yield from ("--no-deps", "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311", "--abi", "abi3")
    yield from ("--abi", "none")
    for minor in reversed(GLIBC):
        yield from ("--platform", f"manylinux_2_{minor}_{machine}")
    yield from ("--platform", f"manylinux2014_{machine}", "--platform", f"linux_{machine}")


def _machine(path: Path) -> str | None:
    """Return the processor that a shared library is for; None if it is another's, or no library."""
    head = path.read_bytes()[:20]
    number = int.from_bytes(head[18:20], "little") if head[:4] == b"\x7fELF" else None
    return next((name for name, (_, known) in ARCHITECTURES.items() if known == number), None)


def _run(*command: str) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603  own words
    if ran.returncode:
        said = re.sub(r"\s+", " ", ran.stderr.strip() or ran.stdout.strip())
        raise BuildError(f"{' '.join(command[1:4])} failed: {said[-500:]}")
