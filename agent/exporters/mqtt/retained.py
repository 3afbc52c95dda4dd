"""The retained topics of one broker: latest payloads, and the topics on which the broker still retains a message.

Only the latest payload of a topic counts, so an older one that was not published yet is replaced. An earlier run may
have left retained messages for units and containers that have gone since; those are deleted.
"""

import asyncio
from collections.abc import Iterable
from itertools import islice


class RetainedTopics:
    """The latest payload by topic, and the topics that are still to be published.

    Args:
        has_work: Set whenever a topic waits to be published.
    """

    def __init__(self, has_work: asyncio.Event) -> None:
        self._has_work = has_work
        self._latest: dict[str, bytes] = {}
        self._unpublished: dict[str, None] = {}
        # Topics on which the broker retains a message, and changes to them that the outbox has not recorded yet.
        self._kept: set[str] = set()
        self._kept_changes: dict[str, bool] = {}
        self._is_earlier_known = self._is_all_offered = False

    def offer(self, topic: str, payload: bytes) -> None:
        """Replace the payload of a topic; an empty one deletes the topic's retained message."""
        self._latest[topic] = payload
        self._unpublished[topic] = None
        self._has_work.set()

    def keep_only_offered(self) -> None:
        """Delete retained messages of an earlier run that this run did not offer; call it once all was offered.

        A unit may leave the ledger while the agent is not running.
        """
        if not self._is_all_offered:
            self._is_all_offered = True
            self._delete_leftovers()

    @property
    def is_earlier_known(self) -> bool:
        """True once `add_earlier` was called."""
        return self._is_earlier_known

    def add_earlier(self, topics: Iterable[str]) -> None:
        """Add the topics on which the broker retains a message of an earlier run."""
        self._is_earlier_known = True
        self._kept.update(topics)
        self._delete_leftovers()

    def _delete_leftovers(self) -> None:
        if not (self._is_earlier_known and self._is_all_offered):
            return
        for topic in sorted(self._kept - self._latest.keys()):
            self.offer(topic, b"")
        # Share the strings of `_latest` instead of keeping equal copies.
        self._kept = {topic for topic in self._latest if topic in self._kept}

    def publish_all_again(self) -> None:
        """Mark every topic as unpublished: after a reconnect the broker may have lost its retained messages."""
        self._unpublished = dict.fromkeys(self._latest)

    def next_topics(self, limit: int) -> list[str]:
        """Return at most `limit` topics that are still to be published."""
        return list(islice(self._unpublished, limit))

    def take(self, topic: str) -> bytes:
        """Return the payload to publish now and mark the topic as published."""
        del self._unpublished[topic]
        return self._latest[topic]

    def acknowledge(self, topic: str, payload: bytes) -> None:
        """Record that the broker acknowledged this payload."""
        is_kept = bool(payload)
        if (topic in self._kept) is not is_kept:
            if is_kept:
                self._kept.add(topic)
            else:
                self._kept.discard(topic)
            self._kept_changes[topic] = is_kept
        if self._latest.get(topic) is payload and not payload:
            del self._latest[topic]

    @property
    def has_kept_changes(self) -> bool:
        """True if the outbox has not recorded every change of the retained topics yet."""
        return bool(self._kept_changes)

    def take_kept_changes(self) -> dict[str, bool]:
        """Return changes for the outbox to record: true for a topic now retained, false for one no longer."""
        changes, self._kept_changes = self._kept_changes, {}
        return changes
