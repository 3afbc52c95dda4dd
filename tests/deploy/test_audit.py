"""`make audit`: a package that could not be looked up is no clean one, and a database out of reach is said to be so."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from paths import DEPLOY

CLEAN = {"name": "good", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
SKIPPED = {"name": "new", "skip_reason": "Dependency not found on PyPI"}
REPORTS = {"clean": [CLEAN, CLEAN], "bad": [CLEAN, BAD], "skipped": [SKIPPED, SKIPPED], "some": [CLEAN, SKIPPED]}

PIP_AUDIT = """#!{python}
import json, sys
service = sys.argv[sys.argv.index("--vulnerability-service") + 1]
report = json.loads({reports!r})[service]
assert sys.argv[-4:] == ["--requirement", "one.lock", "--requirement", "two.lock"]
assert "--disable-pip" in sys.argv
if report is None:
    sys.exit("ConnectionError: Failed to resolve a host")
print(json.dumps({{"dependencies": report, "fixes": []}}))
sys.exit(any(package.get("vulns") for package in report))
"""


@pytest.mark.parametrize(
    ("pypi", "osv", "status", "said"),
    [
        ("clean", None, 0, "none of 2 packages has a known vulnerability"),
        ("bad", "bad", 1, "bad 2.0: PYSEC-1, fixed in 2.1"),
        (None, "clean", 0, "the database pypi cannot be used from here: ConnectionError"),
        (None, None, 3, "nothing was checked"),
        ("skipped", None, 3, "nothing was checked"),
        ("some", None, 3, "1 packages are in no database: new"),
        ("some", "bad", 1, "PYSEC-1"),
    ],
)
def test_what_an_audit_says(tmp_path: Path, pypi: str | None, osv: str | None, status: int, said: str) -> None:
    """Exit status 0 only if every package was looked up and none is vulnerable."""
    reports = {"pypi": pypi and REPORTS[pypi], "osv": osv and REPORTS[osv]}
    program = tmp_path / "pip-audit"
    program.write_text(PIP_AUDIT.format(python=sys.executable, reports=json.dumps(reports)), encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    command = [sys.executable, str(DEPLOY / "dev" / "audit.py"), str(program), "one.lock", "two.lock"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (status, "")
    assert said in ended.stdout


def test_an_audit_needs_a_program_and_a_lock() -> None:
    """Wrong arguments are no verdict."""
    command = [sys.executable, str(DEPLOY / "dev" / "audit.py")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
