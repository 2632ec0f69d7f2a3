"""Clients that come back, as phones do, and what became of the operations between them meanwhile."""

import random
import statistics

from .operations import Call, Message, Register

#: Seconds before a moment within which a client may not know yet that its connection is gone.
BLIND = 0.05


class Presence:
    """Keeps a fleet's clients connected and registered, and knows when each of them was not."""

    def __init__(self, fleet, back_off=0.3):
        self.fleet, self.back_off, self.serial = fleet, back_off, 0
        #: Client to `[since, until]`, the latter None while it lasts.
        self.away = {}
        fleet.on_loss = self.lost

    def up(self, client):
        """Connects and registers, again and again until it works."""
        def opened(client):
            self.serial += 1
            operation = Register(f"up-{client.user}-{self.serial}", client)
            operation.then = self.answered
            self.fleet.begin(operation)

        client.open(opened)

    def answered(self, operation):
        client = operation.caller
        if operation.status == 200:
            for interval in self.away.get(client, [])[-1:]:
                interval[1] = interval[1] or self.fleet.now
        elif client.state == "open":
            self.fleet.later(self.back_off, lambda: client.lost("could not register") if not client.registered else None)

    def lost(self, client):
        if client not in self.fleet.clients:
            return
        self.gone(client, self.fleet.now)
        self.fleet.later(random.uniform(0.05, self.back_off),
                         lambda: self.up(client) if client.state == "closed" else None)

    def gone(self, client, since):
        """The client's connection is gone since then, whether it knows that or not."""
        intervals = self.away.setdefault(client, [])
        if not intervals or intervals[-1][1] is not None:
            intervals.append([since, None])

    def all_up(self):
        return all(client.registered for client in self.fleet.clients)

    def missed(self, client, operation):
        """Since when within an operation the client was away; None when it was there all the time."""
        for since, until in self.away.get(client, []):
            if since - BLIND <= operation.ended and (until is None or until >= operation.began):
                return since
        return None


class Traffic:
    """Messages and calls between clients by lot: what an `Open` load makes."""

    def __init__(self, clients, calls=0.1, hold=0.2):
        self.clients, self.calls, self.hold, self.serial = clients, calls, hold, 0

    def __call__(self):
        caller, callee = random.sample(self.clients, 2)
        if not caller.registered:
            return None
        self.serial += 1
        if random.random() < self.calls:
            return Call(f"c{self.serial}", caller, callee, by_callee=random.random() < 0.5,
                        hold=random.uniform(0, self.hold))
        return Message(f"m{self.serial}", caller, callee)


def summary(seconds):
    """Median, 99th percentile and maximum, in milliseconds, as text."""
    if not seconds:
        return "none"
    ordered = sorted(1000 * value for value in seconds)
    return (f"median {statistics.median(ordered):.1f} ms, p99 {ordered[int(0.99 * (len(ordered) - 1))]:.1f} ms, "
            f"max {ordered[-1]:.1f} ms")
