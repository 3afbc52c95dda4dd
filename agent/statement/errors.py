"""The error of this room."""

from agent.errors import AgentError


class StatementError(AgentError):
    """A statement cannot be computed, combined or accepted."""
