"""Record-Route between transports and families, sips, requests too large for UDP (RFC 3261 §16.6, RFC 5630)."""

import sip
from harness import check, story

from .conformance import message, pair

ENDS = [("tls", "127.0.0.1"), ("tcp", "127.0.0.1"), ("udp", "127.0.0.1"), ("tls", "::1"), ("udp", "::1")]


@story("routes", "each side of a call finds us by its Record-Route, of its transport and family, on a new socket", 60)
def new_sockets(context):
    for here, caller_host in ENDS:
        for there, callee_host in ENDS:
            alice = context.registered("alice", here, host=caller_host)
            bob = context.registered("bob", there, host=callee_host)
            caller, callee = sip.call(alice, bob)
            for one, other in ((caller, callee), (callee, caller)):
                # A client without RFC 5626 sends where Route leads, not where it sent before.
                elsewhere = one.follow()
                context.agents.append(elsewhere.agent)
                check(elsewhere.agent.transport == one.agent.transport, f"{one.agent.transport}: {one.routes[0]}")
                received = sip.in_dialog("INFO", elsewhere, other)
                check(not received.all("Route"), f"{received.all('Route')} stayed")
                one.sequence = elsewhere.sequence
                elsewhere.agent.close()
            sip.hang_up(callee, caller)
            for agent in (alice, bob):
                agent.register(expires=0)
                agent.close()


@story("routes", "Record-Route values carry lr and stand above those of others; Via names the transport that was used")
def values(context):
    for here, there in (("tls", "udp"), ("udp", "tcp"), ("tcp", "tls")):
        alice, bob = pair(context, here, there)
        theirs = ["<sip:p1.elsewhere.test;lr>", "<sip:p2.elsewhere.test;lr>;x=\"a,b\""]
        invite = alice.invite("bob", headers=[("Record-Route", value) for value in theirs])
        received = sip.deliver(alice, invite, bob)
        routes = received.values("Record-Route")
        check(routes[-2:] == theirs and len(routes) in (3, 4), f"Record-Route: {routes}")
        check(all(";lr" in route for route in routes), f"Record-Route: {routes}")
        via = received.values("Via")[0]
        check(via.upper().startswith(f"SIP/2.0/{there.upper()} "), f"to {there}: {via}")
        bob.reply(received, 486, "Busy Here")
        response = alice.expect_final(invite)
        alice.send(alice.ack(invite, response))
        alice.close()
        bob.close()


@story("routes", "a sips contact is registered only by a sips Request-URI, and sip and sips name the same user")
def secure_registration(context):
    bob = context.agent("bob")
    response = bob.register(contacts=[f"<{bob.secure_contact}>;expires=300"], expected=None)
    check(response.status == 400, f"a sips contact for a sip Request-URI got {response.first_line}")
    check(bob.bindings() == {}, "it was bound all the same")
    bob.register_securely()
    check(list(bob.bindings()) == [bob.secure_contact], f"bob's bindings are {bob.bindings()}")


@story("routes", "sips reaches sips contacts alone: one who registered by sip gets 480, Warning 380")
def secure_request(context):
    alice = context.registered("alice")
    for transport in ("tls", "tcp", "udp"):
        bob = context.registered("bob", transport)
        request = alice.request("MESSAGE", "sips:bob@example.test", contact=False)
        response = alice.transact(request)
        check(response.status == 480, f"{transport}: sips to a sip contact got {response.first_line}")
        check(response.get("Warning", "").startswith("380 "), f"{transport}: Warning: {response.get('Warning')}")
        bob.register(expires=0)
    bob, plain = context.agent("bob"), context.registered("bob", "udp")
    bob.register_securely()
    request = alice.request("MESSAGE", "sips:bob@example.test", contact=False)
    received = sip.deliver(alice, request, bob)
    check(received.uri == bob.secure_contact, f"the Request-URI is {received.uri}")
    plain.nothing("MESSAGE", 0.2)
    bob.reply(received, 200, "OK")
    check(alice.expect_final(request).status == 200, "sips to a sips contact failed")


@story("routes", "sip to a sips contact goes over its TLS connection with sip as the scheme, and nothing else changed")
def plain_request(context):
    bob = context.agent("bob")
    bob.register_securely()
    for transport in ("tls", "udp"):
        alice = context.registered("alice", transport)
        request = message(alice, "bob")
        received = sip.deliver(alice, request, bob)
        check(received.uri == bob.secure_contact.replace("sips:", "sip:"), f"the Request-URI is {received.uri}")
        bob.reply(received, 200, "OK")
        check(alice.expect_final(request).status == 200, "MESSAGE got no 200")


