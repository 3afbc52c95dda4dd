"""The lease: who of two agents publishes a site's figures. Pure: times are arguments, on the monotonic clock.

The first agent, the *primary*, never asks: while it runs, the lease is its own. The *standby* publishes only while it
sees no sign of the primary. Signs are answers to its questions (`watch`) and, where both have an MQTT broker, the
figures that the primary publishes there: one path may be cut without a second publisher.

    standing by --- no sign for PATIENCE_RATIO intervals --------------------------> active
    active      --- SIGNS_TO_YIELD signs in a row that the primary has figures ----> standing by

A primary that answers without figures, as in its first round, keeps a standby from taking over, and does not get back
what the standby has taken. If every path is cut while the primary runs, both publish. That is seen by whoever sees
both: Prometheus counts the primary's figures, and an alert names the partition.
"""

PATIENCE_RATIO = 1.5
"""Silence after which the primary is gone, in intervals. Its figures over MQTT are an interval apart; the rest is for
one that comes late. With a look each quarter of an interval, the standby takes over in less than two intervals."""

SIGNS_TO_YIELD = 2

LOOKS_AN_INTERVAL = 4


class Lease:
    """One standby's view of the lease.

    Args:
        interval_s: The poll interval, s.
        clock_s: Now; the primary has this long plus its patience to show itself.

    Attributes:
        interval_s: As given; may be changed.
        is_active: True while this agent publishes.
        heard_s: When the latest sign came, or this agent began to listen.
    """

    def __init__(self, *, interval_s: float, clock_s: float) -> None:
        self.interval_s = interval_s
        self.is_active = False
        self.heard_s = clock_s
        self._looked_s = clock_s
        self._signs = 0

    @property
    def patience_s(self) -> float:
        """Silence after which the primary is gone, s."""
        return PATIENCE_RATIO * self.interval_s

    def hear_answer(self, clock_s: float, *, has_figures: bool) -> None:
        """Note an answer of the primary.

        Args:
            clock_s: Now.
            has_figures: True if it said that its figures may be believed.
        """
        self.heard_s = clock_s
        self._signs = self._signs + 1 if has_figures else 0

    def hear_figures(self, clock_s: float) -> None:
        """Note figures of the primary that arrived over another path."""
        self.hear_answer(clock_s, has_figures=True)

    def look(self, clock_s: float) -> bool:
        """Decide who publishes from now on; returns True if that changed."""
        since_look_s, self._looked_s = clock_s - self._looked_s, clock_s
        if since_look_s > self.patience_s:
            # This agent stood still and heard nothing meanwhile: that is no silence of the primary's.
            self.heard_s = max(self.heard_s, clock_s)
        was_active, silent_s = self.is_active, clock_s - self.heard_s
        if not was_active:
            self.is_active = silent_s >= self.patience_s
        elif self._signs >= SIGNS_TO_YIELD and silent_s < self.patience_s:
            self.is_active = False
        if self.is_active is not was_active:
            self._signs = 0
        return self.is_active is not was_active
