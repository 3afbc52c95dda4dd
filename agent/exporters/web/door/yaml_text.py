"""YAML as texts: mappings, lists and scalars without types, so that each key decides what its value means.

The toolkit's own reader takes ``123`` for a text where a text is expected. A typed reader would make a number of it.
"""

from typing import TypeAlias

import yaml

Plain: TypeAlias = "str | list[Plain] | dict[str, Plain] | None"

MAX_DEPTH = 8
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class YamlError(ValueError):
    """The text is not YAML of this form; the message says where and why."""


def read_yaml(text: str) -> Plain:
    """Return a document's content; None for an empty one.

    Raises:
        YamlError: It is not YAML, has a key twice, or is nested deeper than `MAX_DEPTH`.
    """
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f" at line {mark.line + 1}, column {mark.column + 1}"
        raise YamlError(f"not YAML{where}: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise YamlError(f"not YAML: {str(error).splitlines()[0] if str(error) else 'nested too deeply'}") from error
    return None if root is None else _plain(root, 0)


def _plain(node: yaml.Node, depth: int) -> Plain:
    if depth > MAX_DEPTH:
        raise YamlError(f"line {node.start_mark.line + 1}: nested too deeply")
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Plain] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError(f"line {key.start_mark.line + 1}: a key is expected to be a text")
            if key.value in found:
                raise YamlError(f"line {key.start_mark.line + 1}: {key.value[:80]!r} is given twice")
            found[key.value] = _plain(value, depth + 1)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, depth + 1) for item in node.value]
    if node.style is None and node.value in _NULLS:
        return None
    text: str = node.value
    return text
