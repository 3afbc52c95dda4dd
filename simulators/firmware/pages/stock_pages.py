"""Web pages of a unit: the output of its CGI scripts, and the effect of those that write.

A page is a tuple of the pieces a script prints; each becomes a chunk. Observed (O66, O67):
s21plus-stock-202503 (pieces, the empty header), s21-stock-aml-202407 (keys and their order). Documented (D17):
the scripts themselves.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from simulators.firmware.antminer import new_api
from simulators.firmware.antminer.pools import configured_pools
from simulators.unit.builds import BUILDS, Build, Line
from simulators.unit.conditions import Change, Verb
from simulators.unit.settings import MAX_TEXT_LENGTH, POOL_SLOTS, PoolSetting, Settings
from simulators.unit.snapshot import OFFLINE, Phase
from simulators.unit.unit import REBOOT_DELAY_S, Unit
from simulators.unit.work_modes import WORK_MODE_HIGH, WORK_MODE_LOW, WORK_MODE_NORMAL, WORK_MODE_SLEEP

# Assumed (A37): the web server answers 20 s before the API, which is up at 45 s.
WEB_BOOT_S: Final = 25.0

# Documented (D57): output of the scripts while nothing listens on 4028; the status is still 200.
SOCKET_FAILED: Final = "Socket connect failed: Connection refused\n"

# Observed (O66): every page begins with two line feeds, an empty header (s21plus-stock-202503).
_NO_HEADER: Final = "\n\n"

# Documented (D43): modes the page of a model offers. Assumed (A28): normal and sleep of others.
_MODES: Final = {
    "T21": (WORK_MODE_NORMAL, WORK_MODE_SLEEP, WORK_MODE_HIGH),
    "S21": (WORK_MODE_NORMAL, WORK_MODE_SLEEP, WORK_MODE_LOW),
}
_COMMON_MODES: Final = (WORK_MODE_NORMAL, WORK_MODE_SLEEP)

# Observed (O68): kernels by build, s21-stock-aml-202407 and s21plus-stock-202503. Documented (D73): that of
# the Xilinx boards.
_KERNELS: Final = {
    "s21-202407": "Linux 4.9.113 #1 SMP PREEMPT Thu Jul 11 17:01:13 CST 2024",
    "s21plus-202503": "Linux 4.9.113 #1 SMP PREEMPT Wed Mar 12 15:03:54 CST 2025",
}
_ZYNQ_KERNEL: Final = "Linux 4.6.0-xilinx-g03c746f7 #2 SMP PREEMPT Mon Sep 21 11:50:03 CST 2020"

# Documented (D76): release builds from about 2024-10 on show a handful of the settings. Observed
# (O70): an earlier one shows the whole file.
_SHORT_CONF_SINCE: Final = datetime(2024, 10, 1)  # noqa: DTZ001  compared with dates that have no zone either


class Visit(NamedTuple):
    """One request for a page.

    Attributes:
        unit: The unit it reached.
        host: The address it was sent to, which is the unit's own.
        body: The posted bytes.
        t: Time of the request, Unix seconds.
        like: The build whose texts a twin shows; None for the unit's own.
    """

    unit: Unit
    host: str
    body: bytes
    t: float
    like: Build | None = None

    @property
    def build(self) -> Build:
        """The build whose texts it shows."""
        return self.like or BUILDS[self.unit.build]


class Page(NamedTuple):
    """A script of the web pages.

    Attributes:
        show: Returns the pieces it prints.
        is_write: It changes the unit.
    """

    show: Callable[[Visit], tuple[str, ...]]
    is_write: bool = False


def is_web_up(unit: Unit, t: float) -> bool:
    """Return True if the unit's web server answers at `t`: before the API at boot, and while the API restarts."""
    unit.advance(t)
    return not unit.is_silent and (unit.phase is not Phase.BOOTING or t - unit.since >= WEB_BOOT_S)


def offered_modes(unit: Unit) -> tuple[int, ...]:
    """Return the work modes that the unit's own page offers."""
    return _MODES.get(unit.identity.model.name, _COMMON_MODES)


def _api_page(command: str) -> Callable[[Visit], tuple[str, ...]]:
    """Return a page that asks the API on 4028 and prints the answer."""

    def show(visit: Visit) -> tuple[str, ...]:
        unit, t = visit.unit, visit.t
        if unit.phase in OFFLINE:
            return _NO_HEADER, SOCKET_FAILED
        return _NO_HEADER, new_api.REPLIES[command](unit, visit.build, t) + "\n"

    return show


