"""One user agent of a fleet: a socket that never blocks, framing, credentials."""

import hashlib
import re
import socket
import ssl

COOKIE = "z9hG4bK"
#: Options of challenges that an answer needs.
PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')


class Incoming:
    """A message as it came."""

    def __init__(self, head, body):
        self.head, self.body = head, body
        lines = head.decode("utf-8", "replace").split("\r\n")
        self.first_line, self.fields = lines[0], {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.fields.setdefault(name.strip().lower(), []).append(value.strip())
        if self.first_line.startswith("SIP/"):
            self.status = int(self.first_line.split(" ", 2)[1])
            self.method = self.get("cseq").split()[1]
        else:
            self.status, (self.method, self.uri) = None, self.first_line.split(" ", 2)[:2]

    def get(self, name):
        values = self.fields.get(name)
        return values[0] if values else ""

    def all(self, name):
        """The values of a list field, one by one; none of ours has a comma in quotes."""
        return [value.strip() for line in self.fields.get(name, []) for value in line.split(",")]


class Client:
    """A user agent with one connection at a time; each connection has a contact of its own.

    A request that comes over a connection with the contact of an earlier one, or of somebody else, went wrong.
    """

    def __init__(self, fleet, node, user, transport, source="127.0.0.1"):
        self.fleet, self.node, self.user, self.transport, self.source = fleet, node, user, transport, source
        self.domain, self.password = "example.test", "secret"
        self.socket, self.state, self.buffer, self.output = None, "closed", b"", b""
        #: How many connections there were, this one included.
        self.number = 0
        self.address, self.registered = None, False
        #: Header field, realm, nonce, count of uses.
        self.challenge = None
        self.sequence, self.context = 0, None
        #: Called when the connection breaks, by `fleet`.
        self.on_open = None

    # Names

    @property
    def aor(self):
        return f"sip:{self.user}@{self.domain}"

    @property
    def contact(self):
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"sip:{self.user}-{self.number}@{self.address}{suffix}"

    def via(self, branch):
        return f"SIP/2.0/{self.transport.upper()} {self.address};branch={COOKIE}-{branch};rport"

    # Connection

    def open(self, on_open=None):
        """Connects; `on_open` is called once messages can be sent."""
        self.number += 1
        self.on_open, self.buffer, self.output, self.challenge, self.registered = on_open, b"", b"", None, False
        self.socket = self.bound()
        self.socket.setblocking(False)
        remote = ("127.0.0.1", self.node.ports[self.transport])
        if self.transport == "udp":
            self.socket.connect(remote)
            self.opened()
            return
        self.socket.connect_ex(remote)
        self.state = "connecting"
        self.fleet.watch(self, writes=True)

    def bound(self):
        """A socket with a port that no other client has or had: ports are of a transport, here they name a client."""
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        while True:
            made = socket.socket(socket.AF_INET, kind)
            made.bind((self.source, 0))
            if self.fleet.ports.setdefault(made.getsockname()[1], self) is self:
                return made
            made.close()

    def opened(self):
        host, port = self.socket.getsockname()
        self.address, self.state = f"{host}:{port}", "open"
        self.fleet.watch(self)
        if self.on_open:
            self.on_open(self)
        if self.transport == "tls":
            self.read()

    def ready(self):
        """The socket can be read or written."""
        try:
            if self.state == "connecting":
                code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    return self.lost(f"connect: {code}")
                if self.transport == "tcp":
                    return self.opened()
                self.context = self.context or self.fleet.tls(self.node)
                self.socket = self.fleet.wrapped(self)
                self.state = "handshaking"
            if self.state == "handshaking":
                return self.shake_hands()
            if self.output:
                self.flush()
            self.read()
        except (OSError, ssl.SSLError) as error:
            self.lost(f"{type(error).__name__}: {error}")

    def shake_hands(self):
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            return self.fleet.watch(self)
        except ssl.SSLWantWriteError:
            return self.fleet.watch(self, writes=True)
        self.opened()

    def lost(self, reason):
        """The connection broke: whatever is under way over it hears so."""
        if self.state == "closed":
            return
        was_open = self.state == "open"
        self.close()
        self.fleet.connection_lost(self, was_open, reason)

    def close(self):
        if self.socket:
            self.fleet.forget(self)
            self.socket.close()
        self.socket, self.state, self.registered = None, "closed", False

    # Octets

    def send(self, text):
        if self.state != "open":
            return
        data = text.encode()
        self.fleet.sent += 1
        if self.transport == "udp":
            try:
                self.socket.send(data)
            except OSError:
                pass
            return
        self.output += data
        try:
            self.flush()
        except (OSError, ssl.SSLError) as error:
            # Not from here, where an operation is at work.
            number, reason = self.number, f"{type(error).__name__}: {error}"
            self.fleet.later(0, lambda: self.lost(reason) if self.number == number else None)

    def flush(self):
        try:
            while self.output:
                count = self.socket.send(self.output)
                self.output = self.output[count:]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return self.fleet.watch(self, writes=True)
        self.fleet.watch(self)

    def read(self):
        while self.state == "open":
            try:
                data = self.socket.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except ConnectionRefusedError:
                if self.transport == "udp":
                    return
                raise
            if self.transport == "udp":
                head, _, body = data.partition(b"\r\n\r\n")
                if head.strip():
                    self.fleet.received(self, Incoming(head, body))
                continue
            if not data:
                return self.lost("closed by the server")
            self.buffer += data
            self.take()

    def take(self):
        while self.state == "open":
            self.buffer = self.buffer.lstrip(b"\r\n")
            head, separator, rest = self.buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            length = int(re.search(rb"(?im)^content-length\s*:\s*(\d+)", head).group(1))
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            self.fleet.received(self, Incoming(head, rest[:length]))

    # Messages

    def request(self, method, uri, to, call_id, branch, sequence, from_tag, to_tag=None, routes=(), extra=(), body=""):
        """A request's text; the same arguments give the same octets."""
        lines = [f"{method} {uri} SIP/2.0", f"Via: {self.via(branch)}", "Max-Forwards: 70"]
        lines += [f"Route: {route}" for route in routes]
        lines += [f"From: <{self.aor}>;tag={from_tag}", f"To: <{to}>" + (f";tag={to_tag}" if to_tag else ""),
                  f"Call-ID: {call_id}", f"CSeq: {sequence} {method}", *extra, f"Content-Length: {len(body)}", "", body]
        return "\r\n".join(lines)

    def credentials(self, method, uri):
        """An answer to the last challenge, as a list of one line or none."""
        if not self.challenge:
            return []
        field, realm, nonce, uses = self.challenge
        self.challenge[3] = uses = uses + 1
        secret = hashed(self.user, realm, self.password)
        number, client_nonce = f"{uses:08x}", f"c{uses}"
        answer = hashed(secret, nonce, number, client_nonce, "auth", hashed(method, uri))
        return [f'{field}: Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
                f'algorithm=MD5, qop=auth, nc={number}, cnonce="{client_nonce}", response="{answer}"']

    def challenged(self, message):
        """Takes the challenge of a 401 or 407; False when there is none."""
        name = "www-authenticate" if message.status == 401 else "proxy-authenticate"
        value = message.get(name)
        if not value:
            return False
        fields = {key.lower(): quoted or plain for key, quoted, plain in PARAMETER.findall(value)}
        field = "Authorization" if message.status == 401 else "Proxy-Authorization"
        self.challenge = [field, fields["realm"], fields["nonce"], 0]
        return True

    def response(self, request, status, reason, extra=(), body=""):
        lines = [f"SIP/2.0 {status} {reason}", *(f"Via: {value}" for value in request.all("via"))]
        lines += [f"Record-Route: {value}" for value in request.all("record-route")]
        to = request.get("to")
        if "tag=" not in to:
            to += f";tag={self.user}"
        lines += [f"From: {request.get('from')}", f"To: {to}", f"Call-ID: {request.get('call-id')}",
                  f"CSeq: {request.get('cseq')}", *extra, f"Content-Length: {len(body)}", "", body]
        return "\r\n".join(lines)


def hashed(*parts):
    return hashlib.md5(":".join(parts).encode()).hexdigest()
