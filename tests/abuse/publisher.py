"""A publisher in a process of its own, so that its payloads are nobody else's memory or time.

    python tests/abuse/publisher.py PORT readings PER_S SECONDS    meter readings of 10 meters with QoS 0
    python tests/abuse/publisher.py PORT payload TOPIC BYTES BYTE   one long payload of one byte (decimal) with QoS 1

It prints how many messages it sent. The value of a reading is its number.
"""

import json
import sys
import time
from datetime import UTC, datetime

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

ROOT = "hashsight/v1/alpha"
BATCH_S = 0.01
METERS = 10


def main() -> None:
    """Publish."""
    port, what, *rest = sys.argv[1:]
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", int(port))
    client.loop_start()
    if what == "readings":
        print(readings(client, float(rest[0]), float(rest[1])))
    else:
        topic, length, byte = rest
        client.publish(topic, bytes([int(byte)]) * int(length), qos=1).wait_for_publish(120)
        print(1)
    client.disconnect()
    client.loop_stop()


def readings(client: paho.Client, per_s: float, seconds: float) -> int:
    """Publish readings at a rate for a time; return how many."""
    began_s = time.monotonic()
    sent = 0
    while (passed_s := time.monotonic() - began_s) < seconds:
        for _ in range(int(passed_s * per_s) - sent):
            body = json.dumps({"watts": sent, "time": datetime.now(UTC).isoformat()})
            client.publish(f"{ROOT}/meter/container/C{1 + sent % METERS}", body, qos=0)
            sent += 1
        time.sleep(BATCH_S)
    # A round trip: the broker has them all.
    client.publish(f"{ROOT}/elsewhere", b"", qos=1).wait_for_publish(60)
    return sent


if __name__ == "__main__":
    main()