def _system_info(visit: Visit) -> tuple[str, ...]:
    identity, build = visit.unit.identity, visit.build
    # Observed (O67): grouped so in s21plus-stock-202503, http-get_system_info.
    return (
        _NO_HEADER,
        "{\n" + _lines(minertype=identity.model.api_type),
        _lines(
            nettype="DHCP",
            netdevice="eth0",
            macaddr=identity.mac,
            hostname="Antminer",
            ipaddress=visit.host,
            netmask="255.255.255.0",
        ),
        _lines(gateway="", dnsservers=""),
        _lines(system_mode="GNU/Linux"),
        _lines(system_kernel_version=_kernel(build)),
        _lines(system_filesystem_version=build.filesystem_version),
        _lines(firmware_type="Release"),
        f'"serinum":"{identity.serial}"\n',
        "}\n",
    )


def _miner_type(visit: Visit) -> tuple[str, ...]:
    build = visit.build
    model, compile_time = visit.unit.identity.model, " ".join(build.compile_time.split())
    text = f'{{"miner_type": "{model.api_type}", "subtype": "{build.subtype}", "fw_version": "{compile_time}"}}\n'
    return _NO_HEADER, text


def _network_info(visit: Visit) -> tuple[str, ...]:
    # Assumed (A54): printed like get_system_info; the capture keeps keys and order only.
    return (
        _NO_HEADER,
        "{\n" + _lines(nettype="DHCP", netdevice="eth0", macaddr=visit.unit.identity.mac),
        _lines(ipaddress=visit.host, netmask="255.255.255.0"),
        _lines(conf_nettype="DHCP", conf_hostname="Antminer"),
        _lines(conf_ipaddress="", conf_netmask="", conf_gateway="") + '"conf_dnsservers":""\n',
        "}\n",
    )


def _blink_status(visit: Visit) -> tuple[str, ...]:
    return _NO_HEADER, f'{{"blink":{"true" if visit.unit.settings.is_blinking else "false"}}}\n'


def _miner_conf(visit: Visit) -> tuple[str, ...]:
    unit, settings = visit.unit, visit.unit.settings
    build = visit.build
    # Observed (O71): a string on line A, s21-stock-aml-202407. Documented (D75): an integer on C.
    mode = str(unit.work_mode) if build.line is Line.C else f'"{unit.work_mode}"'
    pools = ",\n".join(
        f'{{\n"url":"{pool.url}",\n"user":"{pool.user}",\n"pass":"{pool.password}"\n}}'
        for pool in configured_pools(unit)
    )
    fans = f'"bitmain-fan-ctrl":{"true" if settings.is_fan_fixed else "false"},\n"bitmain-fan-pwm":"{settings.fan_pwm}"'
    work = f'"bitmain-work-mode":{mode},\n"bitmain-hashrate-percent":"{settings.hashrate_percent}"'
    if _built_at(build) >= _SHORT_CONF_SINCE:
        rest = f"{fans},\n{work}\n}}\n"
    else:
        # Observed (O72): freq and voltage are not what the unit runs at.
        rest = (
            '"api-listen":true,\n"api-network":true,\n"api-groups":"A:stats:pools:devs:summary:version",\n'
            f'"api-allow":"A:0/0,W:*",\n{fans},\n"bitmain-use-vil":true,\n"bitmain-freq":"200",\n'
            f'"bitmain-voltage":"1320",\n"bitmain-ccdelay":"0",\n"bitmain-pwth":"3",\n{work},\n'
            f'"bitmain-freq-level":"{settings.freq_level}"\n}}\n'
        )
    return _NO_HEADER, f'{{\n"pools":[\n{pools}\n],\n', rest


def _log(visit: Visit) -> tuple[str, ...]:
    """Return the log. Assumed (A42): its wording, except for the line on chips."""
    unit, t = visit.unit, visit.t
    build = visit.build
    lines = [f"{unit.identity.model.api_type} {build.compile_time} {build.subtype}"]
    if unit.phase not in OFFLINE:
        snapshot = unit.snapshot(t)
        # Documented (D54): "find 82 asic" of 108 when chips are missing.
        lines += [f"Chain[{board.board}]: find {board.chips} asic" for board in snapshot.boards]
        lines.append(f"work mode {unit.work_mode}, elapsed {snapshot.elapsed_s}, rate {snapshot.ghs_5s:.2f} GH/s")
    return _NO_HEADER, "\n".join((*lines, ""))


def _blink(visit: Visit) -> tuple[str, ...]:
    # Documented (D77): the word in quotes works too.
    asked = _read_object(visit.body).get("blink")
    wanted = asked is True or asked == "true"
    if not (wanted or asked is False or asked == "false"):
        return _NO_HEADER, '{"code":"B001"}\n'
    visit.unit.settings = replace(visit.unit.settings, is_blinking=wanted)
    return _NO_HEADER, f'{{"code":"{"B000" if wanted else "B100"}"}}\n'


