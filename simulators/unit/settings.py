"""Settings an operator made through a unit's web pages, except the work mode, which the unit keeps itself."""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

POOL_SLOTS: Final = 3
MAX_TEXT_LENGTH: Final = 256


class PoolSetting(NamedTuple):
    """One configured pool; all fields are empty in an unused slot."""

    url: str = ""
    user: str = ""
    password: str = ""


class Hijack(NamedTuple):
    """Another one's pool in the first slot, in place of the owner's.

    Attributes:
        url: Its URL.
        user: The account that the work is for.
        restarts: The miner process restarts with it; None for what the unit's firmware does.
    """

    url: str
    user: str
    restarts: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one unit.

    Attributes:
        pools: Three slots; None until an operator changes the pools the farm was built with.
        is_fan_fixed: The fans run at `fan_pwm` instead of as fast as needed. Shown, without effect on the simulation.
        fan_pwm: Percent, as text. Shown, without effect.
        hashrate_percent: Percent, as text. Shown, without effect.
        freq_level: Percent, as text. Shown, without effect.
        is_blinking: The locator lamp is on.
        reboots_at: When a requested reboot happens, Unix seconds; 0 for never.
    """

    pools: tuple[PoolSetting, ...] | None = None
    is_fan_fixed: bool = False
    fan_pwm: str = "100"
    hashrate_percent: str = "100"
    freq_level: str = "100"
    is_blinking: bool = False
    reboots_at: float = 0.0

    def after_boot(self) -> Self:
        """Return the settings that survive a boot: those kept only in memory are reset."""
        # Documented (D78): blink and reboot share a state file in memory.
        return replace(self, is_blinking=False, reboots_at=0.0) if self.is_blinking or self.reboots_at else self


FACTORY: Final = Settings()
