"""Workers that are killed, or stop, while everybody talks to everybody."""

import random
import signal

import fleet
from harness import check, story
from nodes import Node

WORKERS = 3
USERS = [f"k{number:03d}" for number in range(90)]
TRANSPORTS = ["tls", "tcp", "udp"]
#: Operations in a second.
RATE = 120
KILLS = 20
#: Connections that are tried at a kill, to meet the slot; one of three goes there.
PROBES = 16
#: Seconds within which a slot accepts again, and for a worker that hangs instead of ending.
ACCEPTS, HANGS = 1, 4
#: Seconds within which calls to lost connections fail. The goal is 0.05, which `benchmarks/cluster` measures: here a
#: machine with other work to do must not fail the story.
FAILS = 0.5
#: Seconds within which what the dead worker had over UDP has come again and failed.
RESENT = 2
#: The answers that a caller may get when the callee's connection is gone.
GONE = {200, 404, 408, 430, 480, 481, 487}


class Kill:
    """One worker that was killed: when, which, and the probes that say when its slot accepts again."""

    def __init__(self, group, node, presence, number):
        self.group, self.node, self.opened, self.probes = group, node, {}, []
        workers, holders = node.workers(), node.holders()
        self.slot = random.choice(sorted(workers))
        held = [client for client in group.clients
                if client.transport != "udp" and holders.get(port_of(client)) == self.slot]
        node.kill_worker(self.slot, number)
        group.now = self.at = fleet.fleet.time.monotonic()
        self.number = number
        for client in held:
            presence.gone(client, self.at)
        for _ in range(PROBES):
            probe = fleet.Client(group, node, "probe", "tls")
            self.probes.append(probe)
            probe.open(lambda client: self.opened.setdefault(client, group.now))

    def accepted(self):
        """After how many seconds the slot took a connection; None when no probe went there."""
        holders = self.node.holders()
        times = [at - self.at for probe, at in self.opened.items()
                 if probe.address and holders.get(port_of(probe)) == self.slot]
        for probe in self.probes:
            probe.close()
        return min(times) if times else None


def port_of(client):
    return int(client.address.rpartition(":")[2]) if client.address else None


@story("kills", "twenty workers killed and one stopped under load: others see no error, no request goes astray",
       limit=200, suite="cluster")
def kills(context):
    node = Node(context.folder / "server", context.server.binaries, WORKERS, USERS)
    context.servers.append(node)
    node.start()
    group = fleet.Fleet()
    presence = fleet.Presence(group)
    try:
        for number, user in enumerate(USERS):
            presence.up(group.add(fleet.Client(group, node, user, TRANSPORTS[number % 3])))
        group.run(until=presence.all_up, limit=20)
        done = under_load(context, group, node, presence)
        after(context, group, node, presence, done)
    finally:
        group.close()
    processes = node.processes()
    node.stop()
    check(node.process.returncode == 0, f"the node ended with exit code {node.process.returncode}")
    check(not node.left_behind(), f"{node.left_behind()} are left of {processes}")


def told(operation, done):
    """An operation with how long before and after its begin workers were killed."""
    since = [round(operation.began - kill.at, 2) for kill in done if kill.slot == operation.slot]
    return f"{operation} in slot {operation.slot}, {operation.took:.2f} s, begun {since} s after kills of it"


def under_load(context, group, node, presence):
    """Load, with a kill now and then; the kills."""
    traffic, done, accepted = fleet.Open(fleet.Traffic(group.clients), RATE, 1000), [], []

    def rest(seconds):
        until = fleet.fleet.time.monotonic() + seconds
        group.run(traffic, until=lambda: group.now >= until, limit=seconds + 20)

    rest(2)
    for index in range(KILLS + 1):
        how = signal.SIGSTOP if index == KILLS else signal.SIGKILL
        kill = Kill(group, node, presence, how)
        done.append(kill)
        rest(HANGS + 1 if how == signal.SIGSTOP else ACCEPTS + random.uniform(0.1, 0.9))
        accepted.append(kill.accepted())
    rest(1)
    traffic.end()
    group.run(traffic, limit=60)
    met = [seconds for seconds in accepted[:-1] if seconds is not None]
    context.note(f"the slots accepted again after: {fleet.summary(met)} ({len(met)} kills met)")
    context.note(f"after SIGSTOP: {accepted[-1] and round(accepted[-1], 2)} s")
    check(len(met) > KILLS / 2, f"of {KILLS} slots only {len(met)} accepted within {ACCEPTS} s: {accepted}")
    check(max(met) <= ACCEPTS, f"a slot accepted after {max(met):.2f} s only: {accepted}")
    check((accepted[-1] or 0) <= HANGS, f"a stopped worker's slot accepted after {accepted[-1]} s")
    return done


def after(context, group, node, presence, done):
    """What came of everything: each operation has a reason for its end."""
    served = {operation.caller: operation.slot for operation in group.ended if operation.slot is not None}
    quiet, failed, lost, late, unexplained = 0, {True: [], False: []}, 0, [], []
    stopped = done[-1].at
    for operation in group.ended:
        if operation.kind == "register":
            continue
        own, theirs = presence.missed(operation.caller, operation), presence.missed(operation.callee, operation)
        killed = [kill.at for kill in done if operation.began <= kill.at + ACCEPTS and kill.at <= operation.ended
                  and kill.slot == served.get(operation.caller)]
        if operation.caller.transport == "udp" and killed:
            own = killed[0]
        if own is not None:
            lost += 1
        elif theirs is None:
            quiet += 1
            if operation.status != 200:
                unexplained.append(operation)
        elif operation.status != 200:
            took = operation.ended - max(operation.began, theirs)
            failed[stopped - 0.1 <= theirs <= stopped + HANGS].append(took)
            if operation.status not in GONE:
                unexplained.append(operation)
            # What rang already may be answered over another connection: the caller gives up by itself.
            limit = HANGS if stopped - 0.1 <= theirs <= stopped + HANGS else FAILS
            # What the dead worker had got over UDP its caller sends again, after 0.5 s and 1 s.
            if operation.caller.transport == "udp":
                limit = max(limit, RESENT)
            if took > limit and getattr(operation, "state", None) != "ringing":
                late.append(operation)
    total = sum(operation.kind != "register" for operation in group.ended)
    context.note(f"{total} operations: {quiet} between others, {lost} of callers that lost their worker, "
                 f"{len(failed[False])} to lost connections failed after {fleet.summary(failed[False])}; "
                 f"{len(failed[True])} to those of the stopped worker after {fleet.summary(failed[True])}")
    check(not group.wrong, f"{len(group.wrong)} requests went astray: {group.wrong[:3]}")
    check(not unexplained, f"{len(unexplained)} without a reason: {[told(o, done) for o in unexplained[:3]]}")
    check(not late, f"{len(late)} to lost connections failed late: {late[:3]}")
    check(quiet > total / 4, f"only {quiet} of {total} operations were between clients of other workers")
    group.run(until=presence.all_up, limit=15)
    group.ended.clear()
    clients = [client for client in group.clients]
    group.run(fleet.Closed((fleet.Message(f"e{n}", one, clients[n - 1]) for n, one in enumerate(clients)), 16))
    bad = [operation for operation in group.ended if operation.status != 200]
    check(not bad, f"after all kills {len(bad)} of {len(clients)} fail: {bad[:3]}")
    check(sorted(node.workers()) == list(range(WORKERS)), f"the workers are {node.workers()}")