def _set_miner_conf(visit: Visit) -> tuple[str, ...]:
    """Apply the settings in the body; "M000" means they were accepted, after which the miner process restarts."""
    unit, t = visit.unit, visit.t
    wanted = _read_object(visit.body)
    try:
        settings = _changed(unit.settings, wanted)
    except ValueError:
        settings = None
    if not wanted or settings is None:
        return _NO_HEADER, '{"stats":"error","code":"M001","msg":"Illegal request!"}\n'
    unit.settings = settings
    # Documented (D80): C takes the key it reports, A and B another one; an unknown mode is ignored, a mode that is
    # on already leaves the process alone.
    mode = _number(wanted.get("bitmain-work-mode" if visit.build.line is Line.C else "miner-mode"))
    if mode in offered_modes(unit) and mode != unit.work_mode:
        unit.schedule(Change(t, 0, Verb.MODE, mode))
        unit.advance(t)
    return _NO_HEADER, '{"stats":"success","code":"M000","msg":"OK!"}\n'


def _reboot(visit: Visit) -> tuple[str, ...]:
    unit, t = visit.unit, visit.t
    if unit.settings.reboots_at <= t:
        reboots_at = t + REBOOT_DELAY_S
        unit.settings = replace(unit.settings, reboots_at=reboots_at)
        unit.schedule(Change(reboots_at, 0, Verb.REBOOT))
    return _NO_HEADER, "Status 200\n"


PAGES: Final = {
    f"/cgi-bin/{name}.cgi": page
    for name, page in {
        "get_system_info": Page(_system_info),
        "miner_type": Page(_miner_type),
        "summary": Page(_api_page("summary")),
        "stats": Page(_api_page("stats")),
        "pools": Page(_api_page("pools")),
        "warning": Page(_api_page("warning")),
        "chart": Page(_api_page("rate")),
        "get_miner_conf": Page(_miner_conf),
        "get_network_info": Page(_network_info),
        "get_blink_status": Page(_blink_status),
        "log": Page(_log),
        "blink": Page(_blink, is_write=True),
        "set_miner_conf": Page(_set_miner_conf, is_write=True),
        "reboot": Page(_reboot, is_write=True),
    }.items()
}


def _changed(settings: Settings, wanted: dict[str, Any]) -> Settings:
    """Return `settings` with the values of the page's form.

    Raises:
        ValueError: A value that the form cannot send. Assumed (A55): the script refuses those.
    """
    if "pools" in wanted:
        settings = replace(settings, pools=_read_pools(wanted["pools"]))
    if isinstance(is_fixed := wanted.get("bitmain-fan-ctrl"), bool):
        settings = replace(settings, is_fan_fixed=is_fixed)
    return replace(
        settings,
        fan_pwm=_percent(wanted.get("bitmain-fan-pwm", settings.fan_pwm)),
        hashrate_percent=_percent(wanted.get("bitmain-hashrate-percent", settings.hashrate_percent)),
        freq_level=_percent(wanted.get("freq-level", settings.freq_level)),
    )


def _percent(value: object) -> str:
    percent = _number(value)
    if percent is None or percent > 100:
        raise ValueError(value)
    return str(percent)


def _read_pools(pools: object) -> tuple[PoolSetting, ...]:
    if not isinstance(pools, list) or len(pools) > POOL_SLOTS or not all(isinstance(pool, dict) for pool in pools):
        raise ValueError("pools")
    settings = [PoolSetting(*(_plain(pool.get(key, "")) for key in ("url", "user", "pass"))) for pool in pools]
    if not settings or not settings[0].url:
        raise ValueError("pools")
    return (*settings, *[PoolSetting()] * (POOL_SLOTS - len(settings)))


def _plain(text: object) -> str:
    """Return a text that needs no escaping in a reply, since the firmware escapes nothing."""
    if not isinstance(text, str) or len(text) > MAX_TEXT_LENGTH or not (text.isascii() and text.isprintable()):
        raise ValueError(text)
    if '"' in text or "\\" in text:
        raise ValueError(text)
    return text


def _number(value: object) -> int | None:
    """Return a small number sent as a number or as text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 999 else None


def _read_object(body: bytes) -> dict[str, Any]:
    """Return the posted JSON object; an empty one for anything else."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return {}


def _lines(**values: str) -> str:
    """Return JSON members as the scripts echo them: one a line, without blanks."""
    return "".join(f'"{key}":"{value}",\n' for key, value in values.items())


@cache
def _built_at(build: Build) -> datetime:
    """Return the compile time without its time zone."""
    return datetime.strptime(" ".join(build.compile_time.replace("CST", "").split()), "%a %b %d %H:%M:%S %Y")  # noqa: DTZ007  see _SHORT_CONF_SINCE


@cache
def _kernel(build: Build) -> str:
    if build.key in _KERNELS:
        return _KERNELS[build.key]
    if build.subtype.startswith("zynq"):
        return _ZYNQ_KERNEL
    # Assumed (A52): built 26 minutes after the rest, between the two recorded ones; CVCtrl boards likewise.
    built = _built_at(build) + timedelta(minutes=26)
    return f"Linux 4.9.113 #1 SMP PREEMPT {built:%a %b} {built.day} {built:%H:%M:%S} CST {built.year}"
