"""Checked access to the keys of a web configuration file; every mistake names its key."""

from collections.abc import Iterable

from agent.config.mistakes import MASK, Mistakes, is_secret, near_match
from agent.exporters.web.door.yaml_text import Plain

_FLAGS = {
    **dict.fromkeys(("y", "yes", "on", "true"), True),
    **dict.fromkeys(("n", "no", "off", "false"), False),
}


class Fields:
    """One section of the file.

    Args:
        content: What stands there; a section without content is empty.
        path: Its key; empty for the whole file.
        known: The keys that it may have; None allows every key.
        mistakes: Takes the mistakes.
    """

    def __init__(self, content: Plain, path: str, known: Iterable[str] | None, mistakes: Mistakes) -> None:
        self._path = path
        self._mistakes = mistakes
        self._refused: set[str] = set()
        self._content: dict[str, Plain] = {}
        if isinstance(content, dict):
            self._content = content
        elif content is not None:
            mistakes.add(path or "file", "", "keys with values are expected")
        listed = list(self._content if known is None else known)
        for key in self._content:
            if key not in listed:
                advice = near_match(key, listed) or f"; known are {', '.join(listed)}"
                self.refuse(key, "", f"unknown key{advice}")

    def __contains__(self, key: str) -> bool:
        return self._content.get(key) is not None

    def names(self) -> Iterable[str]:
        """Return the keys that are given."""
        return tuple(self._content)

    def refuse(self, key: str, value: str, reason: str) -> None:
        """Add a mistake at a key, the first one only; a secret value is masked."""
        if key in self._refused:
            return
        self._refused.add(key)
        shown = MASK if value and is_secret(key) else value
        self._mistakes.add(f"{self._path}.{key}".strip("."), shown, reason)

    def section(self, key: str, known: Iterable[str] | None) -> "Fields":
        """Return a section of this one."""
        return Fields(self._content.get(key), f"{self._path}.{key}".strip("."), known, self._mistakes)

    def text(self, key: str) -> str:
        """Return a text; empty if it is not given."""
        value = self._content.get(key)
        if value is None or isinstance(value, str):
            return value or ""
        self.refuse(key, "", "a text is expected")
        return ""

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Return a list of texts; None if it is not given."""
        value = self._content.get(key)
        if value is None:
            return None
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(str(item) for item in value)
        self.refuse(key, "", "a list of texts is expected")
        return None

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.text(key)
        if not value:
            return default
        flag = _FLAGS.get(value.lower())
        if flag is None:
            self.refuse(key, value, "true or false is expected")
            return default
        return flag
