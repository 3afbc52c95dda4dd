"""The Debian package, file by file: built without the locked packages, which take a minute."""

import gzip
import re
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest
from debian_packages import builder
from paths import DEPLOY, ROOT
from patience import PATIENT_S

from agent import __version__
from agent.config.file import load_config

pytestmark = pytest.mark.program("dpkg-deb", "systemd-analyze")
EPOCH = 1_790_000_000
CONTROL_SCRIPTS = {"postinst", "postrm", "preinst", "prerm"}


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """Return the builder's module."""
    return builder()


@pytest.fixture(scope="module")
def package(build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a package that holds the project alone, unpacked by dpkg-deb."""
    venv_tree = sys.modules["venv_tree"]

    def fill(folder: Path) -> None:
        site_packages = venv_tree.make_venv(folder)
        venv_tree.add_project(folder, site_packages)

    folder = tmp_path_factory.mktemp("package")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))
        first, second = (build.build(folder / name, "amd64", "9.9", fill=fill, level=0) for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    subprocess.run(["dpkg-deb", "--raw-extract", first, folder / "tree"], check=True, timeout=PATIENT_S)
    with (folder / "tree.tar").open("wb") as archive:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", first], check=True, stdout=archive, timeout=PATIENT_S)
    return folder / "tree"


def test_the_package_holds_each_file_in_its_place(package: Path) -> None:
    """Commands, services, configuration, documents, dashboards and rules are where Debian has them."""
    for name in (
        "etc/hashsight/site.toml",
        "lib/systemd/system/hashsight.service",
        "lib/systemd/system/hashsight-fleet.service",
        "usr/lib/hashsight/pyvenv.cfg",
        "usr/lib/hashsight/lib/python3.11/site-packages/agent/unit/models.csv",
        "usr/share/doc/hashsight/README.md",
        "usr/share/doc/hashsight/CHANGELOG.md.gz",
        "usr/share/doc/hashsight/copyright",
        "usr/share/doc/hashsight/runbooks/MiningSiteDark.md",
        "usr/share/bash-completion/completions/hashsight",
        "usr/share/fish/vendor_completions.d/hashsight.fish",
        "usr/share/zsh/vendor-completions/_hashsight",
        "usr/share/man/man1/hashsight.1.gz",
        "usr/share/man/man1/hashsight-check.1.gz",
        "usr/share/hashsight/dashboards/site.json",
        "usr/share/hashsight/ledger.first.csv",
        "usr/share/hashsight/rules/alerts.yml",
        "usr/share/hashsight/prometheus.yml",
        "usr/share/hashsight/site.example.toml",
    ):
        assert (package / name).is_file(), name
    for name in ("hashsight", "hashsight-sim"):
        link = package / "usr/bin" / name
        assert link.is_symlink()
        assert link.resolve() == package / "usr/lib/hashsight/bin" / name
    assert (package / "usr/lib/hashsight/bin/python3.11").readlink() == Path("/usr/bin/python3.11")
    assert [path.name for path in (package / "usr/lib/hashsight/share").iterdir()] == ["hashsight"]
    shared = package / "usr/lib/hashsight/share/hashsight"
    assert shared.is_symlink()
    assert shared.resolve() == package / "usr/share/hashsight"


def test_every_file_is_roots_and_as_old_as_the_commit(package: Path) -> None:
    """Owner, mode and time do not depend on who builds."""
    with tarfile.open(package.with_name("tree.tar")) as archive:
        members = archive.getmembers()
    assert {(each.uname, each.gname, each.uid, each.gid) for each in members} == {("root", "root", 0, 0)}
    assert {int(each.mtime) for each in members} == {EPOCH}
    programs = {Path(each.name).name for each in members if each.isfile() and each.mode & stat.S_IXUSR}
    assert programs == {"hashsight", "hashsight-sim"}
    assert {oct(each.mode) for each in members if not each.issym()} == {"0o755", "0o644"}


def test_only_the_configuration_is_a_conffile(package: Path) -> None:
    """The ledger is a record, which dpkg must neither replace nor purge."""
    assert (package / "DEBIAN/conffiles").read_text(encoding="utf-8") == "/etc/hashsight/site.toml\n"
    listed = (package / "DEBIAN/md5sums").read_text(encoding="utf-8").splitlines()
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file() and not path.is_symlink()}
    assert {line.split("  ")[1] for line in listed} == {name for name in files if not name.startswith("DEBIAN/")}


def test_two_edited_lines_make_a_site(package: Path, tmp_path: Path) -> None:
    """Name and networks set, and a unit in the ledger, `hashsight check` accepts the files of the package."""
    text = (package / "etc/hashsight/site.toml").read_text(encoding="utf-8")
    edited = text.replace('name = "example-1"', 'name = "north-1"').replace("10.20.0.0/16", "10.99.0.0/16")
    assert sum(before != after for before, after in zip(text.splitlines(), edited.splitlines(), strict=True)) == 2
    ledger = (package / "usr/share/hashsight/ledger.first.csv").read_text(encoding="utf-8")
    columns = next(line for line in ledger.splitlines() if not line.startswith("#"))
    assert [line for line in ledger.splitlines() if line and not line.startswith("#")] == [columns]
    row = re.findall(r"^# (c1-r1-01,.*)$", ledger, re.MULTILINE)[0].replace("10.20.1.11", "10.99.1.11")
    (tmp_path / "ledger.csv").write_text(f"{ledger}{row}\n", encoding="utf-8")
    config = tmp_path / "site.toml"
    config.write_text(edited.replace("/etc/hashsight/ledger.csv", "ledger.csv"), encoding="utf-8")
    assert str(load_config(config).site.zone) == "UTC"
    command = (sys.executable, "-m", "agent", "check", "--config", str(config))
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=PATIENT_S)
    assert (done.returncode, done.stderr) == (0, "")
    assert "north-1: 1 units deployed" in done.stdout


def test_the_services_are_the_packages(package: Path, tmp_path: Path) -> None:
    """They run /usr/bin/hashsight, the agent under its own user; systemd accepts both and finds them locked up."""
    for name in ("hashsight.service", "hashsight-fleet.service"):
        text = (package / "lib/systemd/system" / name).read_text(encoding="utf-8")
        assert "/opt/" not in text
        assert "\nExecStart=/usr/bin/hashsight " in text
        assert ("\nUser=hashsight\n" in text, "DynamicUser" in text) == (
            (True, False) if name == "hashsight.service" else (False, True)
        )
        copy = tmp_path / name
        # Neither program, page nor user is on this machine.
        text = text.replace("/usr/bin/hashsight", "/bin/true").replace("man:hashsight(1) ", "")
        copy.write_text(text.replace("User=hashsight", "User=root"), encoding="utf-8")
        for words in (["verify"], ["security", "--offline=true", "--threshold=20", "--no-pager"]):
            ran = subprocess.run(
                ["systemd-analyze", *words, str(copy)], check=False, capture_output=True, text=True, timeout=PATIENT_S
            )
            assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_control_file_names_version_and_debians_packages(package: Path) -> None:
    """Version and processor are the build's; every dependency is a package of Debian 12."""
    fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", (package / "DEBIAN/control").read_text(), re.MULTILINE))
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == ("hashsight", "9.9", "amd64")
    assert {each.split()[0] for each in fields["Depends"].split(", ")} == {
        "adduser",
        "libc6",
        "libgcc-s1",
        "media-types",
        "python3.11",
        "tzdata",
    }
    assert int(fields["Installed-Size"]) > 1000
    with gzip.open(package / "usr/share/doc/hashsight/changelog.gz", "rt", encoding="utf-8") as changelog:
        assert changelog.readline() == "hashsight (9.9) stable; urgency=medium\n"


@pytest.mark.parametrize("name", sorted(CONTROL_SCRIPTS))
def test_maintainer_scripts_are_shell(package: Path, name: str) -> None:
    """Dash parses each script, which stops at the first error and is executable."""
    script = package / "DEBIAN" / name
    assert script.read_text(encoding="utf-8") == (DEPLOY / "debian" / name).read_text(encoding="utf-8")
    assert "\nset -e\n" in script.read_text(encoding="utf-8")
    assert stat.S_IMODE(script.stat().st_mode) == 0o755
    subprocess.run(["sh", "-n", str(script)], check=True, timeout=PATIENT_S)


def test_the_version_is_the_projects(build: ModuleType) -> None:
    """Without a word on the command line the package has the agent's version, and the simulators have the same."""
    assert build.version_of() == __version__
    assert f'__version__ = "{__version__}"' in (ROOT / "simulators/__init__.py").read_text(encoding="utf-8")


def test_without_a_time_nothing_is_built(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time that is no number is refused before any work."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    with pytest.raises(build.BuildError, match="SOURCE_DATE_EPOCH"):
        build.build_time()
