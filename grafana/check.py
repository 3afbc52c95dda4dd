"""Check the contract, what is generated, rules and dashboards: ``python -m grafana.check``, part of ``make lint``."""

import sys

from grafana import contract, dashboards_lint, generated, rules_lint


def mistakes() -> list[str]:
    """Give every mistake, one line each."""
    found = [f"grafana/{name}: not what `python -m grafana.generated --write` gives" for name in generated.stale()]
    found += [f"metric contract: {mistake}" for mistake in contract.lint(contract.families())]
    return found + [f"grafana/{mistake}" for mistake in dict.fromkeys((*rules_lint.lint(), *dashboards_lint.lint()))]


def main() -> int:
    """Print mistakes; gives the exit status."""
    found = mistakes()
    for mistake in found:
        sys.stderr.write(f"{mistake}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
