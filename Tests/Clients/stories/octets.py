"""What a message carries passes as it was sent: header fields, octet for octet, and bodies (RFC 3261 §16.6)."""

import sip
from harness import check, story
from sip.message import COOKIE, token

#: Field names that a proxy adds to, changes or takes away.
OURS = ("Via", "Route", "Record-Route", "Max-Forwards", "Max-Breadth", "Proxy-Authorization", "Content-Length",
        "P-Asserted-Identity", "CSeq")
#: Names and values that nobody here knows, or in a form that is rare.
FIELDS = [
    ("X-First", "1"), ("x-FIRST", "  two  spaced\t"), ("X-Empty", ""), ("Subject", ""), ("s", "compact"),
    ("X-Folded", "a,\r\n\tb,\r\n   c"), ("Warning", '399 a "x, \\"y\\"",\r\n 399 b "z"'), ("k", "timer,100rel , x"),
    ("X-UTF8", "čau ☎ \U0001f426"), ("X-Octets", "caf\udce9 \udcff\udc80"), ("X-First", "3"),
    ("!%*_+`'~.-", ";=,<>\""), ("o", "presence"), ("Date", "Sat, 13 Nov 2010 23:29:00 GMT"),
    ("User-Agent", "A/1 (b; c) d/2"), ("X" * 200, "y" * 3000), ("Accept", ""),
    ("In-Reply-To", "a@b,c@d"), ("Retry-After", "18000;duration=3600 (later)"), ("Organization", ":::"),
    ("Content-Language", "fr,en"), ("Alert-Info", "<http://a/b>;x=\"1,2\""), ("Session-Expires", "4000;refresher=uac"),
    ("P-Nobody", "x"), ("X-Last", "é"),
]
PAIRS = [("tls", "tls"), ("tcp", "udp"), ("udp", "tls"), ("udp", "udp")]


def text_of(name, value):
    return f"{name}: {value}".encode("utf-8", "surrogateescape").rstrip(b" \t")


def untouched(sent, received, what):
    """Proves that all lines but those that are a proxy's affair came as they were sent, in the same order."""
    ours = {sip.long_name(name) for name in OURS}
    wanted = [text_of(name, value) for name, value in sent.headers if sip.long_name(name) not in ours]
    found = [line.rstrip(b" \t") for line in received.lines_but(*OURS)]
    for line in wanted:
        check(line in found, f"{what}: {line} became one of {[other for other in found if other not in wanted]}")
    check(found == wanted, f"{what}: the order became {found}")


@story("octets", "header fields of requests and responses pass octet for octet and in order: unknown, folded, compact")
def fields(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        for method in ("MESSAGE", "INVITE", "FLAP"):
            request = alice.request(method, "sip:bob@example.test", contact=method == "INVITE", body=b"x",
                                    headers=[*FIELDS, ("c", "text/plain")])
            received = sip.deliver(alice, request, bob)
            untouched(request, received, f"{here} to {there}, {method}")
            check(received.body == b"x", f"the body became {received.body}")
            answer = bob.response(received, 488, "Not – acceptable  here", FIELDS)
            bob.send(answer)
            response = alice.expect_final(request)
            untouched(answer, response, f"{there} to {here}, the answer to {method}")
            check(response.first_line == answer.first_line, f"{response.first_line}")
            if method == "INVITE":
                alice.send(alice.ack(request, response))
                bob.expect_request("ACK")
        alice.close()
        bob.close()


@story("octets", "a request all in compact, folded and oddly spaced fields passes, and is matched with its answer")
def odd_form(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        alice.transact(alice.request("MESSAGE", "sip:carol@example.test", contact=False))
        request = alice.request("MESSAGE", "sip:bob@example.test", contact=False, body=b"odd")
        via = (f"SIP / 2.0\r\n / {here.upper()}\r\n  {alice.address}\r\n ;\tbranch = {COOKIE}{token()} "
               ";rport ; x=\"a;b,c\"")
        names = {"Via": "v", "From": "f  ", "To": "t\t", "Call-ID": "i", "CSeq": "CSEQ", "Max-Forwards": "max-forwards"}
        alice.authorize(request)
        request.headers = [(names.get(name, name), value) for name, value in request.headers]
        request.replace("Via", via)
        request.replace("From", f"\r\n \"A, \\\"l\\\" <ice>\"\r\n <sip:alice@example.test> \r\n\t; tag = {token()}")
        request.replace("CSeq", f"{alice.sequence}\r\n   MESSAGE")
        request.headers += [("l ", "\r\n 3")]
        alice.send(request)
        received = bob.expect_request("MESSAGE")
        check(received.body == b"odd", f"{here} to {there}: the body became {received.body}")
        check(received.values("Via")[1].replace(" ", "").replace("\t", "").startswith(f"SIP/2.0/{here.upper()}"),
              f"{received.values('Via')}")
        bob.reply(received, 200, "OK")
        response = alice.expect(lambda m: m.is_response and m.get("Call-ID") == request.get("Call-ID"))
        check((response.status, len(response.values("Via"))) == (200, 1), f"{response.first_line} {response.headers}")
        alice.close()
        bob.close()


def multipart():
    """A multipart body as RFC 5621 has it, with a binary part, an empty one, and boundaries that look like messages."""
    parts = [b"Content-Type: application/sdp\r\n\r\n" + sip.SDP,
             b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256)),
             b"\r\n", b"Content-Type: message/sip\r\n\r\nINVITE sip:a@b SIP/2.0\r\nContent-Length: 9999\r\n\r\n"]
    return b"--x y\r\n" + b"\r\n--x y\r\n".join(parts) + b"\r\n--x y--\r\n\r\n\r\n"


