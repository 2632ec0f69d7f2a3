"""A user agent: registers, calls, answers."""

import random
import re
import time
import uuid

from .channel import Channel, Closed, Missing
from .digest import challenge_of, digest
from .message import COOKIE, SDP, Message, token, uri_of


class Agent:
    """One user agent on one channel. Messages that a wait doesn't ask for are kept for a later one."""

    def __init__(self, server, user, transport="tls", password="secret", domain="example.test", channel=None,
                 **options):
        self.server, self.user, self.password, self.domain = server, user, password, domain
        self.channel = channel or Channel(server, transport, **options)
        self.transport = transport
        #: A Contact that stays when the connection changes; else it is the address of the socket.
        self.fixed_contact = None
        #: What Via says instead of the socket's address, as behind a NAT.
        self.sent_by = None
        self.inbox = []
        self.seen = []
        self.instance = token()
        self.urn = f"urn:uuid:{uuid.uuid4()}"
        self.call_id = f"reg-{token(12)}"
        self.sequence = random.randint(1, 1000)
        #: Header field, challenge and count of uses; for REGISTER (True) and all else (False).
        self.challenges = {}

    # Addresses

    @property
    def aor(self):
        return f"sip:{self.user}@{self.domain}"

    @property
    def contact(self):
        if self.fixed_contact:
            return self.fixed_contact
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"sip:{self.user}-{self.instance}@{self.address}{suffix}"

    def instance_contact(self, reg_id=None, expires=600):
        """A Contact value with the instance and perhaps reg-id (RFC 5626 §4.2)."""
        flow = f";reg-id={reg_id}" if reg_id is not None else ""
        return f'<{self.contact}>;expires={expires};+sip.instance="<{self.urn}>"{flow}'

    @property
    def address(self):
        host, port = self.channel.local[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def via(self):
        return f"SIP/2.0/{self.transport.upper()} {self.sent_by or self.address};branch={COOKIE}{token(12)};rport"

    # Building

    def request(self, method, uri, to=None, headers=(), body=b"", call_id=None, sequence=None, from_tag=None,
                contact=True):
        """A request outside a dialog, or the frame of one within."""
        if sequence is None:
            sequence = self.sequence = self.sequence + 1
        fields = [("Via", self.via()), ("Max-Forwards", "70"),
                  ("From", f"<{self.aor}>;tag={from_tag or token()}"), ("To", f"<{to or uri}>"),
                  ("Call-ID", call_id or f"{token(16)}@stories"), ("CSeq", f"{sequence} {method}")]
        if contact:
            fields.append(("Contact", f"<{self.contact}>"))
        return Message(f"{method} {uri} SIP/2.0", fields + list(headers), body)

    def invite(self, user, body=SDP, headers=()):
        return self.request("INVITE", f"sip:{user}@{self.domain}", body=body,
                            headers=[*headers, *([("Content-Type", "application/sdp")] if body else [])])

    def ack(self, request, response):
        """The ACK to a non-2xx: of the INVITE's own transaction (RFC 3261 §17.1.1.3)."""
        fields = [("Via", request.get("Via")), ("Max-Forwards", "70"), ("From", request.get("From")),
                  ("To", response.get("To")), ("Call-ID", request.get("Call-ID")),
                  ("CSeq", request.get("CSeq").split()[0] + " ACK")]
        fields += [("Route", value) for value in request.all("Route")]
        return Message(f"ACK {request.uri} SIP/2.0", fields)

    def cancel(self, request):
        fields = [("Via", request.get("Via")), ("Max-Forwards", "70"), ("From", request.get("From")),
                  ("To", request.get("To")), ("Call-ID", request.get("Call-ID")),
                  ("CSeq", request.get("CSeq").split()[0] + " CANCEL")]
        return Message(f"CANCEL {request.uri} SIP/2.0", fields)

    def response(self, request, status, reason="-", headers=(), body=b"", tag=None):
        fields = [("Via", value) for value in request.all("Via")]
        fields += [("Record-Route", value) for value in request.all("Record-Route")]
        to = request.get("To")
        if status > 100 and "tag=" not in to:
            to += f";tag={tag or self.instance}"
        fields += [("From", request.get("From")), ("To", to), ("Call-ID", request.get("Call-ID")),
                   ("CSeq", request.get("CSeq"))]
        if 101 <= status < 300 and request.method != "CANCEL":
            fields.append(("Contact", f"<{self.contact}>"))
        return Message(f"SIP/2.0 {status} {reason}", fields + list(headers), body)

    def reply(self, request, status, reason="-", headers=(), body=b"", tag=None):
        message = self.response(request, status, reason, headers, body, tag)
        self.send(message)
        return message

    # Sending and waiting

    def send(self, message):
        self.channel.send(message)

    def expect(self, wanted, timeout=5, what="a message"):
        """The first message that `wanted` accepts, of those kept and those that come in time."""
        for index, message in enumerate(self.inbox):
            if wanted(message):
                return self.inbox.pop(index)
        deadline = time.monotonic() + timeout
        while True:
            try:
                message = self.channel.receive(max(0, deadline - time.monotonic()))
            except Missing:
                raise Missing(f"{self.user} waited {timeout} s for {what}; it holds {self.inbox}") from None
            except Closed as closed:
                raise Closed(f"{self.user} waited for {what}, but {closed}") from None
            self.seen.append(message)
            if wanted(message):
                return message
            self.inbox.append(message)

    def expect_request(self, method, timeout=5):
        return self.expect(lambda m: not m.is_response and m.method == method, timeout, f"{method}")

    def expect_response(self, request, timeout=5, least=101, status=None):
        """A response to `request` of at least `least`; that of one status when it is given."""
        def wanted(message):
            return (message.is_response and message.get("Call-ID") == request.get("Call-ID")
                    and message.get("CSeq") == request.get("CSeq") and message.branch == request.branch
                    and (message.status == status if status else message.status >= least))
        found = self.expect(wanted, timeout, f"{status or f'{least} or more'} to {request.method}")
        return found

    def expect_final(self, request, timeout=5):
        return self.expect_response(request, timeout, least=200)

    def pump(self, wait=0.02):
        """Moves what has come into the inbox."""
        try:
            message = self.channel.receive(wait)
        except Missing:
            return
        self.seen.append(message)
        self.inbox.append(message)

    def nothing(self, method, during=0.5):
        """Proves that no request of this method comes for a while."""
        try:
            message = self.expect_request(method, during)
        except Missing:
            return
        raise AssertionError(f"{self.user} got an unwanted {message}")

    def transact(self, request, timeout=5):
        """Sends, answers one challenge, returns the final response; `request` becomes what was sent last."""
        self.authorize(request)
        response = self.exchange(request, timeout)
        if response.status in (401, 407):
            self.answer(request, response)
            response = self.exchange(request, timeout)
        return response

    def exchange(self, request, timeout=5):
        """Sends a request and returns its final response; an INVITE that fails is acknowledged."""
        self.send(request)
        response = self.expect_final(request, timeout)
        if request.method == "INVITE" and response.status >= 300:
            self.send(self.ack(request, response))
        return response

    def begin(self, request):
        """Sends an INVITE and returns once the challenge, if any, is past."""
        self.authorize(request)
        self.send(request)
        first = self.expect_response(request, 5, least=100)
        if first.status in (401, 407):
            self.send(self.ack(request, first))
            self.answer(request, first)
            self.send(request)
        elif first.status > 100:
            self.inbox.append(first)
        return request

    def answer(self, request, response):
        """Makes `request` the next try after a challenge: new branch, next CSeq, credentials."""
        name = "Authorization" if response.status == 401 else "Proxy-Authorization"
        self.challenges[request.method == "REGISTER"] = [name, challenge_of(response), 0]
        sequence, method = request.get("CSeq").split()
        self.sequence = max(self.sequence, int(sequence)) + 1
        request.replace("CSeq", f"{self.sequence} {method}")
        request.replace("Via", self.via())
        self.authorize(request)

    def authorize(self, request):
        """Adds credentials for the last challenge to such a request, if there was one."""
        known = self.challenges.get(request.method == "REGISTER")
        if known:
            known[2] += 1
            request.replace(known[0], digest(known[1], self.user, self.password, request, known[2]))

    # Registering

    def register(self, expires=600, contacts=None, headers=(), expected=200):
        """Registers; `contacts` are whole Contact values, `[]` asks for the bindings."""
        if contacts is None:
            contacts = [f"<{self.contact}>;expires={expires}"]
        request = self.request("REGISTER", f"sip:{self.domain}", to=self.aor, call_id=self.call_id, contact=False,
                               headers=[("Contact", value) for value in contacts] + list(headers))
        response = self.transact(request)
        if expected and response.status != expected:
            raise AssertionError(f"REGISTER of {self.user} got {response.first_line}, not {expected}")
        return response

    @property
    def secure_contact(self):
        return self.contact.replace("sip:", "sips:", 1).replace(";transport=tls", "")

    def register_securely(self):
        """Registers a sips contact, with sips as the Request-URI (RFC 5630 §5.2)."""
        request = self.request("REGISTER", f"sips:{self.domain}", to=self.aor, call_id=self.call_id, contact=False,
                               headers=[("Contact", f"<{self.secure_contact}>;expires=300")])
        response = self.transact(request)
        if response.status != 200:
            raise AssertionError(f"REGISTER of {self.secure_contact} got {response.first_line}")
        return response

    def bindings(self):
        """The contacts' URIs and their parameters, as the registrar lists them."""
        return bindings_of(self.register(contacts=[]))

    def clear(self):
        return self.register(contacts=["*"], headers=[("Expires", "0")])

    def reconnect(self, transport=None, keep=False, **options):
        """Goes on over a new connection; returns the old one, closed unless `keep`."""
        old = self.channel
        if not keep:
            old.close()
        self.transport = transport or self.transport
        self.channel, self.challenges = Channel(self.server, self.transport, **options), {}
        return old

    def close(self):
        self.channel.close()


def bindings_of(response):
    found = {}
    for value in response.values("Contact"):
        parameters = dict(re.findall(r";\s*([\w.-]+)\s*=\s*\"?([^;\"\s]+)", value.split(">", 1)[-1]))
        found[uri_of(value)] = parameters
    return found


def first_of(waits, timeout=5, what="any of several messages"):
    """The first message that one of the `(agent, wanted)` waits for: its index and the message."""
    deadline = time.monotonic() + timeout
    while True:
        for index, (agent, wanted) in enumerate(waits):
            for position, message in enumerate(agent.inbox):
                if wanted(message):
                    return index, agent.inbox.pop(position)
        if time.monotonic() >= deadline:
            raise Missing(f"{what} did not come within {timeout} s")
        for agent in {id(agent): agent for agent, _ in waits}.values():
            agent.pump()


def deliver(sender, request, receiver, timeout=5):
    """Sends a request, answers a challenge to it, and returns it as the receiver got it."""
    sender.authorize(request)
    for _ in range(2):
        sender.send(request)
        which, message = first_of([
            (sender, lambda m: m.is_response and m.branch == request.branch and m.status >= 300),
            (receiver, lambda m: not m.is_response and m.method == request.method
             and m.get("Call-ID") == request.get("Call-ID")),
        ], timeout, f"{request.method} to {receiver.user}")
        if which == 1:
            return message
        if request.method == "INVITE":
            sender.send(sender.ack(request, message))
        if message.status not in (401, 407):
            raise AssertionError(f"{request.method} to {receiver.user} got {message.first_line}")
        sender.answer(request, message)
    raise AssertionError(f"{request.method} to {receiver.user} was challenged twice")
