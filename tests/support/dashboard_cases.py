"""The committed dashboards as tests look at them: their panels, their questions, and what Grafana makes of those."""

from collections.abc import Iterable, Mapping

from paths import GRAFANA

from grafana.dashboards_lint import Ask, asks, boards

RULES = GRAFANA / "rules"


def filled(expr: str, values: Mapping[str, str]) -> str:
    """Put values in the place of Grafana's variables, longest name first."""
    for name in sorted(values, key=len, reverse=True):
        expr = expr.replace(f"${{{name}}}", values[name]).replace(f"${name}", values[name])
    return expr


def all_asks(of: Iterable[str] | None = None) -> list[Ask]:
    """Give every question of every dashboard, or of those named."""
    return [ask for name, board in boards().items() if of is None or name in of for ask in asks(name, board)]
