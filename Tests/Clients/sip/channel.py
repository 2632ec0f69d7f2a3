"""One socket to the server: bytes out, messages in."""

import select
import socket
import ssl
import time

from .message import Message, parse_head


class Missing(AssertionError):
    """Something that had to come did not."""


class Closed(AssertionError):
    """The other side closed the connection."""


class Channel:
    """One socket to the server: bytes out, messages in."""

    def __init__(self, server, transport="tls", host="127.0.0.1", version=None, port=None, source=None,
                 certificate=None, resuming=None):
        """`source`: the address to come from, of this host; `certificate`: files with one and its key, to be shown when
        asked for; `resuming`: a TLS channel whose session is continued."""
        self.transport = transport
        self.remote = (host, port or server.ports[transport])
        self.buffer = b""
        self.pongs = 0
        if transport == "udp":
            self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((source or host, 0))
            self.socket.connect(self.remote)
        else:
            self.socket = socket.create_connection(self.remote, 5, (source, 0) if source else None)
            if transport == "tls":
                context = resuming.context if resuming else ssl.create_default_context(cafile=str(server.ca))
                if version:
                    context.minimum_version = context.maximum_version = version
                if certificate:
                    context.load_cert_chain(*map(str, certificate))
                self.context = context
                self.socket = context.wrap_socket(self.socket, server_hostname="example.test",
                                                  session=resuming.socket.session if resuming else None)
        self.local = self.socket.getsockname()
        self.socket.settimeout(5)

    @classmethod
    def accepted(cls, connection):
        """A TCP connection that the server opened to us."""
        channel = cls.__new__(cls)
        channel.transport, channel.socket, channel.buffer, channel.pongs = "tcp", connection, b"", 0
        channel.local, channel.remote = connection.getsockname(), connection.getpeername()
        connection.settimeout(5)
        return channel

    def send(self, data):
        try:
            self.socket.sendall(data.encode() if isinstance(data, Message) else data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError) as error:
            raise Closed(f"the server closed the connection while we sent: {error}") from None

    def close(self):
        """Closes without a word; safe to call again."""
        try:
            self.socket.close()
        except OSError:
            pass

    def reset(self):
        """Ends the connection by a TCP reset, as a host that went away."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.close()

    def read(self, deadline):
        """Waits for bytes until `deadline`; False when none came."""
        pending = self.transport == "tls" and self.socket.pending()
        wait = max(0, deadline - time.monotonic())
        if not pending and not select.select([self.socket], [], [], wait)[0]:
            return False
        self.socket.settimeout(max(0.05, wait))
        try:
            data = self.socket.recv(65536)
        except (ssl.SSLWantReadError, TimeoutError):
            return False
        except ConnectionRefusedError:
            return False
        except (ConnectionResetError, ssl.SSLError) as error:
            raise Closed(f"the connection ended: {error}") from None
        finally:
            self.socket.settimeout(5)
        if not data and self.transport != "udp":
            raise Closed("the server closed the connection")
        self.buffer = data if self.transport == "udp" else self.buffer + data
        return True

    def next(self):
        """The next whole message of the buffer, or None."""
        while self.buffer.startswith(b"\r\n"):
            self.buffer = self.buffer[2:]
            self.pongs += 1
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return None
        message = parse_head(head)
        length = message.get("Content-Length")
        if length is None:
            if self.transport != "udp":
                raise AssertionError(f"{message.first_line} came over a stream without Content-Length")
            length = len(rest)
        if len(rest) < int(length):
            return None
        message.body, self.buffer = rest[: int(length)], rest[int(length):]
        if self.transport == "udp":
            self.buffer = b""
        return message

    def receive(self, timeout):
        deadline = time.monotonic() + timeout
        while True:
            message = self.next()
            if message is not None:
                return message
            if not self.read(deadline) and time.monotonic() >= deadline:
                raise Missing(f"no message within {timeout} s")

    def wait_for_close(self, timeout):
        """Reads to the end of the connection; returns what messages came before."""
        deadline, messages = time.monotonic() + timeout, []
        try:
            while time.monotonic() < deadline:
                message = self.next()
                if message is not None:
                    messages.append(message)
                else:
                    self.read(deadline)
        except Closed:
            while (message := self.next()) is not None:
                messages.append(message)
            return messages
        raise Missing(f"the connection was still open after {timeout} s; it brought {messages}")


class Listener:
    """A TCP port of ours, for connections that the server opens."""

    def __init__(self, host="127.0.0.1", port=0):
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((host, port))
        self.socket.listen()
        self.port = self.socket.getsockname()[1]

    def accept(self, timeout=5):
        self.socket.settimeout(timeout)
        try:
            return Channel.accepted(self.socket.accept()[0])
        except TimeoutError:
            raise Missing(f"no connection came within {timeout} s") from None

    def close(self):
        self.socket.close()
