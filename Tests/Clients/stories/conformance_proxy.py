"""What an independent conformance suite would ask of routing, responses, registrar and digest (RFC 3261, RFC 4320)."""

import re
import time

import sip
from harness import check, story

from .conformance import DOMAIN, TRANSPORTS, message, pair


def own_route(context, transport):
    return f"<sip:127.0.0.1:{context.server.ports[transport]};transport={transport};lr>"


@story("conform", "Route values of ours go, once or twice, by address or domain; a foreign one leads on")
def routes(context):
    for transport in TRANSPORTS:
        alice, bob = pair(context, transport)
        ours = own_route(context, transport)
        for route in (ours, f"{ours}, {ours}", "<sip:example.test;lr>", f'"x y" {ours};a=b', own_route(context, "udp")):
            received = sip.deliver(alice, message(alice, "bob", [("Route", route)]), bob)
            check(not received.all("Route"), f"{transport}: {route} left {received.all('Route')}")
            bob.reply(received, 200, "OK")
        edge = context.agent("edge", "udp")
        foreign = f"<sip:127.0.0.1:{edge.channel.local[1]};lr>"
        request = message(alice, "bob", [("Route", f"{ours}, {foreign}, <sip:other.test;lr>")])
        received = sip.deliver(alice, request, edge)
        check(received.values("Route") == [foreign, "<sip:other.test;lr>"], f"{transport}: {received.all('Route')}")
        check(received.uri == "sip:bob@example.test", f"{transport}: the Request-URI is {received.uri}")
        alice.close()
        bob.close()


@story("conform", "a strict router behind us finds itself in the Request-URI and the target last in Route")
def strict_behind(context):
    alice, edge = context.registered("alice"), context.agent("edge", "udp")
    router = f"sip:127.0.0.1:{edge.channel.local[1]}"
    request = message(alice, "bob", [("Route", f"{own_route(context, 'tls')}, <{router}>, <sip:third.test;lr>")])
    received = sip.deliver(alice, request, edge)
    check(received.uri == router, f"the Request-URI is {received.uri}")
    check(received.values("Route") == ["<sip:third.test;lr>", "<sip:bob@example.test>"], f"{received.values('Route')}")


@story("conform", "a strict router before us: our Record-Route value as Request-URI leads to the other side")
def strict_before(context):
    for here, there in (("tls", "udp"), ("udp", "tls")):
        alice, bob = pair(context, here, there)
        dialog, _ = sip.call(alice, bob)
        request = dialog.request("BYE")
        first, *rest = dialog.routes
        request.first_line = f"BYE {sip.uri_of(first)} SIP/2.0"
        request.remove("Route")
        request.headers += [("Route", route) for route in [*rest, f"<{dialog.target}>"]]
        received = sip.deliver(alice, request, bob)
        check((received.uri, received.all("Route")) == (dialog.target, []), f"{received.uri} {received.all('Route')}")
        bob.reply(received, 200, "OK")
        check(alice.expect_final(request).status == 200, "BYE got no 200")
        alice.close()
        bob.close()


@story("conform", "a dialog follows its contacts when re-INVITE or UPDATE changes them, and passes PRACK and INFO")
def target_refresh(context):
    for here, there in (("tls", "tls"), ("udp", "tcp")):
        alice, bob = pair(context, here, there)
        caller, callee = sip.call(alice, bob)
        request = caller.request("INVITE", body=sip.SDP, headers=[("Content-Type", "application/sdp")])
        request.replace("Contact", f"<{alice.contact.replace('alice', 'moved', 1)}>")
        received = sip.deliver(alice, request, bob)
        callee.target = sip.uri_of(received.get("Contact"))
        answer = bob.response(received, 200, "OK")
        answer.replace("Contact", f"<{bob.contact.replace('bob', 'shifted', 1)}>")
        bob.send(answer)
        caller.target = sip.uri_of(alice.expect_final(request).get("Contact"))
        caller.sequence = int(request.get("CSeq").split()[0])
        alice.send(caller.ack(request))
        check("shifted" in bob.expect_request("ACK").uri, "the ACK went to the old contact")
        for method in ("PRACK", "INFO", "UPDATE"):
            received = sip.in_dialog(method, caller, callee, body=b"\0\1" * 600)
            check("shifted" in received.uri, f"{method} went to the old contact")
        check("moved" in sip.in_dialog("UPDATE", callee, caller).uri, "UPDATE went to the caller's old contact")
        sip.hang_up(callee, caller)
        alice.close()
        bob.close()


