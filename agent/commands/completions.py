"""Completion scripts of the command tree for bash, zsh and fish, which ask no running program. Pure."""

from collections.abc import Iterator

from agent.commands.command_tree import HELP, Command, Parameter

MADE = "# Made by `python -m agent.commands.generated --write` from the command tree.\n"
_HELP = Parameter(names=("-h", "--help"), help=HELP)
_BASH_START = """\
_hashsight() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path= each
    COMPREPLY=()
    for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$path $each" in
"""
_BASH_END = """\
    esac
    [ -z "$words" ] || COMPREPLY=($(compgen -W "$words" -- "$word"))
    [ ${#COMPREPLY[@]} -gt 0 ] || [[ $word == -* ]] || [ -z "$has_files" ] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -o filenames -F _hashsight hashsight
"""


def completions(tree: Command) -> dict[str, str]:
    """Return each shell's script by file name."""
    return {
        "hashsight.bash": "".join(_bash(tree)),
        "_hashsight": "".join(_zsh(tree)),
        "hashsight.fish": "".join(_fish(tree)),
    }


def _nodes(command: Command) -> Iterator[Command]:
    yield command
    for each in command.commands:
        yield from _nodes(each)


def _options(command: Command) -> list[Parameter]:
    return [*(each for each in command.parameters if each.names), _HELP]


def _typed(parameter: Parameter) -> tuple[str, ...]:
    return (*parameter.names, *parameter.negative)


def _takes_files(command: Command) -> bool:
    return any(not each.names and each.is_path for each in command.parameters)


def _bash(tree: Command) -> Iterator[str]:
    yield MADE + _BASH_START
    known = [f'" {" ".join(each.words)}"' for each in _nodes(tree) if each.words]
    yield f'            {" | ".join(known)}) path="$path $each" ;;\n'
    yield "        esac\n    done\n"
    yield '    case "$path $before" in\n'
    for command in _nodes(tree):
        path = "".join(f" {word}" for word in command.words)
        for option in _options(command):
            if option.metavar:
                names = " | ".join(f'"{path} {name}"' for name in option.names)
                yield f"        {names})\n"
                if option.choices:
                    yield f'            COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$word"))\n'
                elif option.is_path:
                    yield '            COMPREPLY=($(compgen -f -- "$word"))\n'
                yield "            return ;;\n"
    yield "    esac\n    local words= has_files=\n"
    yield '    case "$path" in\n'
    for command in _nodes(tree):
        path = "".join(f" {word}" for word in command.words)
        options = [name for option in _options(command) for name in _typed(option)]
        children = [each.words[-1] for each in command.commands]
        yield f'        "{path}")\n'
        yield f'            [[ $word == -* ]] && words="{" ".join(options)}"'
        yield f' || words="{" ".join(children)}"\n'
        if _takes_files(command):
            yield "            has_files=1\n"
        yield "            ;;\n"
    yield _BASH_END


def _zsh(tree: Command) -> Iterator[str]:
    yield "#compdef hashsight\n" + MADE
    for command in _nodes(tree):
        name = "_".join(("_hashsight", *command.words)).replace("-", "_")
        yield f"\n{name}() {{\n"
        specs = [spec for option in _options(command) for spec in _zsh_option(option)]
        if command.commands:
            yield "    local -a commands\n    local context state state_descr line\n    typeset -A opt_args\n"
            yield "    commands=(\n"
            for each in command.commands:
                yield f"        '{_zsh_quoted(each.words[-1] + ':' + each.line.replace(':', chr(92) + ':'))}'\n"
            yield "    )\n"
            specs += ["'1:command:->command'", "'*::argument:->argument'"]
        else:
            specs += [_zsh_argument(each) for each in command.parameters if not each.names]
        listed = " \\\n        ".join(specs)
        yield (
            f"    _arguments -C \\\n        {listed}\n"
            if command.commands
            else f"    _arguments \\\n        {listed}\n"
        )
        if command.commands:
            yield "    case $state in\n        command) _describe command commands ;;\n        argument)\n"
            yield "            case $line[1] in\n"
            for each in command.commands:
                function = "_".join(("_hashsight", *each.words)).replace("-", "_")
                yield f"                {each.words[-1]}) {function} ;;\n"
            yield "            esac ;;\n    esac\n"
        yield "}\n"
    yield '\n_hashsight "$@"\n'


def _zsh_option(option: Parameter) -> Iterator[str]:
    words = _zsh_quoted(option.help.replace("[", "\\[").replace("]", "\\]").replace(":", "\\:"))
    for name in _typed(option):
        value = ""
        if option.metavar:
            action = "_files" if option.is_path else f"({' '.join(option.choices)})" if option.choices else ""
            value = f":{_zsh_quoted(option.metavar.replace(':', ''))}:{action}"
        star = "*" if option.is_repeatable else ""
        yield f"'{star}{name}[{words}]{value}'"


def _zsh_argument(argument: Parameter) -> str:
    place = "*" if argument.is_repeatable else ""
    optional = "" if argument.is_required or argument.is_repeatable else ":"
    words = _zsh_quoted(argument.metavar.replace(":", "").replace("[", "").replace("]", ""))
    return f"'{place}:{optional}{words}:{'_files' if argument.is_path else ''}'"


def _zsh_quoted(text: str) -> str:
    return text.replace("'", "'\\''")


def _fish(tree: Command) -> Iterator[str]:
    yield MADE
    yield "complete -c hashsight -f\n"
    for command in _nodes(tree):
        condition = _fish_condition(command)
        for each in command.commands:
            yield f"complete -c hashsight -n '{condition}' -a {each.words[-1]} -d {_fish_quoted(each.line)}\n"
        if _takes_files(command):
            yield f"complete -c hashsight -n '{condition}' -F\n"
        for option in _options(command):
            yield from _fish_option(option, condition)


def _fish_condition(command: Command) -> str:
    seen = [f"__fish_seen_subcommand_from {word}" for word in command.words]
    children = " ".join(each.words[-1] for each in command.commands)
    if children:
        seen.append(f"not __fish_seen_subcommand_from {children}")
    return "; and ".join(seen)


def _fish_option(option: Parameter, condition: str) -> Iterator[str]:
    for names in (option.names, option.negative):
        if names:
            shown = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in names)
            value = ""
            if option.metavar:
                choices = f" -a {_fish_quoted(' '.join(option.choices))}" if option.choices else ""
                value = f" -r -F{choices}" if option.is_path else f" -x{choices}"
            yield f"complete -c hashsight -n '{condition}' {shown}{value} -d {_fish_quoted(option.help)}\n"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
