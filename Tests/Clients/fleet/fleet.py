"""The loop over all clients' sockets and timers."""

import heapq
import itertools
import select
import ssl
import time


class Fleet:
    """Clients, the operations between them, and what went wrong.

    Everything happens within `run`; callbacks never come from elsewhere.
    """

    def __init__(self):
        self.poll, self.clients, self.watched = select.epoll(), [], {}
        self.timers, self.serial = [], itertools.count()
        #: Who has, or had, a port of 127.0.0.1.
        self.ports = {}
        #: Operations under way, by Call-ID.
        self.operations = {}
        #: Those that ended, in that order.
        self.ended = []
        self.sent, self.strays, self.losses = 0, [], []
        #: Requests that reached somebody else than they were for.
        self.wrong = []
        #: Called with a client whose open connection broke; it may open another.
        self.on_loss = None
        self.contexts = {}
        #: Whether operations keep what they see; see `traces`.
        self.names = None
        self.now = time.monotonic()

    def add(self, client):
        self.clients.append(client)
        return client

    def close(self):
        for client in self.clients:
            client.close()
        self.poll.close()

    # For clients

    def tls(self, node):
        if node not in self.contexts:
            self.contexts[node] = ssl.create_default_context(cafile=str(node.ca))
        return self.contexts[node]

    def wrapped(self, client):
        self.forget(client)
        wrapped = client.context.wrap_socket(
            client.socket, server_hostname="example.test", do_handshake_on_connect=False)
        client.socket = wrapped
        self.watch(client)
        return wrapped

    def watch(self, client, writes=False):
        number = client.socket.fileno()
        mask = select.EPOLLIN | (select.EPOLLOUT if writes else 0)
        known = self.watched.get(number)
        if known is None or known[0] is not client:
            self.poll.register(number, mask)
        elif known[1] != mask:
            self.poll.modify(number, mask)
        self.watched[number] = (client, mask)

    def forget(self, client):
        if self.watched.pop(client.socket.fileno(), None):
            self.poll.unregister(client.socket.fileno())

    def connection_lost(self, client, was_open, reason):
        self.losses.append((self.now, client, was_open, reason))
        for operation in list(self.operations.values()):
            operation.lost(client)
        if self.on_loss:
            self.on_loss(client)

    def received(self, client, message):
        self.now = time.monotonic()
        operation = self.operations.get(message.get("call-id"))
        if message.status is None and not message.uri.startswith(f"sip:{client.user}-"):
            self.wrong.append(f"{client.user} got {message.first_line}")
        if operation is None:
            self.strays.append((self.now, client, message))
            # A request that comes again after its operation has ended must find an end.
            if message.status is None and message.method != "ACK":
                client.send(client.response(message, 481, "Over"))
            return
        operation.received(client, message)

    # Time

    def later(self, seconds, action):
        """Calls `action` after some time; returns what `cancel` takes."""
        entry = [self.now + seconds, next(self.serial), action]
        heapq.heappush(self.timers, entry)
        return entry

    @staticmethod
    def cancel(entry):
        if entry:
            entry[2] = None

    def begin(self, operation):
        self.operations[operation.call_id] = operation
        operation.begin()

    def run(self, source=None, until=None, limit=60):
        """Goes on until `source` is used up and nothing is under way, or until `until()` holds.

        `limit`: seconds after which it gives up with an error that says what is still under way.
        """
        deadline = time.monotonic() + limit
        while True:
            self.now = time.monotonic()
            while self.timers and self.timers[0][0] <= self.now:
                action = heapq.heappop(self.timers)[2]
                if action:
                    action()
            wait = min(deadline, self.timers[0][0] if self.timers else deadline) - self.now
            if source:
                for operation in source.due(self):
                    self.begin(operation)
                wait = min(wait, source.wait(self))
            if until() if until else not self.operations and (source is None or source.is_over):
                return
            if self.now >= deadline:
                raise AssertionError(f"not done after {limit} s: {list(self.operations.values())[:3]} are under way")
            for number, _ in self.poll.poll(max(0, min(wait, 0.2)), 256):
                self.now = time.monotonic()
                known = self.watched.get(number)
                if known:
                    known[0].ready()