@story("conform", "every final status comes back as it was sent, with its fields; 503 becomes 500")
def final_statuses(context):
    rows = {302: ("Contact", "<sip:x@y>;q=0.5"), 401: ("WWW-Authenticate", 'Digest realm="r", nonce="n"'),
            407: ("Proxy-Authenticate", 'Digest realm="q", nonce="n"'), 420: ("Unsupported", "a"),
            480: ("Retry-After", "5"), 488: ("Warning", '399 x "y"'), 486: None,
            503: ("Retry-After", "5"), 603: None, 699: None}
    for transport in TRANSPORTS:
        alice, bob = pair(context, transport)
        alice.transact(message(alice, "carol"))
        for method in ("INVITE", "MESSAGE"):
            for status, field in rows.items():
                request = alice.invite("bob") if method == "INVITE" else message(alice, "bob")
                bob.reply(sip.deliver(alice, request, bob), status, "Odd – Reason", [field] if field else [])
                response = alice.expect_final(request)
                if method == "INVITE":
                    alice.send(alice.ack(request, response))
                    bob.expect_request("ACK")
                check(response.status == (500 if status == 503 else status), f"{status} became {response.first_line}")
                if field and status != 503:
                    check(field[1] in response.all(field[0]), f"{status} lost {field}")
        alice.close()
        bob.close()


@story("conform", "challenges of all branches reach the caller of a forked request")
def challenges(context):
    alice, phones = context.registered("alice"), [context.registered("bob") for _ in range(2)]
    request = alice.invite("bob")
    names = ("WWW-Authenticate", "Proxy-Authenticate")
    for index, phone in enumerate(phones):
        received = phone.expect_request("INVITE") if index else sip.deliver(alice, request, phone)
        phone.reply(received, (401, 407)[index], "No", [(names[index], f'Digest realm="r{index}", nonce="n"')])
    response = alice.expect_final(request)
    alice.send(alice.ack(request, response))
    check(all(response.all(name) for name in names), f"the caller got {response.headers}")


