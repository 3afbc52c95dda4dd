"""A program for `test_mqtt_chaos`: the agent's MQTT side, which is given numbered events until it is killed.

    python mqtt_writer.py FOLDER PORT RUN PER_BATCH

It prints how many events of this run are on the disk, whenever that changed, and ends with the end of its input.
"""

import asyncio
import random
import sys
import threading
from pathlib import Path

from mqtt_agent import exporter, section

from agent import logs
from agent.exporters.mqtt.messages import AgentHealth
from agent.exporters.mqtt.outbox_file import Kind, Message
from agent.exporters.mqtt.rhythm import Rhythm

EVERY_S = 0.02


async def write(folder: Path, port: int, run: str, per_batch: int) -> None:
    """Put events in until the input ends, then wait until all are delivered."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    waiting = lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set))  # noqa: E731  the body of a thread
    threading.Thread(target=waiting, daemon=True).start()
    side = exporter(folder, section(port, keepalive_s=2))
    broker = side.outlets[0].broker
    broker._rhythm = Rhythm(random=random.random, first_s=0.1, longest_s=0.4)
    number = 0
    async with side.running():
        while not ended.is_set():
            batch = []
            for _ in range(per_batch):
                number += 1
                event = AgentHealth(subject="meter", is_well=True, detail=f"{run}:{number}")
                payload = side._composer.event(event, at=0.0)
                batch.append(Message(Kind.EVENT, side._composer.topics.events, payload))
            # As the broker's own writing does, and known to be done.
            await broker._worker.call(broker.outbox.put, batch)
            assert broker.outbox.health.in_memory == 0, broker.outbox.health
            broker._has_work.set()
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            await asyncio.sleep(EVERY_S)
        while broker.waiting:  # noqa: ASYNC110  the disk sets no event
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    logs.set_up("error", "json")
    asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
