"""What an independent conformance suite would ask, over TLS, TCP and UDP (RFC 3261, RFC 3581, RFC 4320, RFC 4475)."""

import socket

import sip
from harness import check, story
from sip.message import COOKIE, token

TRANSPORTS = ("tls", "tcp", "udp")
DOMAIN = "sip:example.test"


def options(agent, **fields):
    request = agent.request("OPTIONS", DOMAIN, contact=False)
    for name, value in fields.items():
        request.replace(name.replace("_", "-"), value)
    return request


def message(agent, user, headers=(), body=b""):
    return agent.request("MESSAGE", f"sip:{user}@example.test", headers=headers, body=body, contact=False)


def pair(context, here="tls", there="tls"):
    return context.registered("alice", here), context.registered("bob", there)


def statuses(agent, texts, timeout=3):
    """The status that each raw request gets, on a connection of its own."""
    found = {}
    for text in texts:
        other = sip.Agent(agent.server, agent.user, agent.transport)
        try:
            other.send(text)
            found[text] = other.channel.receive(timeout).status
        except (sip.Missing, sip.Closed):
            found[text] = None
        finally:
            other.close()
    return found


@story("conform", "a request that lacks From, To, Call-ID or CSeq gets 400, one without Via nothing")
def lacking(context):
    for transport in TRANSPORTS:
        for name in ("From", "To", "Call-ID", "CSeq"):
            agent = context.agent("alice", transport)
            request = options(agent)
            request.remove(name)
            found = statuses(agent, [request.encode()])
            check(set(found.values()) == {400}, f"{transport}: without {name} it got {found.values()}")
    agent = context.agent("alice", "udp")
    request = options(agent)
    request.remove("Via")
    check(statuses(agent, [request.encode()], 0.3)[request.encode()] is None, "without Via it was answered")


@story("conform", "fields that are given twice or malformed get 400, over every transport")
def malformed(context):
    rows = [("CSeq", "abc OPTIONS"), ("CSeq", "1 INVITE"), ("CSeq", "4294967296 OPTIONS"), ("Max-Forwards", "256"),
            ("Max-Forwards", "-1"), ("From", "<sip:a@b"), ("To", '"x <sip:a@b>'), ("Call-ID", "a b"), ("From", "<>")]
    for transport in TRANSPORTS:
        agent = context.agent("alice", transport)
        texts = {options(agent, **{name.replace("-", "_"): value}).encode(): f"{name}: {value}"
                 for name, value in rows}
        for name in ("From", "To", "Call-ID", "CSeq", "Max-Forwards"):
            request = options(agent)
            request.headers.append((name, request.get(name)))
            texts[request.encode()] = f"two {name}"
        for text, status in statuses(agent, texts).items():
            check(status == 400, f"{transport}: {texts[text]} got {status}")


@story("conform", "request lines: version, spaces, brackets, escapes, header part, scheme")
def request_lines(context):
    rows = {"OPTIONS sip:example.test SIP/3.0": 505, "OPTIONS  sip:example.test SIP/2.0": 400,
            "OPTIONS <sip:example.test> SIP/2.0": 400, "OPTIONS sip:a%zz@example.test SIP/2.0": 400,
            "OPTIONS sip:example.test?Subject=x SIP/2.0": 400, "OPTIONS sip:example.test:99999 SIP/2.0": 400,
            "OPTIONS tel:+1555 SIP/2.0": 416, "OPTIONS foo:bar SIP/2.0": 416, "OPTIONS SIP:EXAMPLE.TEST sip/2.0": 200}
    for transport in TRANSPORTS:
        agent = context.agent("alice", transport)
        texts = {}
        for line in rows:
            request = options(agent)
            request.first_line = line
            texts[request.encode()] = line
        for text, status in statuses(agent, texts).items():
            check(status == rows[texts[text]], f"{transport}: {texts[text]} got {status}")


