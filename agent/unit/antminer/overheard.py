"""Requests and replies of a part of a conversation, kept to be looked at for fields that no reader uses."""

from collections.abc import Generator, Iterable
from typing import TypeAlias, TypeVar

from agent.errors import PollError
from agent.unit.antminer.unread_fields import report_of, unread_fields
from agent.unit.unread import Unread

T = TypeVar("T")

Heard: TypeAlias = list[tuple[bytes, bytes]]
"""Requests and their replies as received."""


def overheard(talk: Generator[bytes, bytes, T], heard: Heard) -> Generator[bytes, bytes, T]:
    """Hold part of a conversation unchanged, and add each request that was answered, and its reply, to `heard`."""
    try:
        request = next(talk)
        while True:
            try:
                data = yield request
            except PollError as error:
                request = talk.throw(error)
            else:
                heard.append((request, data))
                request = talk.send(data)
    except StopIteration as over:
        result: T = over.value
        return result


def new_fields(heard: Iterable[tuple[bytes, bytes]]) -> Unread:
    """Return the fields of these replies that no reader uses; of two replies to one request the first counts."""
    first: dict[bytes, bytes] = {}
    for request, data in heard:
        first.setdefault(request, data)
    return unread_fields((report_of(request), data) for request, data in first.items())
