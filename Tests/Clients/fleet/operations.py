"""Operations between two clients. Each ends once, with a status or a word, and says when and over which connections."""

from .client import COOKIE

#: RFC 3261 §17.1.1.1 and §17.1.2.2, in seconds.
TIMER_T1, TIMER_T2 = 0.5, 4
#: Seconds after which an operation ends as "timeout".
LIMIT = 32
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"


def tag_of(value):
    return value.partition(";tag=")[2].split(";")[0]


def uri_of(value):
    return value.partition("<")[2].partition(">")[0]


class Operation:
    """What all have: who, when, what came of it, and requests that are repeated over UDP until something answers."""

    kind = ""

    def __init__(self, name, caller, callee):
        self.call_id, self.caller, self.callee, self.fleet = f"{name}@fleet", caller, callee, caller.fleet
        self.name, self.status, self.attempt, self.sequence = name, None, 0, 1
        self.began = self.ended = self.caller_lost = self.callee_lost = None
        #: How often the callee got the first request.
        self.deliveries = 0
        #: The slot of the worker that forwarded, as our branch says.
        self.slot = None
        self.vias = self.record_routes = None
        self.repeats, self.timer = {}, None
        #: Called with the operation once it has ended.
        self.then = None
        #: What either side saw, in order, without identifiers.
        self.seen = {"caller": [], "callee": []}

    def __repr__(self):
        return f"<{self.kind} {self.name} {self.caller.transport}>{self.callee.transport} {self.status}>"

    @property
    def took(self):
        return self.ended - self.began

    def begin(self):
        self.began = self.fleet.now
        self.numbers = (self.caller.number, self.callee.number)
        self.was_up = (self.caller.registered, self.callee.registered)
        self.timer = self.fleet.later(LIMIT, lambda: self.finish("timeout"))
        self.start()

    def finish(self, status):
        if self.ended is not None:
            return
        self.status, self.ended = status, self.fleet.now
        for entry in [self.timer, *self.repeats.values()]:
            self.fleet.cancel(entry)
        self.fleet.operations.pop(self.call_id, None)
        self.fleet.ended.append(self)
        if self.then:
            self.then(self)

    def received(self, client, message):
        role = "caller" if client is self.caller else "callee" if client is self.callee else None
        if role is None:
            self.fleet.wrong.append(f"{client.user} got {message.first_line} of {self}")
            return
        if self.fleet.names:
            self.seen[role].append(self.fleet.names.plain(message))
        if message.status is None:
            self.request(client, message)
        else:
            self.response(client, message)

    def delivered(self, message):
        """The first request is there: of whose connection it is, and what we added."""
        self.deliveries += 1
        self.vias, self.record_routes = len(message.all("via")), len(message.all("record-route"))
        self.slot = slot_of(message.all("via")[0])
        if message.uri != self.callee.contact:
            self.fleet.wrong.append(f"{self.callee.contact} got {message.first_line}")

    def lost(self, client):
        if client is self.caller:
            self.caller_lost = self.fleet.now
            self.without_caller()
        elif client is self.callee:
            self.callee_lost = self.callee_lost or self.fleet.now
            self.without_callee()

    def without_caller(self):
        self.finish("caller lost")

    def without_callee(self):
        pass

    def transmit(self, client, key, text, always=False):
        """Sends, and over UDP (`always`: over anything) sends again until `answered(key)`."""
        self.answered(key)

        def again(interval):
            if self.ended is None:
                client.send(text)
                self.repeats[key] = self.fleet.later(interval, lambda: again(min(2 * interval, TIMER_T2)))

        if client.transport == "udp" or always:
            again(TIMER_T1)
        else:
            client.send(text)

    def answered(self, key):
        self.fleet.cancel(self.repeats.pop(key, None))

    def is_late(self, message, sequence):
        """Whether a response is to an earlier try: copies of a request that waited are answered too."""
        return int(message.get("cseq").split()[0]) != sequence

    def retried(self, message):
        """Takes a challenge, once; the request goes out anew."""
        if message.status in (401, 407) and self.attempt == 0 and self.caller.challenged(message):
            self.attempt, self.sequence = 1, self.sequence + 1
            self.start()
            return True
        return False


def slot_of(via):
    """The slot of the worker that a branch of ours names: see "Formats" in Sources/README.md; None for others."""
    import base64
    branch = via.partition("branch=")[2].split(";")[0]
    if not branch.startswith(COOKIE) or len(branch) != 39:
        return None
    octets = base64.urlsafe_b64decode(branch[len(COOKIE):])
    return int.from_bytes(octets[5:7], "big")


class Register(Operation):
    """A REGISTER of a client for itself."""

    kind = "register"

    def __init__(self, name, client, expires=600):
        super().__init__(name, client, client)
        # RFC 3261 §10.2.4: all REGISTERs of a user agent have one Call-ID.
        self.call_id, self.expires = f"reg-{client.user}-{client.number}@fleet", expires

    def start(self):
        client = self.caller
        contact = f"Contact: <{client.contact}>;expires={self.expires}"
        client.sequence += 1
        uri = f"sip:{client.domain}"
        self.transmit(client, "register", client.request(
            "REGISTER", uri, client.aor, self.call_id, f"{self.name}-{client.sequence}", client.sequence, self.name,
            extra=[contact, *client.credentials("REGISTER", uri)]))

    def request(self, client, message):
        self.fleet.wrong.append(f"{client.user} got {message.first_line}")

    def response(self, client, message):
        if message.status < 200 or self.is_late(message, client.sequence):
            return
        self.answered("register")
        if self.retried(message):
            return
        client.registered = message.status == 200 and self.expires > 0
        self.finish(message.status)


