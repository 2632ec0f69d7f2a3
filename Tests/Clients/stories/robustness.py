"""Bad, half and oversized messages: an answer or a closed connection, never harm to others."""

import time

import servers
import sip
from harness import check, story

STREAMS = ("tls", "tcp")


def options(agent, headers=(), body=b""):
    return agent.request("OPTIONS", "sip:example.test", headers=headers, body=body, contact=False)


def still_serves(context):
    agent = context.agent("alice")
    response = agent.exchange(options(agent))
    check(response.status == 200, f"OPTIONS on a new connection got {response.first_line}")
    agent.close()


def refused_and_closed(channel, statuses, what):
    """Reads to the end: an answer of one of these statuses may come first, then the close."""
    answers = channel.wait_for_close(11)
    for answer in answers:
        check(answer.status in statuses, f"{what}: the server answered {answer.first_line}")
    return answers


@story("limits", "a request without Content-Length over a stream gets 400, then the connection closes")
def no_length(context):
    for transport in STREAMS:
        agent = context.agent("alice", transport)
        text = options(agent).encode().replace(b"Content-Length: 0\r\n", b"")
        agent.send(text)
        answers = refused_and_closed(agent.channel, {400}, transport)
        check(len(answers) == 1, f"{transport}: closed without a 400")
    still_serves(context)


@story("limits", "a Content-Length shorter than the body: the rest is no request, and the connection closes")
def short_length(context):
    for transport in STREAMS:
        agent = context.agent("alice", transport)
        request = options(agent, [("Content-Length", "4")], b"bodyRUBBISH that is no message\r\n\r\n")
        agent.send(request)
        answers = agent.channel.wait_for_close(11)
        statuses = [answer.status for answer in answers]
        check(statuses[:1] == [200] and set(statuses[1:]) <= {400}, f"{transport}: answered {statuses}")
    still_serves(context)


@story("limits", "a Content-Length longer than what comes: no answer until the rest is there, then one")
def long_length(context):
    for transport in STREAMS:
        agent = context.agent("alice", transport)
        request = options(agent, [("Content-Length", "10")], b"12345")
        agent.send(request)
        try:
            early = agent.expect_final(request, timeout=0.5)
            raise AssertionError(f"{transport}: half a message got {early.first_line}")
        except sip.Missing:
            agent.send(b"67890")
        check(agent.expect_final(request).status == 200, f"{transport}: the whole message got no 200")


@story("limits", "Content-Length that is no number, negative, doubled or huge gets an error or a closed connection")
def bad_length(context):
    for value in ("abc", "-1", "99999999999999999999", "4294967296", "1 2", ""):
        agent = context.agent("alice")
        text = options(agent).encode().replace(b"Content-Length: 0", f"Content-Length: {value}".encode())
        agent.send(text)
        refused_and_closed(agent.channel, {400, 413, 513}, f"Content-Length: {value}")
    agent = context.agent("alice")
    agent.send(options(agent, [("Content-Length", "0"), ("Content-Length", "5")]))
    refused_and_closed(agent.channel, {400}, "two Content-Length")
    still_serves(context)


@story("limits", "oversized lines, fields and bodies get a 4xx or 5xx or none, and the connection closes")
def oversized(context):
    cases = {
        "one field of 100,000 octets": lambda agent: options(agent, [("X-Long", "a" * 100_000)]).encode(),
        "10,000 fields": lambda agent: options(agent, [("X", "a")] * 10_000).encode(),
        "a Request-URI of 70,000 octets": lambda agent: options(agent).encode().replace(
            b"sip:example.test SIP", b"sip:" + b"a" * 70_000 + b"@example.test SIP", 1),
        "a body of 100,000 octets": lambda agent: options(agent, body=b"x" * 100_000).encode(),
        "a line without an end": lambda agent: b"OPTIONS " + b"a" * 200_000,
    }
    for what, build in cases.items():
        agent = context.agent("alice")
        try:
            agent.send(build(agent))
        except sip.Closed:
            continue
        answers = refused_and_closed(agent.channel, range(400, 600), what)
        check(len(answers) <= 1, f"{what}: {len(answers)} answers")
    still_serves(context)


@story("limits", "several requests in one write and one request in many writes are each answered")
def framing(context):
    for transport in STREAMS:
        agent = context.agent("alice", transport)
        requests = [options(agent, body=b"b" * n) for n in range(5)]
        agent.send(b"\r\n\r\n".join(request.encode() for request in requests))
        for request in requests:
            check(agent.expect_final(request).status == 200, f"{transport}: one of five at once got no 200")
        request = options(agent, body=b"slow")
        for octet in request.encode():
            agent.send(bytes([octet]))
        check(agent.expect_final(request).status == 200, f"{transport}: octet by octet got no 200")


