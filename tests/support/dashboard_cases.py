"""The committed dashboards' queries, as Grafana would send them."""

from collections.abc import Iterable, Mapping

from paths import GRAFANA

from grafana.dashboards_lint import Ask, asks, boards

RULES = GRAFANA / "rules"


def filled(expr: str, values: Mapping[str, str]) -> str:
    """Replace Grafana's variables by values, longest name first."""
    for name in sorted(values, key=len, reverse=True):
        expr = expr.replace(f"${{{name}}}", values[name]).replace(f"${name}", values[name])
    return expr


def all_asks(of: Iterable[str] | None = None) -> list[Ask]:
    """Return every query of every dashboard, or of the named ones."""
    return [ask for name, board in boards().items() if of is None or name in of for ask in asks(name, board)]