@story("conform", "OPTIONS to the server has a To tag, Allow, Accept and Supported; an unknown Require gets 420")
def options_to_self(context):
    for transport in TRANSPORTS:
        agent = context.agent("alice", transport)
        response = agent.exchange(options(agent))
        check(response.status == 200 and response.parameter("To", "tag"), f"{transport}: {response.headers}")
        for name in ("Allow", "Accept", "Supported"):
            check(response.all(name), f"{transport}: no {name}")
        response = agent.exchange(options(agent, Require="wings"))
        check((response.status, response.get("Unsupported")) == (420, "wings"), f"{transport}: {response.headers}")


@story("conform", "an ACK is never answered, whatever is wrong with it")
def silent_ack(context):
    for transport in TRANSPORTS:
        agent = context.agent("alice", transport)
        for change in (("Max-Forwards", "0"), ("CSeq", "1 INVITE"), ("To", "<sip:x@y"), ("Proxy-Require", "wings")):
            ack = agent.request("ACK", DOMAIN)
            ack.replace(*change)
            agent.send(ack)
        response = agent.exchange(options(agent))
        check(response.status == 200 and not agent.inbox, f"{transport}: ACK got {agent.inbox}")


@story("conform", "the upper Via gets received and rport, spoofed ones go, and all values come back in order")
def vias(context):
    for transport in TRANSPORTS:
        alice = context.agent("alice", transport)
        port = alice.channel.local[1]
        for sent_by in ("10.1.2.3:9;received=192.0.2.7;rport=4444", "phone.invalid:9;rport"):
            request = options(alice)
            request.replace("Via", f"SIP/2.0/{transport.upper()} {sent_by};branch={COOKIE}{token()}")
            via = alice.exchange(request).values("Via")[0]
            check("received=127.0.0.1" in via and f"rport={port}" in via, f"{transport}: {via}")
            check("192.0.2.7" not in via, f"{transport}: {via}")
        alice, bob = pair(context, transport)
        lower = ["SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa;received=192.0.2.9",
                 'SIP/2.0/TLS [2001:db8::1];branch=z9hG4bKb;x="a,b"']
        request = message(alice, "bob")
        alice.via = lambda via=alice.via: f"{via()}, {lower[0]}"
        request.replace("Via", alice.via())
        request.headers.insert(3, ("v", lower[1]))
        received = sip.deliver(alice, request, bob)
        check(received.values("Via")[2:] == lower, f"{transport}: bob got {received.values('Via')}")
        bob.reply(received, 200, "OK")
        check(alice.expect_final(request).values("Via")[1:] == lower, f"{transport}: the answer lost a Via")
        alice.close()
        bob.close()


@story("conform", "over UDP without rport the answer goes to the port of sent-by at the source address")
def sent_by_port(context):
    agent = context.agent("alice", "udp")
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(3)
        request = options(agent)
        request.replace("Via", f"SIP/2.0/UDP 10.1.1.1:{other.getsockname()[1]};branch={COOKIE}{token()}")
        agent.send(request)
        answer = other.recv(65536)
    check(answer.startswith(b"SIP/2.0 200 ") and b"received=127.0.0.1" in answer, answer.decode())


@story("conform", "a client without the magic cookie: retransmission, CANCEL and ACK are matched")
def without_cookie(context):
    alice, bob = pair(context, "udp")
    alice.transact(message(alice, "carol"))
    invite = alice.invite("bob")
    alice.via = lambda: f"SIP/2.0/UDP 127.0.0.1:{alice.channel.local[1]};rport"
    invite.replace("Via", alice.via())
    alice.authorize(invite)
    alice.send(invite)
    received = bob.expect_request("INVITE")
    alice.send(invite)
    bob.reply(received, 180, "Ringing")
    bob.nothing("INVITE", 0.3)
    alice.send(alice.cancel(invite))
    check(alice.expect(lambda m: m.is_response and m.method == "CANCEL").status == 200, "CANCEL got no 200")
    bob.reply(bob.expect_request("CANCEL"), 200, "OK")
    bob.reply(received, 487, "Request Terminated")
    response = alice.expect(lambda m: m.is_response and m.method == "INVITE" and m.status >= 200)
    check(response.status == 487, f"the caller got {response.first_line}")
    alice.send(alice.ack(invite, response))
    alice.inbox.clear()
    try:
        again = alice.expect(lambda m: m.is_response and m.method == "INVITE" and m.status >= 200, 0.8)
        raise AssertionError(f"{again.first_line} came again after the ACK")
    except sip.Missing:
        pass


