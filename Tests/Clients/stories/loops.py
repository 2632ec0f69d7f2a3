"""Loops and spirals, made by agents that play proxies (RFC 3261 §16.3, RFC 5393 §4.2)."""

import time

import sip
from harness import check, story

from .proxying import from_stranger, stranger


@story("proxy", "a forked request that comes back unchanged gets 482; the other branch goes on")
def loop(context):
    for transport in ("tls", "udp"):
        caller, phone = stranger(context, transport), context.registered("bob")
        back = context.registered("bob", transport)
        for method in ("INVITE", "MESSAGE"):
            request = from_stranger(caller, method)
            received = sip.deliver(caller, request, back)
            ringing = phone.expect_request(method)
            again = sip.Message(f"{method} {request.uri} SIP/2.0", [("Via", back.via()), *received.headers])
            response = back.exchange(again)
            check(response.status == 482, f"{transport}: {method} that came back got {response.first_line}")
            phone.nothing(method, 0.1)
            back.reply(received, 482, "Loop Detected")
            phone.reply(ringing, 200, "OK")
            response = caller.expect_final(request)
            check(response.status == 200, f"{transport}: the caller got {response.first_line}")
            if method == "INVITE":
                caller.send(sip.Dialog(caller, request, response, True).ack(request))
                phone.expect_request("ACK")
        for agent in (phone, back):
            agent.register(expires=0)


def pass_on(hop, request, uri=None, record=False):
    """A proxy played by an agent: Via, perhaps Record-Route, its own Route value gone (RFC 3261 §16.4 and §16.6)."""
    onward = sip.Message(f"{request.method} {uri or request.uri} SIP/2.0", request.headers, request.body)
    routes = request.values("Route")
    onward.remove("Route")
    own = f"<{hop.contact};lr>"
    fields = [("Record-Route", own)] if record else []
    fields += [("Route", route) for route in (routes[1:] if routes[:1] == [own] else routes)]
    onward.headers = [("Via", hop.via()), *fields, *onward.headers]
    hop.send(onward)
    return onward


def pass_back(hop, sent):
    response = hop.expect_final(sent)
    response.headers.remove(next(field for field in response.headers if field[0].lower() in ("via", "v")))
    hop.send(response)


def spiralled(context, transport, record):
    """A call that goes three times through us, by way of two users' agents that are proxies."""
    caller, carol = stranger(context, transport), context.registered("carol")
    hops = [context.registered("bob", transport), context.registered("alice", transport)]
    request = from_stranger(caller, "INVITE")
    first = sip.deliver(caller, request, hops[0])
    once = pass_on(hops[0], first, "sip:alice@example.test", record)
    second = hops[1].expect_request("INVITE")
    twice = pass_on(hops[1], second, "sip:carol@example.test", record)
    received = carol.expect_request("INVITE")
    check(len(received.values("Via")) == 6, f"{transport}: carol got {len(received.values('Via'))} Vias")
    accepted = carol.reply(received, 200, "OK")
    pass_back(hops[1], twice)
    pass_back(hops[0], once)
    response = caller.expect_final(request)
    check(response.status == 200, f"{transport}: the caller got {response.first_line}")
    caller.send(sip.Dialog(caller, request, response, True).ack(request))
    here, there = sip.Dialog(caller, request, response, True), sip.Dialog(carol, received, accepted, False)
    return caller, carol, hops, here, there


@story("proxy", "a request that comes back for another user is a spiral: it goes on, its dialog passes the same hops")
def spiral(context):
    for transport in ("tls", "udp"):
        caller, carol, hops, here, there = spiralled(context, transport, True)
        for hop in hops:
            pass_on(hop, hop.expect_request("ACK"))
        carol.expect_request("ACK")
        bye = there.request("BYE")
        carol.send(bye)
        passed = [(hop, pass_on(hop, hop.expect_request("BYE"))) for hop in reversed(hops)]
        received = caller.expect_request("BYE")
        check(not received.all("Route"), f"{received.all('Route')}")
        caller.reply(received, 200, "OK")
        for hop, sent in reversed(passed):
            pass_back(hop, sent)
        check(carol.expect_final(bye).status == 200, "BYE got no 200")
        for agent in (*hops, carol):
            agent.register(expires=0)


@story("proxy", "hops of a spiral that took no part by Record-Route are left out of the dialog")
def spiral_without_hops(context):
    for transport in ("tls", "udp"):
        caller, carol, hops, here, there = spiralled(context, transport, False)
        carol.expect_request("ACK")
        sip.hang_up(there, here)
        for agent in hops:
            agent.nothing("BYE", 0.1)
        for agent in (*hops, carol):
            agent.register(expires=0)


@story("proxy", "contacts that name ourselves end in a failure within 5 s, without a flood, and harm nobody")
def self_made_loop(context):
    port = context.server.ports["udp"]
    caller, bob = stranger(context, "udp"), context.agent("bob", "udp")
    bob.register(contacts=[f"<sip:bob@127.0.0.1:{port};n={n}>;expires=300" for n in range(3)])
    agents = [bob, context.registered("bob")]
    request = from_stranger(caller)
    began = time.monotonic()
    caller.send(request)
    count, quiet = 0, 0
    # A server may take such a contact as one behind a NAT: then its requests come to where it registered from.
    while quiet < 5 and count < 200:
        for agent in agents:
            agent.pump(0.05)
        waiting = [(agent, m) for agent in agents for m in agent.inbox if not m.is_response]
        for agent, received in waiting:
            agent.inbox.remove(received)
            agent.reply(received, 480, "No")
            count += 1
        quiet = 0 if waiting else quiet + 1
    check(0 < count < 100, f"the phones got {count} copies")
    response = caller.expect_final(request)
    check(response.status >= 400 and time.monotonic() - began < 5.5, f"{response.first_line} came late")
    bob.clear()
