"""Man pages and completion scripts: current, complete, and read by the programs that they are for."""

import inspect
import re
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from patience import PATIENT_S

from agent.commands import generated
from agent.commands.command_line import SUBCOMMANDS
from agent.commands.command_tree import Command, command_tree

DEPLOY = generated.DEPLOY
TREE = command_tree()
PRINT_NO_DATA = {
    "run": "a service, whose log is JSON",
    "ledger export": "writes a file in the form of another program",
    "history seal": "what it prints is JSON: the seal",
    "init": "asks questions; the files that it writes are its result",
}
"""Commands without `--json`, and why."""


def leaves(command: Command = TREE) -> Iterator[Command]:
    """Yield every command that does something."""
    if not command.commands:
        yield command
    for each in command.commands:
        yield from leaves(each)


LEAVES = list(leaves())


def completed(*words: str) -> list[str]:
    """Return what bash offers for the last of some words."""
    script = (
        f"source {DEPLOY / 'completion/hashsight.bash'}\n"
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hashsight; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    ended = subprocess.run(
        ("bash", "-c", script, "bash", *words), capture_output=True, text=True, timeout=PATIENT_S, check=True
    )
    assert ended.stderr == ""
    return ended.stdout.split()


def test_the_shipped_files_are_current() -> None:
    """`python -m agent.commands.generated --write` would change nothing."""
    assert generated.stale() == []


def test_a_page_that_no_command_has_is_removed(tmp_path: Path) -> None:
    """Writing creates what is missing and removes what is left of a command that is gone."""
    (tmp_path / "man").mkdir()
    (tmp_path / "man/hashsight-gone.1").write_text("old", encoding="utf-8")
    names = generated.write(tmp_path)
    assert ("man/hashsight-gone.1" in names, "completion/_hashsight" in names) == (True, True)
    assert generated.stale(tmp_path) == []
    assert not (tmp_path / "man/hashsight-gone.1").exists()


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_the_tree_has_what_is_declared(name: str) -> None:
    """Each command of the tree has one parameter for each parameter of its declaration, with a help text."""
    declared = [
        inspect.signature(inspect.unwrap(each.callback)).parameters
        for each in import_module(f"agent.commands.options.{name}").app.registered_commands
    ]
    found = [each for each in LEAVES if each.words[0] == name]
    assert sorted(len(parameters) for parameters in declared) == sorted(len(each.parameters) for each in found)
    assert all(parameter.help for each in found for parameter in each.parameters)
    assert all(each.examples and each.line.endswith(".") for each in found)


@pytest.mark.parametrize("command", LEAVES, ids=lambda each: " ".join(each.words))
def test_every_command_that_prints_data_has_json(command: Command) -> None:
    """`--json` is on every command but the named ones."""
    has_json = any("--json" in parameter.names for parameter in command.parameters)
    assert has_json is (" ".join(command.words) not in PRINT_NO_DATA)


@pytest.mark.parametrize("example", [example for each in LEAVES for example in each.examples])
def test_the_options_of_an_example_exist(example: str) -> None:
    """Each example calls its own command with options that it has."""
    words = re.split(r" [|>] ", example)[0].split()
    command = next(each for each in LEAVES if words[1 : 1 + len(each.words)] == list(each.words))
    known = {name for parameter in command.parameters for name in (*parameter.names, *parameter.negative)}
    assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.program("man")
def test_man_renders_every_page_without_a_warning() -> None:
    """Groff has nothing to say against any page, and shows each option of `ledger set` as it is typed."""
    pages = sorted((DEPLOY / "man").glob("*.1"))
    assert len(pages) == len(SUBCOMMANDS) + 1
    ended = subprocess.run(
        ("man", "--warnings", "-l", "-Tutf8", *map(str, pages)),
        env={"MANWIDTH": "80", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANPAGER": "cat", "MANROFFOPT": "-c"},
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
        check=True,
    )
    assert ended.stderr == ""
    # A printer writes bold and underlined letters twice.
    shown = re.sub(".\x08", "", ended.stdout)
    assert "--chips-per-board TEXT" in shown
    assert "hashsight ledger set C3-R05-12 --status maintenance" in shown


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("hashsight", "c"), ["check", "curtail"]),
        (("hashsight", "ledger", ""), ["show", "export", "diff", "verify", "check", "set", "import"]),
        (("hashsight", "ledger", "set", "--s"), ["--slot", "--status", "--serial", "--simulated", "--swap"]),
        (("hashsight", "ledger", "show", "--format", ""), ["table", "csv", "json"]),
        (("hashsight", "scan", "--no"), ["--no-pages"]),
        (("hashsight", "check", "--config", "/proc/versio"), ["/proc/version"]),
        (("hashsight", "read", "--timeout", ""), []),
        # The value of an option is no command, whatever it is called.
        (("hashsight", "curtail", "stop", "--a"), ["--all"]),
    ],
)
@pytest.mark.program("bash")
def test_bash_completes(words: tuple[str, ...], offered: list[str]) -> None:
    """The script offers commands, options, listed values and files."""
    assert completed(*words) == offered


@pytest.mark.program("bash")
def test_bash_offers_every_option_of_every_command() -> None:
    """In one bash, each command's options are those of the tree."""
    lines = [
        f"COMP_WORDS=(hashsight {' '.join(each.words)} -); COMP_CWORD={len(each.words) + 1}; _hashsight;"
        ' echo "${COMPREPLY[*]}"'
        for each in LEAVES
    ]
    script = "\n".join((f"source {DEPLOY / 'completion/hashsight.bash'}", *lines))
    ended = subprocess.run(("bash", "-u", "-c", script), capture_output=True, text=True, timeout=PATIENT_S, check=True)
    wanted = [
        {name for parameter in each.parameters for name in (*parameter.names, *parameter.negative)} | {"-h", "--help"}
        for each in LEAVES
    ]
    assert [set(line.split()) for line in ended.stdout.splitlines()] == wanted


@pytest.mark.program("zsh")
def test_zsh_takes_the_script() -> None:
    """Zsh parses the script, which has a function for each command."""
    script = DEPLOY / "completion/_hashsight"
    subprocess.run(("zsh", "-n", str(script)), timeout=PATIENT_S, check=True)
    text = script.read_text(encoding="utf-8")
    assert all(f"\n{'_'.join(('_hashsight', *each.words))}() {{" in text for each in LEAVES)


@pytest.mark.program("fish")
def test_fish_completes() -> None:
    """Fish offers a group's commands, and a listed value."""
    source = f"source {DEPLOY / 'completion/hashsight.fish'}; "
    for line, offered in (("hashsight ledger s", {"show", "set"}), ("hashsight record --through sl", {"sleep"})):
        ended = subprocess.run(
            ("fish", "-c", f"{source}complete -C '{line}'"),
            capture_output=True,
            text=True,
            timeout=PATIENT_S,
            check=True,
        )
        assert {each.partition("\t")[0] for each in ended.stdout.splitlines()} == offered
