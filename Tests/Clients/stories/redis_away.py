"""Redis freezes, dies and comes back empty, while everybody talks to everybody."""

import re
import signal

import fleet
from harness import check, story
from nodes import Node, Redis

WORKERS = 2
TRANSPORTS = ["tls", "tcp", "udp"]
USERS = [f"q{number:03d}" for number in range(60)]
#: Users that register for the first time while Redis is away.
FRESH = [f"f{number:03d}" for number in range(60)]
RATE = 80
#: Seconds.
FREEZE, AWAY, BACK = 20, 4, 10
#: Seconds that one turn of a worker's loop may take.
TURN = 0.02
#: Seconds within which a registration is answered: that of the moment at which Redis freezes waits for its time limit.
ANSWERED = 2.5


class Place:
    """The node, its clients and the load that never pauses."""

    def __init__(self, context):
        self.context, self.redis = context, Redis(context.folder / "redis")
        self.redis.start()
        self.node = Node(context.folder / "server", context.server.binaries, WORKERS, USERS + FRESH, self.redis)
        context.servers += [self.redis, self.node]
        self.node.start()
        self.group = fleet.Fleet()
        self.presence = fleet.Presence(self.group)
        self.fresh, self.refreshed, self.registers = list(FRESH), 0, []
        for number, user in enumerate(USERS):
            self.presence.up(self.group.add(fleet.Client(self.group, self.node, user, TRANSPORTS[number % 3])))
        self.group.run(until=self.presence.all_up, limit=20)
        self.old = list(self.group.clients)
        self.traffic = fleet.Open(fleet.Traffic(self.old), RATE, 1000)
        self.upkeep()

    def upkeep(self):
        """A refresh of somebody, and somebody new, again and again."""
        client = self.old[self.refreshed % len(self.old)]
        self.refreshed += 1
        operation = fleet.Register(f"again-{self.refreshed}", client)
        if client.registered and operation.call_id not in self.group.operations:
            self.group.begin(operation)
        self.group.later(0.1, self.upkeep)

    def newcomer(self):
        if self.fresh:
            user = self.fresh.pop()
            client = fleet.Client(self.group, self.node, user, TRANSPORTS[len(self.fresh) % 3])
            self.presence.up(self.group.add(client))

    def rest(self, seconds, newcomers=0):
        """Load for some seconds, and so many new users spread over them."""
        until = fleet.fleet.time.monotonic() + seconds
        for number in range(newcomers):
            self.group.later(seconds * number / newcomers, self.newcomer)
        self.group.run(self.traffic, until=lambda: self.group.now >= until, limit=seconds + 20)

    def wait_for_bindings(self, seconds):
        """Load until Redis has all bindings; after how many seconds it had."""
        began = fleet.fleet.time.monotonic()
        missing = self.missing()
        while missing:
            elapsed = fleet.fleet.time.monotonic() - began
            check(elapsed <= seconds, f"after {elapsed:.0f} s Redis lacks {len(missing)}, such as {missing[:3]}")
            self.rest(0.3)
            missing = self.missing()
        return fleet.fleet.time.monotonic() - began

    def missing(self):
        """Registered clients whose contact is nowhere in Redis."""
        values = b"".join(self.redis.content(key) for key in self.redis.keys("@"))
        return [client.contact for client in self.group.clients
                if client.registered and f"{client.user}-{client.number}@".encode() not in values]

    def longest_turns(self):
        """Seconds, for each worker, as it says itself at its end."""
        return [float(text) for text in re.findall(r"longest turn ([\d.e-]+) seconds", self.node.log.read_text())]


@story("redis_away", "Redis frozen for 20 s, killed and started, killed and started empty: calls go on, bindings come back",
       limit=200, suite="cluster")
def away(context):
    place = Place(context)
    group, redis = place.group, place.redis
    try:
        place.rest(2)
        place.wait_for_bindings(BACK)
        redis.signal(signal.SIGSTOP)
        place.rest(FREEZE, newcomers=20)
        redis.signal(signal.SIGCONT)
        context.note(f"frozen: all bindings were back after {place.wait_for_bindings(BACK):.1f} s")
        for empty in (False, True):
            redis.kill()
            place.rest(AWAY, newcomers=10)
            redis.start(empty)
            seconds = place.wait_for_bindings(BACK)
            context.note(f"killed{', emptied' if empty else ''}: all bindings were back after {seconds:.1f} s")
        place.rest(2)
        place.traffic.end()
        group.run(place.traffic, until=lambda: not [o for o in group.operations.values() if o.kind != "register"],
                  limit=60)
    finally:
        group.close()
    judge(context, place)


def judge(context, place):
    group = place.group
    talks = [operation for operation in group.ended if operation.kind != "register"]
    registers = [operation for operation in group.ended if operation.kind == "register"]
    failed = [operation for operation in talks if operation.status != 200]
    slow = [operation for operation in registers if operation.took > ANSWERED]
    refused = [operation for operation in registers if operation.status != 200]
    context.note(f"{len(talks)} messages and calls took {fleet.summary([o.took for o in talks if o.kind == 'message'])}")
    context.note(f"{len(registers)} registrations took {fleet.summary([o.took for o in registers])}")
    check(not group.wrong, f"requests went astray: {group.wrong[:3]}")
    check(not group.losses, f"connections broke: {[(c.user, reason) for _, c, _, reason in group.losses[:3]]}")
    first = group.ended[0].began
    check(not failed, f"{len(failed)} of {len(talks)} messages and calls failed: "
          f"{[(operation, round(operation.began - first, 1)) for operation in failed[:3]]}")
    check(not refused, f"{len(refused)} of {len(registers)} registrations were refused: {refused[:3]}")
    check(not slow, f"{len(slow)} of {len(registers)} registrations took long: {[(o, o.took) for o in slow[:3]]}")
    place.node.stop()
    check(place.node.process.returncode == 0, f"the node ended with {place.node.process.returncode}")
    turns = place.longest_turns()
    context.note(f"longest turns: {', '.join(f'{1000 * seconds:.1f} ms' for seconds in turns)}")
    check(len(turns) == WORKERS and max(turns) < TURN, f"a worker's loop stalled: {turns}")
