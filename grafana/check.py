"""Check contract, generated files, rules and dashboards: ``python -m grafana.check``, part of ``make lint``."""

import sys

from grafana import contract, dashboards_lint, generated, rules_lint


def mistakes() -> list[str]:
    """Return every mistake, one line each."""
    found = [
        f"grafana/{name}: differs from the output of `python -m grafana.generated --write`"
        for name in generated.stale()
    ]
    found += [f"metric contract: {mistake}" for mistake in contract.lint(contract.families())]
    return found + [f"grafana/{mistake}" for mistake in dict.fromkeys((*rules_lint.lint(), *dashboards_lint.lint()))]


def main() -> int:
    """Print the mistakes; return the exit status."""
    found = mistakes()
    for mistake in found:
        sys.stderr.write(f"{mistake}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