@story("conform", "Proxy-Require gets 420 with all tags; Require is the callee's affair")
def extensions(context):
    for transport in TRANSPORTS:
        alice, bob = pair(context, transport)
        request = message(alice, "bob", [("Proxy-Require", "wings, beak"), ("Proxy-Require", "tail")])
        response = alice.exchange(request)
        check((response.status, set(response.values("Unsupported"))) == (420, {"wings", "beak", "tail"}),
              f"{transport}: {response.first_line} {response.values('Unsupported')}")
        received = sip.deliver(alice, message(alice, "bob", [("Require", "wings")]), bob)
        check(received.get("Require") == "wings", f"{transport}: Require is {received.get('Require')}")
        alice.close()
        bob.close()


@story("conform", "escapes, ports and parameters lead to the same user, another case of the name does not")
def names(context):
    for transport in TRANSPORTS:
        alice, bob = pair(context, transport)
        port = context.server.ports[transport]
        for uri in ("sip:%62ob@example.test", "sip:bob@EXAMPLE.test", "SIP:bob@example.test;user=phone",
                    "sip:bob:pw@example.test", f"sip:bob@127.0.0.1:{port}",
                    f"sip:bob@example.test:{port};transport={transport}"):
            received = sip.deliver(alice, alice.request("MESSAGE", uri, contact=False), bob)
            check(received.uri == bob.contact, f"{transport}: {uri} went to {received.uri}")
            bob.reply(received, 200, "OK")
        response = alice.transact(alice.request("MESSAGE", "sip:BOB@example.test", contact=False))
        check(response.status == 404, f"{transport}: sip:BOB@example.test got {response.first_line}")
        alice.close()
        bob.close()


@story("conform", "a datagram holds one message, cut to its Content-Length; one that is too short gets 400")
def datagrams(context):
    alice, bob = pair(context, "udp", "tcp")
    alice.transact(message(alice, "carol"))

    def sent(change, body=b""):
        request = message(alice, "bob", body=body)
        alice.authorize(request)
        alice.send(change(request.encode()))
        return request

    sent(lambda text: text.replace(b"Content-Length: 5\r\n", b""), b"hello")
    received = bob.expect_request("MESSAGE")
    check(received.body == b"hello", f"the body became {received.body}")
    bob.reply(received, 200, "OK")
    sent(lambda text: text + options(alice).encode())
    received = bob.expect_request("MESSAGE")
    check(received.body == b"", f"the body became {received.body}")
    bob.reply(received, 200, "OK")
    request = sent(lambda text: text.replace(b"Content-Length: 5", b"Content-Length: 50"), b"hello")
    check(alice.expect_final(request).status == 400, "a body that is too short got no 400")
    check(all(m.method == "MESSAGE" for m in alice.inbox if m.is_response), "the second message of a datagram was read")
    alice.send(b"\r\n\r\n")
    alice.send(b"\0")
    check(alice.exchange(options(alice)).status == 200, "nothing works behind a keep-alive")


@story("conform", "bodies of 60,000 octets pass between all transports")
def large(context):
    body = bytes(i * 7 % 256 for i in range(60_000))
    for here in TRANSPORTS:
        for there in TRANSPORTS:
            alice, bob = pair(context, here, there)
            received = sip.deliver(alice, message(alice, "bob", body=body), bob)
            check(received.body == body, f"{here} to {there}: the body changed")
            bob.reply(received, 200, "OK")
            bob.register(expires=0)
            alice.close()
            bob.close()
