"""A bad link: packets between the devices ``span0`` of two network namespaces, late, lost, or not passed at all.

    python tests/abuse/relay.py NAMESPACE NAMESPACE

Kernels of small gateways and containers often lack tc's netem; this needs a TUN device only, and its losses repeat with
the seed. Each line on standard input is JSON with ``delay_s``, of each direction, and ``loss_ratio``; 1 is a black
hole. At the end of its input it prints how many packets it passed and dropped.
"""

import contextlib
import ctypes
import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import sys
import time
from pathlib import Path

DEVICE = "span0"
LONGEST_QUEUE = 20_000
LONGEST_PACKET = 65_536
# From linux/if_tun.h and linux/sched.h.
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000


def device_in(namespace: str) -> int:
    """Return a descriptor of the device in a namespace; this process stays there."""
    with Path("/run/netns", namespace).open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter network namespace {namespace}")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH14x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    return device


class Relay:
    """Passes packets between two devices.

    Args:
        devices: Their descriptors.
    """

    def __init__(self, devices: tuple[int, int]) -> None:
        self._other = dict(zip(devices, reversed(devices), strict=True))
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._chance = random.Random(94)
        self._delay_s = self._loss_ratio = 0.0
        self.passed = self.dropped = 0

    def shape(self, *, delay_s: float, loss_ratio: float) -> None:
        """Treat packets from now on so; those under way stay."""
        self._delay_s, self._loss_ratio = delay_s, loss_ratio

    def read(self, device: int) -> None:
        """Take in what a device has."""
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = os.read(device, LONGEST_PACKET)
                if self._chance.random() < self._loss_ratio or len(self._under_way) >= LONGEST_QUEUE:
                    self.dropped += 1
                    continue
                self.passed += 1
                due_s = time.monotonic() + self._delay_s
                heapq.heappush(self._under_way, (due_s, self.passed, self._other[device], packet))

    def send_due(self) -> float | None:
        """Send what is due; return the time until the next is, s, or None if there is none."""
        while self._under_way:
            wait_s = self._under_way[0][0] - time.monotonic()
            if wait_s > 0:
                return wait_s
            *_, device, packet = heapq.heappop(self._under_way)
            with contextlib.suppress(BlockingIOError):
                os.write(device, packet)
        return None


def main() -> None:
    """Relay until the end of standard input."""
    first, second = sys.argv[1:]
    devices = (device_in(first), device_in(second))
    relay = Relay(devices)
    with selectors.DefaultSelector() as selector:
        for descriptor in (*devices, sys.stdin.fileno()):
            selector.register(descriptor, selectors.EVENT_READ)
        print("ready", flush=True)
        rest = b""
        while True:
            for key, _ in selector.select(relay.send_due()):
                if key.fd in devices:
                    relay.read(key.fd)
                    continue
                data = os.read(key.fd, 4096)
                if not data:
                    print(json.dumps({"passed": relay.passed, "dropped": relay.dropped}), flush=True)
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    relay.shape(**json.loads(line))


if __name__ == "__main__":
    main()