@story("routes", "a sips call has sips Record-Route values, goes on in its dialog, and ends from either side")
def secure_call(context):
    alice, bob = context.registered("alice"), context.agent("bob")
    bob.register_securely()
    for caller_ends in (True, False):
        invite = alice.request("INVITE", "sips:bob@example.test")
        alice.fixed_contact = alice.secure_contact
        invite.replace("Contact", f"<{alice.contact}>")
        received = sip.deliver(alice, invite, bob)
        routes = received.values("Record-Route")
        # RFC 3261 §16.6 step 4.
        check(routes and all(route.startswith("<sips:") for route in routes), f"Record-Route: {routes}")
        bob.fixed_contact = bob.secure_contact
        accepted = bob.reply(received, 200, "OK")
        response = alice.expect_final(invite)
        caller, callee = sip.Dialog(alice, invite, response, True), sip.Dialog(bob, received, accepted, False)
        alice.send(caller.ack(invite))
        check(bob.expect_request("ACK").uri == bob.contact, "the ACK is for another URI")
        check(sip.in_dialog("INFO", callee, caller).uri == alice.contact, "INFO is for another URI")
        sip.hang_up(*((caller, callee) if caller_ends else (callee, caller)))
        alice.fixed_contact = bob.fixed_contact = None


@story("routes", "a request over 1,300 octets to a UDP contact comes by TCP; where nothing listens, by UDP")
def large_to_udp(context):
    alice, bob = context.registered("alice"), context.agent("bob", "udp")
    listener = sip.Listener(port=bob.channel.local[1])
    context.agents.append(listener)
    bob.register()
    for size in (1301, 20_000):
        request = message(alice, "bob", body=b"x" * size)
        alice.authorize(request)
        alice.send(request)
        if alice.challenges.get(False) is None:
            alice.answer(request, alice.expect_final(request))
            alice.send(request)
        if size == 1301:
            # RFC 3261 §18.1.1; the connection may serve for what follows.
            other = sip.Agent(context.server, "bob", "tcp", channel=listener.accept())
            context.agents.append(other)
        received = other.expect_request("MESSAGE")
        check(received.values("Via")[0].startswith("SIP/2.0/TCP "), f"{received.values('Via')[0]}")
        check((received.uri, len(received.body)) == (bob.contact, size), f"{received.uri} {len(received.body)}")
        other.reply(received, 200, "OK")
        check(alice.expect_final(request).status == 200, "the caller got no 200")
    request = message(alice, "bob", body=b"small")
    received = sip.deliver(alice, request, bob)
    bob.reply(received, 200, "OK")
    other.close()
    listener.close()
    for size in (1301, 20_000):
        request = message(alice, "bob", body=b"y" * size)
        received = sip.deliver(alice, request, bob)
        check(received.values("Via")[0].startswith("SIP/2.0/UDP "), f"{received.values('Via')[0]}")
        check(len(received.body) == size, "the body changed")
        bob.reply(received, 200, "OK")
        check(alice.expect_final(request).status == 200, "by UDP, the caller got no 200")


@story("routes", "a redirection passes with all its contacts as they were sent, alone and beside other answers")
def redirection(context):
    contacts = ['"B, c" <sip:bob@there.test;x=1?Subject=a%20b>;q=0.9;expires=60', "<sips:bob@[2001:db8::1]>;q=.1",
                "<tel:+1555>"]
    alice, phones = context.registered("alice"), [context.registered("bob") for _ in range(2)]
    for status in (300, 301, 302, 305, 380):
        for method in ("INVITE", "MESSAGE"):
            request = alice.invite("bob") if method == "INVITE" else message(alice, "bob")
            received = [sip.deliver(alice, request, phones[0]), phones[1].expect_request(method)]
            phones[1].reply(received[1], 486, "Busy Here")
            fields = [("Contact", ", ".join(contacts[:2])), ("m", contacts[2])]
            phones[0].reply(received[0], status, "Elsewhere", fields)
            response = alice.expect_final(request)
            check(response.status == status, f"the caller got {response.first_line}")
            check(response.values("Contact") == contacts, f"Contact became {response.values('Contact')}")
            if method == "INVITE":
                alice.send(alice.ack(request, response))
                for phone in phones:
                    phone.expect_request("ACK")
