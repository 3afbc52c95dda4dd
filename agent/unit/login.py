"""User name and password for a unit's web pages."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """User name and password for a unit's web pages.

    Attributes:
        user: User name.
        password: Left out of the `repr`.
    """

    user: str
    password: str = field(repr=False)
