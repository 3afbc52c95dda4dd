"""Look up the locked packages in a database of known vulnerabilities: audit.py PIP-AUDIT LOCK...

pip-audit calls a package that its database does not have "skipped", and reports no vulnerability then. Here a package
that could not be looked up is no clean one. Exit status: 0 every package was looked up and none is vulnerable, 1 some
are vulnerable, 3 some or all could not be looked up, 2 wrong arguments.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

SERVICES = ("pypi", "osv")
DEADLINE_S = 600.0
VULNERABLE, UNUSABLE, UNCHECKED = 1, 2, 3
SHOWN = 20


class Verdict(NamedTuple):
    """The result of one database.

    Attributes:
        checked: Number of packages that were looked up.
        unchecked: Packages that were not.
        vulnerable: Each vulnerability in words.
        trouble: Why the database could not be used; empty if it could.
    """

    checked: int = 0
    unchecked: tuple[str, ...] = ()
    vulnerable: tuple[str, ...] = ()
    trouble: str = ""


def read_report(text: str) -> Verdict:
    """Return the verdict of a JSON report of pip-audit."""
    try:
        packages: list[dict[str, Any]] = json.loads(text)["dependencies"]
    except (ValueError, LookupError, TypeError):
        return Verdict(trouble="no report")
    unchecked = tuple(package["name"] for package in packages if "skip_reason" in package)
    vulnerable = tuple(
        f"{package['name']} {package['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'none'}"
        for package in packages
        for found in package.get("vulns", ())
    )
    return Verdict(len(packages) - len(unchecked), unchecked, vulnerable)


def ask(program: str, service: str, locks: Sequence[str]) -> Verdict:
    """Ask one database about the packages of lock files."""
    files = [word for lock in locks for word in ("--requirement", lock)]
    # Without pip nothing is installed or resolved: the lock files are complete.
    options = ("--progress-spinner", "off", "--disable-pip", "--require-hashes", "--format", "json")
    try:
        ended = subprocess.run(  # noqa: S603  the program that the Makefile installed
            [program, *options, "--vulnerability-service", service, *files],
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
    except subprocess.TimeoutExpired:
        return Verdict(trouble=f"no answer in {DEADLINE_S:.0f} s")
    verdict = read_report(ended.stdout)
    if verdict.trouble:
        lines = ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"]
        return Verdict(trouble=lines[-1][:200])
    return verdict


def report(verdicts: Sequence[tuple[str, Verdict]]) -> tuple[list[str], int]:
    """Return lines for a person, and the exit status, from the verdicts of the databases that were asked."""
    lines: list[str] = []
    for service, verdict in verdicts:
        lines += verdict.vulnerable
        if verdict.trouble or not verdict.checked:
            lines.append(
                f"audit: the database {service} cannot be used from here: {verdict.trouble or 'it has no package'}"
            )
    best = max((verdict for _, verdict in verdicts), key=lambda verdict: verdict.checked, default=Verdict())
    if any(verdict.vulnerable for _, verdict in verdicts):
        return lines, VULNERABLE
    if not best.checked:
        return [*lines, "audit: no database can be reached, so nothing was checked; run it where one can be"], UNCHECKED
    if best.unchecked:
        names = ", ".join(best.unchecked[:SHOWN])
        return [*lines, f"audit: {len(best.unchecked)} packages are in no database: {names}"], UNCHECKED
    return [*lines, f"audit: none of {best.checked} packages has a known vulnerability"], 0


def main(words: Sequence[str]) -> int:
    """Ask the databases in turn until one knows every package."""
    if len(words) < 2:
        sys.stderr.write("audit.py PIP-AUDIT LOCK...\n")
        return UNUSABLE
    program, *locks = words
    verdicts: list[tuple[str, Verdict]] = []
    for service in SERVICES:
        verdict = ask(program, service, locks)
        verdicts.append((service, verdict))
        if verdict.checked and not verdict.unchecked:
            break
    lines, status = report(verdicts)
    sys.stdout.write("\n".join((*lines, "")))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
