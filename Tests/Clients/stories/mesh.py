"""Everybody reaches everybody, whichever worker has the connections; and several workers look like one from outside."""

import collections
import gc
import itertools

import fleet
from harness import check, story
from nodes import Node

TRANSPORTS = ["tls", "tcp", "udp"]
USERS = [f"m{number:03d}" for number in range(200)]
#: Distances around the circle of users at which they meet when not every pair does: each transport meets each.
DISTANCES = (1, 2, 3, 50, 67, 100, 133, 151, 198, 199)
#: Operations at a time.
CONCURRENCY = 32


def pairs(context, group, slots, more):
    """The pairs that meet, by their numbers: all in a thorough run; else a sample, with two clients of any two slots over
    any two transports, and `more`."""
    count, clients = len(USERS), group.clients
    met = {(one, (one + distance) % count): None for distance in (range(1, count) if context.thorough else DISTANCES)
           for one in range(count)}
    met.update(dict.fromkeys(more))

    def places(pair):
        return tuple((clients[number].transport, slots[clients[number].user]) for number in pair)

    covered = {places(pair) for pair in met}
    for pair in itertools.permutations(range(count), 2):
        if places(pair) not in covered:
            covered.add(places(pair))
            met[pair] = None
    return list(met)


def connected(node, users, transports=TRANSPORTS):
    """A fleet with one registered client for each user, each challenged once for what is no REGISTER."""
    group = fleet.Fleet()
    for user, transport in zip(users, itertools.cycle(transports)):
        group.add(fleet.Client(group, node, user, transport)).open(
            lambda client: group.begin(fleet.Register(f"r-{client.user}-{client.number}", client)))
    group.run(until=lambda: all(client.registered for client in group.clients), limit=30)
    group.run(fleet.Closed((fleet.Message(f"p-{c.user}", c, c) for c in group.clients), CONCURRENCY))
    failed = [operation for operation in group.ended if operation.status != 200]
    check(not failed, f"of {len(group.ended)} first requests {len(failed)} failed: {failed[:3]}")
    slots = where(group, node)
    group.ended.clear()
    return group, slots


def met(context, workers, more=()):
    """Runs the mesh on a node with so many workers; the operations that ended, slots by user, and the pairs that met."""
    node = Node(context.folder / f"{workers}-workers", context.server.binaries, workers, USERS)
    context.servers.append(node)
    node.start()
    # With all that was seen at hand, a search for garbage takes longer than clients wait before they send again.
    gc.disable()
    group, slots = connected(node, USERS)
    try:
        chosen = pairs(context, group, slots, more)
        group.names = fleet.Names(group, node)
        clients = group.clients
        group.run(fleet.Closed((fleet.Message(f"m-{a}-{b}", clients[a], clients[b]) for a, b in chosen), CONCURRENCY), limit=900)
        group.run(fleet.Closed((fleet.Call(f"c-{a}-{b}", clients[a], clients[b], by_callee=(a + b) % 4 > 1)
                                for a, b in chosen), CONCURRENCY), limit=900)
        check(not group.losses, f"connections broke: {group.losses[:3]}")
        check(not group.wrong, f"requests went astray: {group.wrong[:3]}")
        check(where(group, node) == slots, "clients came to other workers than they were with")
    finally:
        group.close()
        gc.enable()
    node.stop()
    check(node.process.returncode == 0, f"the node ended with exit code {node.process.returncode}")
    return group.ended, slots, chosen


def where(group, node):
    """Slot by user, as the kernel says for streams, and as our branches say for everybody who sent something."""
    holders = node.holders()
    slots = {client.user: holders.get(int(client.address.rpartition(":")[2])) for client in group.clients}
    for operation in group.ended:
        if operation.kind == "register":
            continue
        user, known = operation.caller.user, slots[operation.caller.user]
        check(operation.slot is not None, f"{operation}: the upper Via is none of ours")
        check(known is None or known == operation.slot,
              f"{operation}: slot {operation.slot} forwarded, slot {known} has the caller's connection")
        slots[user] = operation.slot
    return slots


def complaints(operations):
    """What is wrong with the operations of a quiet run, in sentences."""
    for operation in operations:
        if operation.status != 200:
            yield f"{operation} ended with {operation.status}"
        if operation.deliveries != 1:
            yield f"{operation} reached its callee {operation.deliveries} times"
        if operation.vias != 2:
            yield f"{operation} reached its callee with {operation.vias} Vias"
        wanted = 2 if operation.kind == "call" else 0
        if operation.record_routes != wanted:
            yield f"{operation} reached its callee with {operation.record_routes} Record-Routes, not {wanted}"


@story("mesh", "with 1, 2 and 4 workers everybody gets messages and calls through to everybody, and sees the same",
       limit=2400, suite="cluster")
def same_traces(context):
    traces, more = {}, {}
    for workers in (4, 2, 1):
        operations, slots, chosen = met(context, workers, more)
        more.update(dict.fromkeys(chosen))
        wrong = list(complaints(operations))
        check(not wrong, f"with {workers} workers {len(wrong)} of {len(operations)}: {wrong[:3]}")
        check(set(slots.values()) == set(range(workers)), f"with {workers} workers these served: {set(slots.values())}")
        crossed(context, operations, slots, workers)
        traces[workers] = {operation.name: operation.seen for operation in operations}
        context.note(f"{workers} workers: {sum(o.kind == 'message' for o in operations)} messages, "
                     f"{sum(o.kind == 'call' for o in operations)} calls")
    for workers in (2, 4):
        found = fleet.differences({name: traces[1].get(name) for name in traces[workers]}, traces[workers])
        if found:
            (context.folder / "differences.log").write_text("\n\n".join(map(repr, found[:20])))
        check(not found, f"with {workers} workers {len(found)} traces differ: {found[0] if found else ''}")


def crossed(context, operations, slots, workers):
    """For each kind of operation, every two slots met, over every two transports, in both directions."""
    for kind in ("message", "call"):
        seen = collections.defaultdict(set)
        for operation in operations:
            if operation.kind == kind:
                transports = operation.caller.transport, operation.callee.transport
                seen[transports].add((slots[operation.caller.user], slots[operation.callee.user]))
        for transports in itertools.product(TRANSPORTS, repeat=2):
            missing = set(itertools.product(range(workers), repeat=2)) - seen[transports]
            count = collections.Counter(slots[user] for user in slots)
            check(not missing, f"{dict(count)} clients are with the slots, and no {kind} over {transports} went between the slots {sorted(missing)}")
