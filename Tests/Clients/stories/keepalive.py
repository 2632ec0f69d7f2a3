"""Keep-alives, ours and the clients' (RFC 5626 §4.4 and §5.4, RFC 5389)."""

import os
import select
import socket
import struct
import time

import sip
from harness import check, story

from .conformance import message, options

COOKIE = 0x2112A442


def binding_request(attributes=b"", transaction=None):
    return struct.pack("!HHI", 1, len(attributes), COOKIE) + (transaction or os.urandom(12)) + attributes


def answer_of(channel, timeout=2):
    """The next datagram, or None."""
    return channel.socket.recv(65536) if select.select([channel.socket], [], [], timeout)[0] else None


def attributes_of(text):
    """The attributes of a STUN message by type (RFC 5389 §15)."""
    kind, length, cookie = struct.unpack("!HHI", text[:8])
    check(cookie == COOKIE and length == len(text) - 20 and length % 4 == 0, f"no STUN message: {text.hex()}")
    found, rest = {}, text[20:]
    while rest:
        name, size = struct.unpack("!HH", rest[:4])
        found[name] = rest[4:4 + size]
        rest = rest[4 + (size + 3) // 4 * 4:]
    return kind, found


def mapped(value, transaction):
    """Address and port of XOR-MAPPED-ADDRESS (RFC 5389 §15.2)."""
    family, port = struct.unpack("!xBH", value[:4])
    mask = struct.pack("!I", COOKIE) + (transaction if family == 2 else b"")
    octets = bytes(a ^ b for a, b in zip(value[4:], mask))
    return socket.inet_ntop(socket.AF_INET6 if family == 2 else socket.AF_INET, octets), port ^ (COOKIE >> 16)


@story("keepalive", "STUN Binding on the UDP ports: the answer names the address that asked, IPv4 and IPv6, amid SIP")
def stun(context):
    for host in ("127.0.0.1", "::1"):
        agent = context.agent("alice", "udp", host=host)
        for attributes in (b"", struct.pack("!HH4s", 0x8022, 3, b"abc\0"), struct.pack("!HHI", 0xC0DE, 4, 7)):
            request = binding_request(attributes)
            agent.send(request)
            text = answer_of(agent.channel)
            check(text and text[8:20] == request[8:20], f"{host}: the answer is {text and text.hex()}")
            kind, found = attributes_of(text)
            check(kind == 0x0101 and 0x20 in found, f"{host}: the answer is {text.hex()}")
            got = mapped(found[0x20], request[8:20])
            check(got == agent.channel.local[:2], f"{host}: XOR-MAPPED-ADDRESS is {got}")
            check(agent.exchange(options(agent)).status == 200, "SIP no longer works on that port")


@story("keepalive", "STUN with an attribute that must be understood gets 420; what isn't a Binding request, nothing")
def strange_stun(context):
    agent = context.agent("alice", "udp")
    request = binding_request(struct.pack("!HHI", 0x7ABC, 4, 7))
    agent.send(request)
    text = answer_of(agent.channel)
    kind, found = attributes_of(text) if text else (None, {})
    # RFC 5389 §7.3.1.
    check(kind == 0x0111 and found.get(9, b"")[2:4] == b"\x04\x14", f"the answer is {text and text.hex()}")
    check(found.get(0x0A, b"")[:2] == b"\x7a\xbc", f"UNKNOWN-ATTRIBUTES is {found.get(0x0A)}")
    good = binding_request()
    for bad in (good[:19], good[:2] + b"\0\x04" + good[4:], b"\0\x11" + good[2:], b"\x01\x01" + good[2:],
                b"\x01\x11" + good[2:], b"\0\x03" + good[2:], b"\0" * 20, b"\0" * 2000,
                binding_request(b"\x80\x22\xff\xff")):
        agent.send(bad)
        text = answer_of(agent.channel, 0.05)
        check(text is None or text[:2] == b"\x01\x11", f"{bad[:24].hex()} got {text and text.hex()}")
    check(agent.exchange(options(agent)).status == 200, "SIP no longer works on that port")


@story("keepalive", "a STUN client from before the magic cookie gets MAPPED-ADDRESS")
def old_stun(context):
    agent = context.agent("alice", "udp")
    request = struct.pack("!HH", 1, 0) + os.urandom(16)
    agent.send(request)
    text = answer_of(agent.channel)
    # RFC 5389 §12.2.
    check(text and text[:2] == b"\x01\x01" and text[4:20] == request[4:20], f"the answer is {text and text.hex()}")
    host, port = agent.channel.local[:2]
    value = struct.pack("!HHxBH", 1, 8, 1, port) + socket.inet_aton(host)
    check(text[20:] == value, f"the answer is {text.hex()}")


@story("keepalive", "a double CRLF gets one CRLF at once, before, between and behind messages, alone and with them")
def crlf(context):
    for transport in ("tls", "tcp"):
        agent = context.agent("alice", transport)
        texts = [b"\r\n\r\n", options(agent).encode() + b"\r\n\r\n", b"\r\n\r\n" + options(agent).encode()]
        for count, text in enumerate(texts * 2, 1):
            before = agent.channel.pongs
            agent.send(text)
            deadline = time.monotonic() + 2
            while agent.channel.pongs == before and time.monotonic() < deadline:
                agent.pump(0.1)
            check(agent.channel.pongs == before + 1, f"{transport}: {count} pings brought {agent.channel.pongs} CRLFs")
        agent.send(b"\r\n")
        agent.pump(0.1)
        agent.send(b"\r\n")
        agent.pump(0.3)
        check(agent.channel.pongs in (6, 7), f"{transport}: a ping in two parts: {agent.channel.pongs - 6} CRLFs")
        check(agent.exchange(options(agent)).status == 200, f"{transport}: SIP no longer works")


@story("keepalive", "over UDP, CRLF and a lone octet 0 keep a NAT open: no answer, and the binding stays reachable")
def datagrams(context):
    alice, bob = context.registered("alice"), context.registered("bob", "udp")
    for text in (b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0", b""):
        bob.channel.socket.send(text)
        check(answer_of(bob.channel, 0.05) is None, f"{text} was answered")
    received = sip.deliver(alice, message(alice, "bob"), bob)
    bob.reply(received, 200, "OK")


@story("keepalive", "UDP clients behind a NAT get keep-alives, others none; one that is silent loses its contact", 60)
def options_to_clients(context):
    server = context.own_server({"keepalive": "{ udp_interval: 5, remove_after: 2 }"})
    alice = context.registered("alice", server=server)
    plain = context.registered("carol", "udp", server=server)
    behind, silent = [context.agent("bob", "udp", server=server) for _ in range(2)]
    for number, agent in enumerate((behind, silent)):
        agent.sent_by = f"192.0.2.{number + 1}:5060"
        agent.fixed_contact = f"sip:bob{number}@{agent.sent_by}"
        agent.register()
    began, asked = time.monotonic(), 0
    while time.monotonic() - began < 30 and (asked < 2 or len(behind.bindings()) > 1):
        try:
            request = behind.expect_request("OPTIONS", 1)
        except sip.Missing:
            continue
        asked += 1
        check(request.uri == behind.fixed_contact, f"OPTIONS came for {request.uri}")
        behind.reply(request, (200, 404, 501)[asked % 3], "Whatever")
    check(asked >= 2, f"{asked} keep-alives came within 30 s")
    check(list(behind.bindings()) == [behind.contact], f"bob's bindings are {behind.bindings()}")
    plain.nothing("OPTIONS", 0.1)
    received = sip.deliver(alice, message(alice, "bob"), behind)
    behind.reply(received, 200, "OK")


@story("keepalive", "by CRLF the keep-alives to UDP clients are two line breaks, to all of them when that is set", 30)
def crlf_to_clients(context):
    server = context.own_server({"keepalive": "{ udp_interval: 5, udp_clients: all, method: crlf }"})
    agents = [context.registered("bob", "udp", server=server) for _ in range(2)]
    for agent in agents:
        text = answer_of(agent.channel, 8)
        check(text == b"\r\n\r\n", f"the keep-alive is {text}")
    check(len(agents[0].bindings()) == 2, f"bob's bindings are {agents[0].bindings()}")
