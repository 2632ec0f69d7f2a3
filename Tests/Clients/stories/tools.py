"""openssl s_client and gnutls-cli, other TLS libraries' view of the server; and connections that say nothing."""

import socket
import ssl
import subprocess
import time

from harness import check, story, wait_until

OPTIONS = ("OPTIONS sip:example.test SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK{tag};rport\r\n"
           "Max-Forwards: 70\r\nFrom: <sip:probe@example.test>;tag={tag}\r\nTo: <sip:example.test>\r\n"
           "Call-ID: {tag}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")


def s_client(context, *options):
    server = context.server
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['tls']}", "-servername", "example.test",
            "-CAfile", server.ca, "-verify_return_error", "-verify_hostname", "example.test", *options]


def gnutls(context, version):
    server = context.server
    return ["gnutls-cli", "--x509cafile", server.ca, "--sni-hostname", "example.test",
            "--verify-hostname", "example.test", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}",
            "-p", server.ports["tls"], "127.0.0.1"]


def asks(context, name, command):
    """OPTIONS is answered 200 through this client; then CRLF CRLF by CRLF."""
    process = context.start(name, command, stdin=subprocess.PIPE)
    process.stdin.write(OPTIONS.format(tag=name).encode())
    process.stdin.flush()

    def answered():
        check(process.poll() is None, f"{name} ended with {process.poll()}: {context.log(name)[-400:]}")
        return "SIP/2.0 200" in context.log(name) and f"Call-ID: {name}" in context.log(name)
    wait_until(answered, 8, f"200 for {name}")
    path = context.folder / f"{name}.log"
    wait_until(lambda: path.read_bytes().endswith(b"\r\n\r\n"), 3, f"the end of the 200 for {name}")
    before = path.read_bytes()
    process.stdin.write(b"\r\n\r\n")
    process.stdin.flush()
    wait_until(lambda: path.read_bytes() != before, 5, f"the pong for {name}")
    time.sleep(0.1)
    check(path.read_bytes()[len(before):] == b"\r\n", f"the ping got {path.read_bytes()[len(before):]!r}")


@story("tools", "openssl checks the certificate and gets 200 to OPTIONS and CRLF to a ping over TLS 1.2 and 1.3")
def openssl(context):
    for version in ("tls1_2", "tls1_3"):
        asks(context, f"openssl-{version}", s_client(context, f"-{version}", "-quiet", "-nocommands"))


@story("tools", "gnutls checks the certificate and gets 200 to OPTIONS and CRLF to a ping over TLS 1.2 and 1.3")
def gnutls_cli(context):
    for version in ("1.2", "1.3"):
        asks(context, f"gnutls-{version}", gnutls(context, version))


@story("tools", "the certificate carries the domain as URI and as DNS name, and the chain holds")
def certificate(context):
    process = context.start("certificate", s_client(context, "-showcerts"))
    check(context.finish(process, 8, "openssl") == 0, f"openssl: {context.log('certificate')[-300:]}")
    check("Verify return code: 0 (ok)" in context.log("certificate"), "the chain does not hold")
    found = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], text=True, timeout=8,
                           input=context.log("certificate"), capture_output=True).stdout
    for name in ("URI:sip:example.test", "DNS:example.test"):
        check(name in found, f"{name} is not among {found}")


@story("tools", "TLS 1.1 is refused")
def old_version(context):
    process = context.start("tls1.1", s_client(context, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"))
    check(context.finish(process, 8, "openssl") != 0, "TLS 1.1 was accepted")
    check("alert protocol version" in context.log("tls1.1"), f"another reason: {context.log('tls1.1')[-300:]}")


def silent(context, transport, data):
    connection = socket.create_connection(("127.0.0.1", context.server.ports[transport]), timeout=5)
    connection.sendall(data)
    return connection


@story("tools", "connections without a handshake are gone within 11 s: silent, half a ClientHello, one octet a second",
       limit=40)
def no_handshake(context):
    hello = client_hello()
    connections = {"silent": silent(context, "tls", b""), "half a ClientHello": silent(context, "tls", hello[:60]),
                   "drop by drop": silent(context, "tls", hello[:5])}
    began, position, ended = time.monotonic(), 5, {}
    while time.monotonic() - began < 12 and len(ended) < len(connections):
        for name, connection in connections.items():
            if name not in ended and is_closed(connection):
                ended[name] = time.monotonic() - began
        drop = connections["drop by drop"]
        if "drop by drop" not in ended and position < len(hello) - 1:
            try:
                drop.sendall(hello[position: position + 1])
                position += 1
            except OSError:
                ended["drop by drop"] = time.monotonic() - began
        time.sleep(0.4)
    for name, connection in connections.items():
        connection.close()
        check(name in ended, f"{name}: still open after 12 s")
        check(ended[name] <= 11, f"{name}: closed after {ended[name]:.1f} s")


@story("tools", "what is no TLS on the TLS port is closed at once")
def no_tls(context):
    for data in (b"OPTIONS sip:example.test SIP/2.0\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", bytes(range(256)) * 4):
        connection = silent(context, "tls", data)
        wait_until(lambda: is_closed(connection), 2, f"the end of a connection that began with {data[:12]!r}")
        connection.close()


def is_closed(connection):
    """Reads what is there; True at the end of the stream or after a reset."""
    connection.settimeout(0.02)
    try:
        while connection.recv(4096):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


def client_hello():
    """The first flight of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="example.test")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()
