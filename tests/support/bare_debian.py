"""A bare Debian 12 of its own for a test: made once from Debian's packages, and unpacked for each use.

It runs without any network but its own loopback, in namespaces that end with it. Debian's packages that a test installs
are in its cache of archives from the beginning.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from paths import ROOT
from patience import PATIENT_S

CACHE = ROOT / ".run/bare-debian"
MAKING_S = 900
# What the package depends on, and what a role needs of the machine that it is run on: fetched, not installed.
FETCHED = ("adduser", "libgcc-s1", "media-types", "python3.11", "tzdata", "python3", "python3-apt")
BOOTED = ("systemd", "systemd-sysv", "dbus")
# What the guide installs: its parts 3, 5 and 7 with what Debian recommends beside it, part 4 without.
FETCHED_BOOTED = ("curl", "mosquitto", "apache2-utils")
FETCHED_ALONE = ("prometheus", "prometheus-alertmanager")
ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "TERM": "dumb",
    "COLUMNS": "80",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended.

    Attributes:
        status: Its exit status.
        said: Everything it printed.
    """

    status: int
    said: str


@dataclass(frozen=True, slots=True)
class BareDebian:
    """A Debian in a folder, with a process that holds its namespaces.

    Attributes:
        root: Its root folder.
        holder: Process id of the first process in its namespaces.
    """

    root: Path
    holder: int

    def command(self, *words: str) -> list[str]:
        """Return the command line that runs a command inside."""
        inside = ["nsenter", f"--target={self.holder}", "--net", "--pid", "--mount", "--uts", "--ipc"]
        return [*inside, *words]

    def run(self, *words: str, status: int | None = 0, within_s: float = 300) -> Ran:
        """Run a command inside; a status other than the expected one fails with what it said. None expects any."""
        ended = subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=within_s,
            check=False,
            env=dict(ENVIRONMENT),
        )
        assert status is None or ended.returncode == status, f"{words}: {ended.returncode}\n{ended.stdout}"
        return Ran(ended.returncode, ended.stdout)

    @contextlib.contextmanager
    def running(
        self, *words: str, log: Path, ends_by: signal.Signals = signal.SIGTERM
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program inside for the block; it gets a signal at the end."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(*words), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=dict(ENVIRONMENT)
            )
        try:
            yield process
        finally:
            # The program is the child of `nsenter`, which passes its status on and no signals.
            for child in _children(process.pid):
                os.kill(child, ends_by)
            process.wait(PATIENT_S)

    def until(self, *words: str, within_s: float = PATIENT_S) -> str:
        """Run a command until its status is 0; return what it said."""
        ends = time.monotonic() + within_s
        while True:
            ran = self.run(*words, status=None)
            if ran.status == 0:
                return ran.said
            assert time.monotonic() < ends, f"{words}: {ran.said[-2000:]}"
            time.sleep(0.2)

    def answer_at(self, network: str) -> None:
        """Make all addresses of a network its own, so that programs inside can listen at them."""
        route = ("ip", "route", "add", "local", network, "dev", "lo")
        subprocess.run(["nsenter", f"--target={self.holder}", "--net", *route], check=True)

    def path(self, name: str) -> Path:
        """Return a path inside, as seen from outside; a symbolic link must not lead out of it."""
        return self.root / name.lstrip("/")


def require() -> None:
    """Skip a test where no Debian can be made; the marker `program` names a missing program."""
    if os.geteuid() != 0:
        pytest.skip("a Debian of its own needs root")
    if subprocess.run(["unshare", "--net", "--pid", "--mount", "--fork", "true"], check=False).returncode:
        pytest.skip("this machine gives no namespaces, which a Debian of its own needs")


