"""Reasons for which the web server turns a client away, for the agent's own metrics."""

from collections import Counter
from enum import StrEnum


class HttpRefusal(StrEnum):
    """Why a request was refused, or a connection closed.

    Attributes:
        NO_PLACE: All connections are taken and none can give way.
        DISPLACED: The connection gave way to a new one.
        SLOW: Its client was too slow to send the head of a request, or to read the answer.
        BUSY: Too many large answers were being made or sent.
        HOST: It was for a name under which the server does not answer.
        COMPRESSED: Its body was compressed.
        TOKEN: It had no token, or a wrong one.
        LOGIN: It had no password where one is needed, or a wrong one.
        ORIGIN: It would have changed something, and a page of another site may have sent it.
        RATE: It exceeded the limit for all requests in the web configuration file.
        HANDSHAKE: TLS could not be agreed on, or the client's certificate was refused.
    """

    NO_PLACE = "no_place"
    DISPLACED = "displaced"
    SLOW = "slow"
    BUSY = "busy"
    HOST = "host"
    COMPRESSED = "compressed"
    TOKEN = "token"  # noqa: S105 - a reason, not a token.
    LOGIN = "login"
    ORIGIN = "origin"
    RATE = "rate"
    HANDSHAKE = "handshake"


def new_counts() -> Counter[str]:
    """Return a count of zero for each reason."""
    return Counter(dict.fromkeys(HttpRefusal, 0))