class Message(Operation):
    """A MESSAGE, answered with 200."""

    kind = "message"

    def start(self):
        caller, uri = self.caller, self.callee.aor
        self.transmit(caller, "message", caller.request(
            "MESSAGE", uri, uri, self.call_id, f"{self.name}-{self.sequence}", self.sequence, self.name,
            extra=["Content-Type: text/plain", *caller.credentials("MESSAGE", uri)], body=self.name))

    def request(self, client, message):
        self.delivered(message)
        client.send(client.response(message, 200, "OK"))

    def response(self, client, message):
        if message.status >= 200 and not self.is_late(message, self.sequence):
            self.answered("message")
            if not self.retried(message):
                self.finish(message.status)


class Call(Operation):
    """INVITE, 180, 200, ACK, then BYE from the caller or, with `by_callee`, from the callee."""

    kind = "call"

    def __init__(self, name, caller, callee, by_callee=False, hold=0):
        super().__init__(name, caller, callee)
        self.by_callee, self.hold, self.state = by_callee, hold, "inviting"
        self.routes, self.targets, self.tags, self.acknowledged = {}, {}, {}, False

    def invite_branch(self):
        return f"{self.name}-i{self.sequence}"

    def start(self):
        caller, uri = self.caller, self.callee.aor
        self.transmit(caller, "invite", caller.request(
            "INVITE", uri, uri, self.call_id, self.invite_branch(), self.sequence, self.name,
            extra=[f"Contact: <{caller.contact}>", "Content-Type: application/sdp",
                   *caller.credentials("INVITE", uri)], body=SDP))

    # What the callee gets

    def request(self, client, message):
        if message.method == "INVITE":
            self.invited(message)
        elif message.method == "ACK":
            self.answered("accept")
            if not self.acknowledged:
                self.acknowledged = True
                if self.by_callee and self.state != "refused":
                    self.fleet.later(self.hold, lambda: self.hang_up(self.callee))
        elif message.method in ("BYE", "CANCEL"):
            client.send(client.response(message, 200, "OK"))

    def invited(self, message):
        self.delivered(message)
        callee = self.callee
        self.routes[callee], self.targets[callee] = message.all("record-route"), uri_of(message.get("contact"))
        callee.send(callee.response(message, 180, "Ringing", [f"Contact: <{callee.contact}>"]))
        self.transmit(callee, "accept", callee.response(
            message, 200, "OK", [f"Contact: <{callee.contact}>", "Content-Type: application/sdp"], SDP), always=True)

    # What the answers are

    def response(self, client, message):
        if message.method == "BYE":
            if message.status >= 200:
                self.answered("bye")
                self.finish(message.status)
        elif message.method == "INVITE":
            if self.is_late(message, self.sequence):
                return
            self.answered("invite")
            if message.status >= 300:
                self.refused(message)
            elif message.status >= 200:
                self.accepted(message)
            elif message.status > 100:
                self.state = "ringing" if self.state == "inviting" else self.state

    def refused(self, message):
        self.caller.send(self.caller.request(
            "ACK", self.callee.aor, self.callee.aor, self.call_id, self.invite_branch(), self.sequence, self.name,
            tag_of(message.get("to"))))
        if not self.retried(message):
            self.state = "refused"
            self.finish(message.status)

    def accepted(self, message):
        first = self.state in ("inviting", "ringing")
        caller = self.caller
        if first:
            self.state = "established"
            self.routes[caller] = message.all("record-route")[::-1]
            self.targets[caller], self.tags[caller] = uri_of(message.get("contact")), tag_of(message.get("to"))
        caller.send(self.within(caller, "ACK", "a", self.sequence))
        if first and (not self.by_callee or self.callee_lost):
            self.fleet.later(self.hold, lambda: self.hang_up(caller))

    def within(self, client, method, mark, sequence):
        """A request of the dialog."""
        other = self.callee if client is self.caller else self.caller
        mine, theirs = (self.name, self.tags.get(client)) if client is self.caller else (client.user, self.name)
        return client.request(method, self.targets[client], other.aor, self.call_id, f"{self.name}-{mark}", sequence,
                              mine, theirs, self.routes[client])

    def hang_up(self, client):
        if self.ended is None and self.state == "established":
            self.state = "ending"
            self.transmit(client, "bye", self.within(client, "BYE", "b", self.sequence + 1))

    # Broken connections

    def without_callee(self):
        self.answered("accept")
        if self.state == "established" and self.by_callee or self.state == "ending" and self.by_callee:
            self.answered("bye")
            self.state = "established"
            self.hang_up(self.caller)
        elif self.state == "ringing":
            self.fleet.later(1, self.give_up)

    def give_up(self):
        """Nobody will answer any more: CANCEL."""
        if self.ended is None and self.state == "ringing":
            self.transmit(self.caller, "cancel", self.caller.request(
                "CANCEL", self.callee.aor, self.callee.aor, self.call_id, self.invite_branch(), self.sequence,
                self.name))