@story("octets", "binary, multipart and empty bodies pass both ways in INVITE, its answers, ACK, INFO and BYE")
def bodies(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        kind = [("Content-Type", "multipart/mixed;boundary=\"x y\""), ("MIME-Version", "1.0")]
        for body in (multipart(), bytes(range(256)) * 3, b"\r\n\r\n", b""):
            invite = alice.request("INVITE", "sip:bob@example.test", body=body, headers=kind)
            received = sip.deliver(alice, invite, bob)
            check(received.body == body, f"{here} to {there}: INVITE carries {len(received.body)} octets")
            bob.reply(received, 183, "Session Progress", kind, body[::-1])
            check(alice.expect_response(invite, status=183).body == body[::-1], f"{there} to {here}: 183 changed")
            accepted = bob.reply(received, 200, "OK", kind, body)
            response = alice.expect_final(invite)
            check(response.body == body, f"{there} to {here}: 200 changed")
            caller, callee = sip.Dialog(alice, invite, response, True), sip.Dialog(bob, received, accepted, False)
            ack = caller.ack(invite)
            ack.body = body
            alice.send(ack)
            check(bob.expect_request("ACK").body == body, f"{here} to {there}: ACK changed")
            check(sip.in_dialog("INFO", callee, caller, kind, body).body == body, f"{there} to {here}: INFO changed")
            check(sip.in_dialog("BYE", caller, callee, kind, body).body == body, f"{here} to {there}: BYE changed")
        alice.close()
        bob.close()


@story("octets", "bodies from 1,100 to 64,000 octets pass over streams, in requests and answers, in and out of a call")
def large(context):
    for here, there in (("tls", "tls"), ("tls", "tcp"), ("tcp", "tls")):
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        caller, callee = sip.call(alice, bob)
        for size in (1100, 1299, 1300, 1301, 4096, 16_384, 16_385, 32_768, 64_000):
            body = bytes(i * 11 % 251 for i in range(size))
            request = alice.request("MESSAGE", "sip:bob@example.test", contact=False, body=body)
            received = sip.deliver(alice, request, bob)
            check(received.body == body, f"{here} to {there}: a body of {size} octets changed")
            bob.reply(received, 200, "OK", body=body)
            check(alice.expect_final(request).body == body, f"{there} to {here}: an answer of {size} octets changed")
            for one, other in ((caller, callee), (callee, caller)):
                check(sip.in_dialog("INFO", one, other, body=body).body == body, f"INFO of {size} octets changed")
        sip.hang_up(caller, callee)
        alice.close()
        bob.close()


@story("octets", "messages cut and joined at any octet, in any record of TLS, are each forwarded once and in order")
def cut_and_joined(context):
    for here in ("tls", "tcp"):
        alice, bob = context.registered("alice", here), context.registered("bob")
        alice.transact(alice.request("MESSAGE", "sip:carol@example.test", contact=False))
        requests = [alice.request("MESSAGE", "sip:bob@example.test", contact=False, body=bytes(range(256)) * n)
                    for n in range(8)]
        for request in requests:
            alice.authorize(request)
        stream = b"\r\n\r\n".join(request.encode() for request in requests)
        alice.send(stream[:1])
        for size in (1, 2, 3, 700, 5, 1200, 16_384):
            stream = stream[1:] if size == 1 else stream
            alice.send(stream[:size])
            stream = stream[size:]
        alice.send(stream)
        for request in requests:
            received = bob.expect_request("MESSAGE")
            check(received.get("Call-ID") == request.get("Call-ID"), "one changed places")
            check(received.body == request.body, "a body changed")
        answers = []
        # All eight answers in one write as well.
        for message in [m for m in bob.seen if not m.is_response]:
            answers.append(bob.response(message, 200, "OK", body=b"z" * len(answers)).encode())
        bob.send(b"".join(answers))
        for count, request in enumerate(requests):
            check(alice.expect_final(request).body == b"z" * count, "an answer changed")
        alice.close()
        bob.close()
