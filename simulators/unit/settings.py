"""What an operator has set on a unit through its web pages, apart from the work mode, which the unit keeps itself."""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

POOL_SLOTS: Final = 3
MAX_TEXT_LENGTH: Final = 256


class PoolSetting(NamedTuple):
    """One pool as configured; all empty in an unused slot."""

    url: str = ""
    user: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one unit.

    Attributes:
        pools: Three slots; None while nobody has changed those the farm was built with.
        is_fan_fixed: The fans run at `fan_pwm` instead of as fast as needed. Shown, without effect on the simulation.
        fan_pwm: Percent, as text. Likewise.
        hashrate_percent: Percent, as text. Likewise.
        freq_level: Percent, as text. Likewise.
        is_blinking: The lamp that helps to find the unit is on.
        reboots_at: When a reboot that was asked for happens, Unix seconds; 0 for never.
    """

    pools: tuple[PoolSetting, ...] | None = None
    is_fan_fixed: bool = False
    fan_pwm: str = "100"
    hashrate_percent: str = "100"
    freq_level: str = "100"
    is_blinking: bool = False
    reboots_at: float = 0.0

    def after_boot(self) -> Self:
        """Give what is left of them when the unit starts: what was only in memory is gone."""
        # Documented (D78): blink and reboot share a state file in memory.
        return replace(self, is_blinking=False, reboots_at=0.0) if self.is_blinking or self.reboots_at else self


FACTORY: Final = Settings()
