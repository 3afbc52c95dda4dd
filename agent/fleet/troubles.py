"""Why a site has no answer that counts: a closed list, each with its words."""

from enum import StrEnum

from agent.errors import AgentError


class Trouble(StrEnum):
    """Why an agent's answer does not count.

    Attributes:
        UNREACHABLE: No connection, or one that broke.
        CERTIFICATE: Its certificate is not trusted, not of this time, or for another name.
        SLOW: No whole answer before the deadline.
        TOO_LARGE: An answer longer than any site's.
        CREDENTIALS: It wants a login, or refuses the one it got (401, 403).
        REDIRECT: It sends elsewhere; that is not followed.
        STATUS: Another HTTP status than 200.
        WEB_PAGE: A page for people answers, such as a login or a captive portal.
        NONSENSE: The answer is not that of an agent, or does not add up.
        VERSION: Fields that the totals need are missing: an agent of another version.
        OTHER_SITE: An agent of another site answers.
        REPEATED: The same answer as before, as from a cache.
    """

    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    SLOW = "slow"
    TOO_LARGE = "too_large"
    CREDENTIALS = "credentials"
    REDIRECT = "redirect"
    STATUS = "status"
    WEB_PAGE = "web_page"
    NONSENSE = "nonsense"
    VERSION = "version"
    OTHER_SITE = "other_site"
    REPEATED = "repeated"


WORDS = {
    Trouble.UNREACHABLE: "unreachable",
    Trouble.CERTIFICATE: "certificate not trusted",
    Trouble.SLOW: "too slow",
    Trouble.TOO_LARGE: "answer too large",
    Trouble.CREDENTIALS: "login refused",
    Trouble.REDIRECT: "redirected",
    Trouble.STATUS: "failing",
    Trouble.WEB_PAGE: "not an agent",
    Trouble.NONSENSE: "not understood",
    Trouble.VERSION: "other version",
    Trouble.OTHER_SITE: "another site answers",
    Trouble.REPEATED: "repeats itself",
}
"""One clear word or two for each, as pages, tables and the log show it."""

MAX_DETAIL_CHARS = 200


class SiteError(AgentError):
    """An agent gave no answer that counts.

    Args:
        trouble: Why.
        detail: What exactly, for people; clipped and printable.

    Attributes:
        trouble, detail: The same.
    """

    def __init__(self, trouble: Trouble, detail: str) -> None:
        self.trouble = trouble
        self.detail = printable(detail)
        super().__init__(f"{WORDS[trouble]}: {self.detail}")


def printable(text: str, size: int = MAX_DETAIL_CHARS) -> str:
    """Return a text from outside on one printable line of at most `size` characters."""
    line = " ".join(text[: 4 * size].split())[:size]
    return line if line.isprintable() else ascii(line)[1:-1][:size]