@story("conform", "a response that isn't ours is dropped: other branch, other sent-by, no Via left, other method")
def strange_responses(context):
    alice, bob = pair(context, "udp")
    request = message(alice, "bob")
    received = sip.deliver(alice, request, bob)
    upper, lower = received.values("Via")
    for values in ([lower], [upper.replace("z9hG4bK", "z9hG4bKx"), lower],
                   ["SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKq", upper, lower],
                   [re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", upper), lower], []):
        response = bob.response(received, 200, "OK")
        response.remove("Via")
        response.headers = [("Via", value) for value in values] + response.headers
        bob.send(response)
    response = bob.response(received, 200, "OK")
    response.replace("CSeq", "1 OPTIONS")
    bob.send(response)
    try:
        raise AssertionError(f"the caller got {alice.expect_final(request, 0.4).encode()}")
    except sip.Missing:
        bob.reply(received, 200, "OK")
    check(alice.expect_final(request).status == 200, "the right response was dropped as well")


@story("conform", "CANCEL waits for a provisional response, is answered at once and again, and 481 for an unknown one")
def cancel_stages(context):
    alice, bob = pair(context, "tcp")
    invite = alice.invite("bob")
    received = sip.deliver(alice, invite, bob)
    answers = []
    for _ in range(2):
        alice.send(alice.cancel(invite))
        answers.append(alice.expect(lambda m: m.is_response and m.method == "CANCEL").status)
    check(answers == [200, 200], f"CANCEL got {answers}")
    bob.nothing("CANCEL", 0.3)
    bob.reply(received, 180, "Ringing")
    stop = bob.expect_request("CANCEL")
    check((stop.branch, stop.uri) == (received.branch, received.uri), "CANCEL is another transaction's")
    check(len(stop.values("Via")) == 1, f"CANCEL has the Vias {stop.values('Via')}")
    # The callee took the call meanwhile: the 2xx wins.
    bob.reply(received, 200, "OK")
    response = alice.expect_final(invite)
    check(response.status == 200, f"the caller got {response.first_line}")
    alice.send(sip.Dialog(alice, invite, response, is_caller=True).ack(invite))
    bob.expect_request("ACK")
    alice.send(alice.cancel(alice.invite("bob")))
    check(alice.expect(lambda m: m.is_response and m.method == "CANCEL").status == 481, "an unknown CANCEL got no 481")


@story("conform", "100 comes within 200 ms for INVITE with its Timestamp, and 3.5 s late for MESSAGE over UDP")
def trying(context):
    alice, bob = pair(context, "udp")
    alice.transact(message(alice, "carol"))
    invite = alice.invite("bob", headers=[("Timestamp", "54.2")])
    alice.authorize(invite)
    began = time.monotonic()
    alice.send(invite)
    response = alice.expect_response(invite, least=100)
    check((response.status, time.monotonic() - began < 0.2) == (100, True), f"{response.first_line} came, or came late")
    check(response.get("Timestamp", "").startswith("54.2") and "tag=" not in response.get("To"), f"{response.headers}")
    bob.reply(bob.expect_request("INVITE"), 486, "Busy Here")
    alice.send(alice.ack(invite, alice.expect_final(invite)))
    request = message(alice, "bob")
    received = sip.deliver(alice, request, bob)
    began = time.monotonic()
    response = alice.expect_response(request, 5, least=100)
    took = time.monotonic() - began
    check(response.status == 100 and 3 < took < 4.5, f"{response.first_line} after {took:.1f} s")
    bob.reply(received, 200, "OK")
    check(alice.expect_final(request).status == 200, "MESSAGE got no 200")


@story("conform", "registering again over another connection: calls go there, and the old one may close")
def moved(context):
    for transport in ("tls", "tcp"):
        old = context.registered("bob", transport)
        bob = context.agent("bob", transport)
        bob.register(contacts=[f"<{old.contact}>;expires=300"])
        alice = context.registered("alice", transport)
        for closes in (True, False):
            received = sip.deliver(alice, message(alice, "bob"), bob)
            bob.reply(received, 200, "OK")
            if closes:
                old.close()
                time.sleep(0.2)
        check(list(bob.bindings()) == [old.contact], f"{transport}: bob's bindings are {bob.bindings()}")
        bob.register(contacts=[f"<{old.contact}>;expires=0"])


@story("conform", "equal contacts are one, parameters and q come back, one of several goes, bad ones bind nothing")
def contacts(context):
    bob = context.agent("bob")
    contact = bob.contact
    instance = '+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"'
    bob.register(contacts=[f'"B, \\"b\\"" <{contact};n=1>;q=0.7;{instance};audio, <{contact};n=2>', f"<{contact};n=3>"])
    bob.register(contacts=[f"<{contact.replace('sip:bob', 'SIP:%62ob')};N=1;z>;q=0.7;{instance};audio"])
    response = bob.register(contacts=[])
    check(len(bob.bindings()) == 3, f"{response.all('Contact')}")
    check(any(instance in value and "q=0.7" in value and ";audio" in value for value in response.all("Contact")),
          f"{response.all('Contact')}")
    bob.register(contacts=[f"<{contact};n=2>;expires=0"])
    check(len(bob.bindings()) == 2, f"{bob.bindings()}")
    for bad in (f"<{contact};m=1", "<>", "garbage", f"<{contact};m=1>;q=1.5", f"*, <{contact};m=1>"):
        bob.register(contacts=[f"<{contact};m=2>", bad], expected=400)
    check(len(bob.bindings()) == 2, f"{bob.bindings()}")


@story("conform", "a nonce serves again with a rising count on its connection, in every form that clients write")
def credentials(context):
    agent = context.agent("alice", "tcp")

    def register(change=lambda text: text, extra=()):
        request = agent.request("REGISTER", DOMAIN, to=agent.aor, contact=False)
        agent.authorize(request)
        request.headers[-1] = (request.headers[-1][0], change(request.headers[-1][1]))
        request.headers[-1:-1] = list(extra)
        return agent.exchange(request)

    agent.register(contacts=[])
    rows = [(lambda t: t, 200), (lambda t: t.replace("Digest ", "DIGEST   ").replace(", ", " ,\r\n "), 200),
            (lambda t: t.replace("qop=auth", 'qop="auth"').replace("algorithm=MD5", 'algorithm="md5"'), 200),
            (lambda t: t + ', foo="bar, baz"', 200), (lambda t: re.sub(r"nc=\w+", "nc=00000001", t), 401),
            (lambda t: t.replace('realm="', 'realm="x'), 401), (lambda t: re.sub(r', cnonce="\w+"', "", t), 401),
            (lambda t: re.sub(r'nonce="..', 'nonce="xx', t, count=1), 401), (lambda t: "Digest ,,=", 401),
            (lambda t: "Basic YTpi", 401), (lambda t: t, 200)]
    for index, (change, status) in enumerate(rows):
        response = register(change)
        check(response.status == status, f"row {index} got {response.first_line}")
    first = [("Authorization", 'Digest username="a", realm="other", nonce="n", uri="sip:x", response="0"')]
    check(register(extra=first).status == 200, "credentials for another realm hide ours")
    other = context.agent("alice", "tcp")
    other.challenges = agent.challenges
    request = other.request("REGISTER", DOMAIN, to=other.aor, contact=False)
    other.authorize(request)
    response = other.exchange(request)
    check("stale=true" in response.get("WWW-Authenticate", ""), f"a nonce on another connection got {response.headers}")