@contextlib.contextmanager
def bare_debian(folder: Path, *, is_booted: bool = False) -> Iterator[BareDebian]:
    """Unpack a bare Debian 12 into a folder, and hold it without network for the block."""
    require()
    root = folder / "debian"
    root.mkdir()
    subprocess.run(["tar", "-xpf", str(_archive(is_booted=is_booted)), "-C", str(root)], check=True, timeout=MAKING_S)
    holder = subprocess.Popen(_holder(root, is_booted=is_booted), stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield BareDebian(root, _first_inside(holder))
    finally:
        holder.kill()
        holder.wait()
        shutil.rmtree(root, ignore_errors=True)


MOUNTS = """
set -e
ip link set lo up
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t tmpfs -o mode=755 tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/tmp"
mount -t tmpfs -o mode=755 tmpfs "$1/dev"
for name in null zero full random urandom tty; do touch "$1/dev/$name"; mount --bind "/dev/$name" "$1/dev/$name"; done
mkdir "$1/dev/shm" "$1/dev/pts" "$1/.old"
mount -t tmpfs tmpfs "$1/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
ln -s /proc/self/fd "$1/dev/fd"
mount -t sysfs -o ro sysfs "$1/sys"
"""
# Not chroot, in which the kernel makes no user namespaces.
ENTERED = """
cd "$1"
pivot_root . .old
umount -l .old
rmdir .old
"""
HELD = f"{MOUNTS}{ENTERED}exec sleep infinity\n"
# systemd mounts a service's credentials in a mount namespace of its own making, and sees them by propagation alone. It
# makes all mounts shared at boot, but not in a container: without this, services find an empty folder of root's.
BOOT = f"""{MOUNTS}
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
{ENTERED}
mount --make-rshared /
exec env -i PATH="$PATH" container=test /lib/systemd/systemd --log-target=null
"""


def _holder(root: Path, *, is_booted: bool) -> list[str]:
    namespaces = ["--net", "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"]
    return ["unshare", *namespaces, "sh", "-c", BOOT if is_booted else HELD, "sh", str(root)]


def _first_inside(holder: subprocess.Popen[bytes]) -> int:
    """Return the process id of the only child of `unshare`, once its mounts are made."""
    ends = time.monotonic() + PATIENT_S
    while time.monotonic() < ends and holder.poll() is None:
        for child in _children(holder.pid):
            if Path(f"/proc/{child}/comm").read_text(encoding="ascii").strip() in {"sleep", "systemd"}:
                return child
        time.sleep(0.05)
    raise AssertionError(f"the namespaces of a bare Debian did not come up: {holder.returncode}")


def _children(parent: int) -> list[int]:
    """Return the process ids of the children of a process that has one thread."""
    return [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()]


def _archive(*, is_booted: bool) -> Path:
    """Return the archive of a bare Debian; made if there is none of this kind yet, which takes a minute."""
    fetched = (*FETCHED, *FETCHED_BOOTED) if is_booted else FETCHED
    installed, alone = (BOOTED, FETCHED_ALONE) if is_booted else ((), ())
    kind = hashlib.sha256(" ".join((*fetched, *installed, *alone)).encode()).hexdigest()[:8]
    kept = CACHE / f"bookworm-{kind}.tar"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        made = kept.with_suffix(".new.tar")
        fetch = 'chroot "$1" apt-get install -y --download-only --install-recommends'
        hooks = [f"--customize-hook={fetch} {' '.join(fetched)}"]
        if is_booted:
            hooks.append(f"--customize-hook={fetch} --no-install-recommends {' '.join(alone)}")
            hooks.append(f"--include={','.join(installed)}")
        skipped = "--skip=cleanup/apt/lists,cleanup/apt/cache"
        command = ["mmdebstrap", "--quiet", "--variant=minbase", skipped, *hooks]
        ran = subprocess.run(
            [*command, "bookworm", str(made)], capture_output=True, text=True, timeout=MAKING_S, check=False
        )
        if ran.returncode:
            pytest.skip(f"mmdebstrap cannot make a bare Debian here: {ran.stderr[-500:]}")
        made.rename(kept)
    return kept