@story("limits", "a CRLF ping is answered by one CRLF, before and between messages")
def ping(context):
    for transport in STREAMS:
        agent = context.agent("alice", transport)
        for number in (1, 2):
            agent.send(b"\r\n\r\n")
            deadline = time.monotonic() + 3
            while agent.channel.pongs < number:
                check(agent.channel.next() is None, "a message came")
                if agent.channel.pongs < number:
                    check(agent.channel.read(deadline), f"{transport}: ping {number} got no CRLF")
            request = options(agent)
            check(agent.exchange(request).status == 200, f"{transport}: OPTIONS after the ping got no 200")
        check(agent.channel.pongs == 2, f"{transport}: {agent.channel.pongs} answers to 2 pings")


@story("limits", "required fields that are missing, and another SIP version, get an error in our version")
def incomplete(context):
    for name in ("From", "To", "Call-ID", "CSeq"):
        agent = context.agent("alice", "udp")
        request = options(agent)
        request.remove(name)
        agent.send(request)
        try:
            response = agent.channel.receive(0.7)
        except sip.Missing:
            continue
        check(response.status == 400, f"without {name} it got {response.first_line}")
    agent = context.agent("alice")
    request = options(agent)
    request.first_line = request.first_line.replace("SIP/2.0", "SIP/7.0")
    agent.send(request)
    response = agent.channel.receive(5)
    check(response.first_line.startswith("SIP/2.0 505 "), f"SIP/7.0 got {response.first_line}")
    still_serves(context)


@story("limits", "Max-Forwards 0 gets 483, and OPTIONS to the server itself gets 200")
def max_forwards(context):
    alice, bob = context.registered("alice"), context.registered("bob")
    message = alice.request("MESSAGE", "sip:bob@example.test", contact=False)
    message.replace("Max-Forwards", "0")
    response = alice.transact(message)
    check(response.status == 483, f"Max-Forwards 0 got {response.first_line}")
    bob.nothing("MESSAGE", 0.2)


@story("limits", "garbage on one connection leaves a call on others alone")
def garbage_beside_a_call(context):
    alice, bob = context.registered("alice"), context.registered("bob")
    caller, callee = sip.call(alice, bob)
    for data in (b"\0" * 2000, b"\xff\xfe" * 500, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SIP/2.0 200\r\n\r\n",
                 b"INVITE sip:a SIP/2.0\r\n\r\n", b":\r\n:\r\n\r\n", b" \r\n\r\n"):
        for transport in STREAMS:
            channel = context.channel(transport)
            try:
                channel.send(data)
                refused_and_closed(channel, range(400, 600), repr(data[:20]))
            except sip.Closed:
                pass
        datagram = context.channel("udp")
        datagram.send(data)
    sip.in_dialog("INFO", caller, callee)
    sip.hang_up(callee, caller)


@story("limits", "half a message and a connection that says nothing are closed in time", limit=40)
def too_slow(context):
    request = b"OPTIONS sip:example.test SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKhalf\r\n"
    channels = {}
    for transport in STREAMS:
        channels[f"{transport}, silent"] = context.channel(transport)
        channels[f"{transport}, half a message"] = context.channel(transport)
        channels[f"{transport}, half a message"].send(request)
        channels[f"{transport}, half a body"] = context.channel(transport)
        channels[f"{transport}, half a body"].send(request + b"Content-Length: 100\r\n\r\nhalf")
    began = time.monotonic()
    for name, channel in channels.items():
        answers = refused_and_closed(channel, range(400, 600), name)
        check(time.monotonic() - began <= servers.PATIENCE + 2, f"{name}: {time.monotonic() - began:.1f} s, {answers}")
    still_serves(context)


@story("limits", "a callee that stops reading loses its connection, and nobody else waits", limit=60)
def stops_reading(context):
    alice, bob, carol = context.registered("alice"), context.registered("bob"), context.registered("carol")
    body = b"x" * 30_000
    first = alice.request("MESSAGE", "sip:bob@example.test", contact=False)
    bob.reply(sip.deliver(alice, first, bob), 200, "OK")
    check(alice.expect_final(first).status == 200, "the first message failed")
    slowest, statuses = 0, []
    for count in range(400):
        message = alice.request("MESSAGE", "sip:bob@example.test", body=body, contact=False)
        alice.authorize(message)
        alice.send(message)
        alice.pump(0)
        began = time.monotonic()
        if count % 20 == 0:
            check(carol.exchange(options(carol)).status == 200, "OPTIONS beside it failed")
            slowest = max(slowest, time.monotonic() - began)
    deadline = time.monotonic() + servers.PATIENCE + 3
    while time.monotonic() < deadline:
        alice.pump(0.1)
    statuses = [m.status for m in alice.seen if m.is_response and m.method == "MESSAGE"]
    check(slowest < 1, f"OPTIONS of another client took {slowest:.1f} s meanwhile")
    check(any(status in (480, 500, 503) for status in statuses), f"the sender got {sorted(set(statuses))}")
    bob.channel.wait_for_close(12)
