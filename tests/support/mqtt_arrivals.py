"""Messages of an agent as a consumer got them, checked: none is missing, published twice, or out of order."""

from brokers import ROOT, payloads

TOPICS = ("figures", "events", "units")
Number = tuple[str, int]


def arrived_in(messages: list[tuple[str, bytes, bool]]) -> tuple[set[Number], list[str]]:
    """Return the numbers of all messages, and every mistake: one missing, published twice, or out of order."""
    numbers: set[Number] = set()
    wrong = []
    for name in TOPICS:
        before: dict[str, int | None] = {}
        states: dict[tuple[str, str], str] = {}
        for body in payloads(messages, f"{ROOT}/{name}"):
            boot_id, seq, event = body["boot_id"], body["seq"], body.get("event", {})
            numbers.add((boot_id, seq))
            # Each has the number of the one before it on its topic: none is missing, none overtook another.
            if body["previous_seq"] != before.get(boot_id):
                wrong.append(f"{name} {boot_id} {seq}: not after {before.get(boot_id)}, but {body['previous_seq']}")
            before[boot_id] = seq
            # A unit leaves the state that it entered last, so no change was published twice under two numbers.
            if event.get("kind") == "unit_changed":
                key = (boot_id, event["unit_id"])
                if event["before"] != states.get(key, event["before"]):
                    wrong.append(f"{name} {boot_id} {seq}: {event['unit_id']} was {states[key]}")
                states[key] = event["state"]
    return numbers, wrong
