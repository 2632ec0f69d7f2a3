"""Messages: first line, header fields in order, body."""

import random
import re

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
           "c": "content-type", "s": "subject", "k": "supported", "e": "content-encoding", "o": "event"}
COOKIE = "z9hG4bK"
SDP = (b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
       b"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n")


def long_name(name):
    name = name.strip().lower()
    return COMPACT.get(name, name)


def token(length=8):
    return "".join(random.choices("abcdefghijkmnpqrstuvwxyz23456789", k=length))


class Message:
    """A request or response: first line, header fields in order, body."""

    def __init__(self, first_line, headers=(), body=b""):
        self.first_line = first_line
        self.headers = list(headers)
        self.body = body
        #: The octets of the head as they came, without the empty line.
        self.head = b""

    @property
    def is_response(self):
        return self.first_line.startswith("SIP/")

    @property
    def status(self):
        return int(self.first_line.split(" ")[1]) if self.is_response else None

    @property
    def method(self):
        return self.get("CSeq").split()[1] if self.is_response else self.first_line.split(" ")[0]

    @property
    def uri(self):
        return self.first_line.split(" ")[1]

    def all(self, name):
        return [value for key, value in self.headers if long_name(key) == long_name(name)]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def values(self, name):
        """The values of a list header field, one by one, whether in one line or in several."""
        return [part for line in self.all(name) for part in split_values(line)]

    def remove(self, name):
        self.headers = [(key, value) for key, value in self.headers if long_name(key) != long_name(name)]

    def replace(self, name, value):
        """Gives the first field of this name another value, or adds one."""
        for index, (key, _) in enumerate(self.headers):
            if long_name(key) == long_name(name):
                self.headers[index] = (key, value)
                return
        self.headers.append((name, value))

    def lines_but(self, *names):
        """The header lines as they came, octet for octet, but those of some names."""
        unwanted = {long_name(name) for name in names}
        lines = re.split(rb"\r\n(?![ \t])", self.head)[1:]
        return [line for line in lines if long_name(line.partition(b":")[0].decode("latin-1")) not in unwanted]

    def parameter(self, name, parameter):
        """A parameter behind the closing bracket, or behind the first `;` where there is none."""
        value = self.get(name, "")
        match = re.search(r";\s*" + parameter + r"\s*=\s*([^;,\s>]+)", value.split(">", 1)[-1])
        return match and match.group(1)

    @property
    def branch(self):
        match = re.search(r";\s*branch=([^;,\s]+)", self.values("Via")[0])
        return match and match.group(1)

    def encode(self):
        lines = [self.first_line] + [f"{name}: {value}" for name, value in self.headers]
        if not self.all("Content-Length"):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.body

    def __repr__(self):
        return f"<{self.first_line} [{self.get('Call-ID')}]>"


def split_values(line):
    """Splits at commas outside quotes and angle brackets."""
    parts, current, quoted, depth, escaped = [], "", False, 0, False
    for character in line:
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif not quoted and character in "<>":
            depth += 1 if character == "<" else -1
        elif not quoted and depth == 0 and character == ",":
            parts.append(current.strip())
            current = ""
            continue
        current += character
    return parts + [current.strip()]


def parse_head(head):
    lines = re.sub(rb"\r\n[ \t]+", b" ", head).split(b"\r\n")
    headers = []
    for line in lines[1:]:
        name, _, value = line.decode("utf-8", "replace").partition(":")
        headers.append((name.strip(), value.strip()))
    message = Message(lines[0].decode("utf-8", "replace"), headers)
    message.head = head
    return message


def uri_of(value):
    """The URI of a name-addr or addr-spec."""
    match = re.search(r"<([^>]*)>", value)
    return match.group(1) if match else value.split(";")[0].strip()
