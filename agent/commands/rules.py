"""`hashsight rules`: Prometheus' rules, Alertmanager's files and runbooks, written with an operator's own links."""

from collections.abc import Iterator
from pathlib import Path

from agent.commands.alert_links import Links, checked_link
from agent.commands.machine_output import write_json, write_lines
from agent.commands.shipped_files import shipped
from agent.commands.terminal import exit_codes, usage_error
from agent.errors import AgentError
from agent.files.atomic import replace_file

RULES = ("alerts.yml", "fleet.yml", "periods.yml", "site.yml")
ALERTMANAGER = ("alertmanager.yml", "alertmanager.tmpl")

# Prometheus and Alertmanager run as users of their own, and nothing here is secret: these are modes whatever the umask.
READABLE, OPEN = 0o644, 0o755


class RulesError(AgentError):
    """The files of rules are not part of this installation."""


def rules(*, grafana: str, runbooks: str, output: Path, local: bool, as_json: bool) -> None:
    """Write the files and print their names."""
    with exit_codes():
        links = Links(_link("--grafana", grafana, local=local), _link("--runbooks", runbooks, local=local))
        written = [str(path) for path in write_rules(output, links)]
        if as_json:
            write_json(written)
        else:
            write_lines(written)


def write_rules(folder: Path, links: Links) -> list[Path]:
    """Write every file into `folder`, which is made if needed; return their paths.

    Rules are ``*.yml`` right in it, so that Prometheus loads them by that pattern; Alertmanager's files and the
    runbooks have folders below it. Files there are replaced, each as a whole.

    Raises:
        OSError: A file could not be written; it names the file.
        RulesError: This installation has no rules.
    """
    sources = [(folder / target, source) for target, source in _shipped()]
    for target, source in sources:
        _make_folder(target.parent)
        data = links.put_into(source.read_text(encoding="utf-8")).encode()
        replace_file(target, data, mode=READABLE)
    return [target for target, _ in sources]


def _make_folder(folder: Path) -> None:
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in new:
        each.chmod(OPEN)


def has_rules() -> bool:
    """Return True if this installation has the rules."""
    return shipped("grafana/rules", "rules").is_dir()


def _shipped() -> Iterator[tuple[str, Path]]:
    """Yield each file's place below the output folder, and where it is shipped."""
    if not has_rules():
        raise RulesError("this installation has no rules; they are in the wheel and in a checkout (grafana/rules)")
    for name in RULES:
        yield name, shipped("grafana/rules", "rules") / name
    for name in ALERTMANAGER:
        yield f"alertmanager/{name}", shipped(f"deploy/{name}", name)
    for path in sorted(shipped("grafana/runbooks", "runbooks").glob("*.md")):
        yield f"runbooks/{path.name}", path


def _link(option: str, given: str, *, local: bool) -> str:
    try:
        return checked_link(given, may_be_local=local)
    except ValueError as error:
        raise usage_error("rules", option, given, str(error)) from None
