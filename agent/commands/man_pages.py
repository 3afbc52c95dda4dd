"""Man pages of the command tree: one for `hashsight`, one for each subcommand. Pure."""

from collections.abc import Iterator

from agent.commands.command_tree import HELP, Command, Parameter

SECTION = 1
FILES = (
    (
        "./site.toml, /etc/hashsight/site.toml",
        "The site's configuration; share/hashsight/site.example.toml explains it.",
    ),
    ("/etc/hashsight/ledger.csv", "The ledger that the configuration usually names."),
    ("/var/lib/hashsight", "History, snapshot and outboxes of the service."),
)
VARIABLES = (
    ("HASHSIGHT_CONFIG", "The site's configuration, where neither -c nor --config names one."),
    ("NO_COLOR", "Set to anything: no colours."),
)
STATUSES = (
    ("0", "Success."),
    ("1", "Failure: what was asked for was not found, or is not as it should be."),
    ("2", "A mistake in the configuration, in a file, or on the command line."),
)


def man_pages(tree: Command) -> dict[str, str]:
    """Return the text of every page by file name."""
    pages = {f"hashsight.{SECTION}": "".join(_whole(tree))}
    return pages | {f"hashsight-{each.words[0]}.{SECTION}": "".join(_page(each, tree)) for each in tree.commands}


def _whole(tree: Command) -> Iterator[str]:
    yield from _head("hashsight", tree.line)
    yield "[\\fB\\-\\-version\\fR] [\\fB\\-h\\fR] \\fICOMMAND\\fR [\\fIARGUMENT\\fR ...]\n"
    yield ".SH DESCRIPTION\n"
    yield _text(tree.line)
    yield ".PP\n" + _text(
        "Every command has a page of its own, such as hashsight-once(1), and explains itself with -h."
    )
    yield ".SH COMMANDS\n"
    for command in tree.commands:
        yield f".TP\n\\fBhashsight\\-{_escaped(command.words[0])}\\fR({SECTION})\n{_text(command.line)}"
    yield ".SH OPTIONS\n"
    for parameter in tree.parameters:
        yield from _option(parameter)
    yield from _help_option()
    yield from _tail(see=tuple(f"hashsight-{each.words[0]}" for each in tree.commands))


def _page(command: Command, tree: Command) -> Iterator[str]:
    name = f"hashsight-{command.words[0]}"
    yield from _head(name, command.line)
    leaves = command.commands or (command,)
    for number, leaf in enumerate(leaves):
        yield (".br\n" if number else "") + _synopsis(leaf)
    yield ".SH DESCRIPTION\n" + _text(command.line)
    for paragraph in command.more:
        yield ".PP\n" + _text(paragraph)
    for leaf in leaves:
        if command.commands:
            yield f".SH {_escaped(' '.join(leaf.words).upper())}\n" + _text(leaf.line)
            for paragraph in leaf.more:
                yield ".PP\n" + _text(paragraph)
        else:
            yield ".SH OPTIONS\n"
        for parameter in leaf.parameters:
            yield from _option(parameter)
        yield from _help_option()
    examples = [example for leaf in leaves for example in leaf.examples]
    if examples:
        yield ".SH EXAMPLES\n"
        for example in examples:
            yield f".PP\n.nf\n{_escaped(example)}\n.fi\n"
    others = sorted(each.words[0] for each in tree.commands if each.words != command.words)
    yield from _tail(see=("hashsight", *(f"hashsight-{other}" for other in others)))


def _head(name: str, line: str) -> Iterator[str]:
    yield '.\\" Made by `python -m agent.commands.generated --write` from the command tree.\n'
    yield f'.TH {_escaped(name.upper())} {SECTION} "" "hashsight" "hashsight"\n'
    first = line.partition(". ")[0].removesuffix(".")
    yield f".SH NAME\n{_escaped(name)} \\- {_escaped(first[0].lower() + first[1:])}\n"
    yield ".SH SYNOPSIS\n"
    if name == "hashsight":
        yield "\\fBhashsight\\fR "


def _tail(*, see: tuple[str, ...]) -> Iterator[str]:
    for title, entries in (("FILES", FILES), ("ENVIRONMENT", VARIABLES), ("EXIT STATUS", STATUSES)):
        yield f".SH {title}\n"
        for name, words in entries:
            yield f".TP\n\\fB{_escaped(name)}\\fR\n{_text(words)}"
    if see:
        yield ".SH SEE ALSO\n" + ",\n".join(f"\\fB{_escaped(name)}\\fR({SECTION})" for name in see) + "\n"


def _synopsis(command: Command) -> str:
    parts = [f"\\fB{_escaped(' '.join(('hashsight', *command.words)))}\\fR"]
    for parameter in command.parameters:
        shown = _value(parameter)
        if parameter.names:
            shown = f"\\fB{_escaped(parameter.names[0])}\\fR {shown}".strip()
        if parameter.is_repeatable:
            shown = f"{shown} ..."
        parts.append(shown if parameter.is_required else f"[{shown}]")
    return "\n".join(parts) + "\n"


def _option(parameter: Parameter) -> Iterator[str]:
    names = [f"\\fB{_escaped(name)}\\fR" for name in (*parameter.names, *parameter.negative)]
    shown = ", ".join(names)
    value = _value(parameter)
    yield f".TP\n{' '.join(part for part in (shown, value) if part)}\n"
    words = parameter.help
    if parameter.is_repeatable and "may be repeated" not in words.casefold():
        words += " May be repeated."
    if parameter.default and "default" not in words.casefold():
        words += f" Default: {parameter.default}."
    if parameter.is_required and parameter.names:
        words += " Required."
    yield _text(words.strip() or "See the description.")


def _help_option() -> Iterator[str]:
    yield f".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\n{_text(HELP)}"


def _value(parameter: Parameter) -> str:
    return f"\\fI{_escaped(parameter.metavar.removesuffix('...'))}\\fR" if parameter.metavar else ""


def _text(text: str) -> str:
    """Return a paragraph, one source line a sentence."""
    return _escaped(text).replace(". ", ".\n") + "\n"


def _escaped(text: str) -> str:
    """Return a text that means itself in a man page."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("'", "\\(aq")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in text.split("\n"))
