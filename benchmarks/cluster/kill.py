"""How fast a node gets over the death of a worker, with the clients of `Tests/Clients`."""
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Tests/Clients"))
import fleet
from nodes import Node

WORKERS = 3
USERS = [f"k{number:02d}" for number in range(48)]
#: Connections tried at a kill, to meet the slot.
PROBES = 16


def port_of(client):
    return int(client.address.rpartition(":")[2])


def measure(folder, binaries, kills):
    """Milliseconds until the slot accepted again, and until the last request to a lost connection had failed, by kill."""
    node = Node(folder, binaries, WORKERS, USERS)
    node.start()
    group = fleet.Fleet()
    presence = fleet.Presence(group, back_off=1.5)
    accepted, failed = [], []
    try:
        for number, user in enumerate(USERS):
            presence.up(group.add(fleet.Client(group, node, user, "tls" if number % 2 else "tcp")))
        group.run(until=presence.all_up, limit=20)
        pairs = zip(group.clients, group.clients[1:])
        group.run(fleet.Closed((fleet.Message(f"first-{n}", a, b) for n, (a, b) in enumerate(pairs)), 8))
        for number in range(kills):
            one(group, node, number, accepted, failed)
            until = time.monotonic() + 2
            group.run(until=lambda: group.now > until and presence.all_up(), limit=20)
    finally:
        group.close()
        node.stop()
    return accepted, failed


def one(group, node, number, accepted, failed):
    holders = node.holders()
    slot = number % WORKERS
    lost = [client for client in group.clients if holders.get(port_of(client)) == slot]
    others = [client for client in group.clients if client not in lost]
    # Some are under way when it happens, the rest begin right after.
    early = [fleet.Message(f"k{number}-{n}", random.choice(others), client) for n, client in enumerate(lost)]
    for operation in early[:3]:
        group.begin(operation)
    node.kill_worker(slot)
    group.now = at = time.monotonic()
    for operation in early[3:]:
        group.begin(operation)
    opened = {}
    probes = [fleet.Client(group, node, "probe", "tls") for _ in range(PROBES)]
    for probe in probes:
        probe.open(lambda client: opened.setdefault(client, group.now))
    until = at + 1.2
    group.run(until=lambda: group.now > until and not any(op.ended is None for op in early), limit=40)
    holders = node.holders()
    times = [when - at for probe, when in opened.items() if probe.state == "open" and holders.get(port_of(probe)) == slot]
    if times:
        accepted.append(1000 * min(times))
    for probe in probes:
        probe.close()
    ends = [operation.ended - max(at, operation.began) for operation in early if operation.status != 200]
    if ends:
        failed.append(1000 * max(ends))
