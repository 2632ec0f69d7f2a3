"""Outbound: flows of an instance (RFC 5626 §6 and §7), registered directly with us."""

import time

import sip
from harness import check, story

from .conformance import message

SUPPORTED = [("Supported", "path, outbound")]


def flow(context, transport="tls", reg_id=1, like=None, user="bob"):
    """An agent with a flow of its own; `like`: another flow of the same instance."""
    agent = context.agent(user, transport)
    agent.urn = like.urn if like else agent.urn
    response = agent.register(contacts=[agent.instance_contact(reg_id)], headers=SUPPORTED)
    check("outbound" in response.values("Require"), f"{transport}: Require is {response.all('Require')}")
    return agent


def reached(alice, agents, method="MESSAGE", status=200):
    """Sends a request to bob; the one agent that got it, which answers."""
    request = alice.invite("bob") if method == "INVITE" else message(alice, "bob")
    alice.authorize(request)
    alice.send(request)
    waits = [(agent, lambda m: not m.is_response and m.method == method) for agent in agents]
    challenged = (alice, lambda m: m.is_response and m.status in (401, 407))
    which, received = sip.first_of([*waits, challenged], 5, f"{method} to one of {len(agents)} flows")
    if received.is_response:
        if method == "INVITE":
            alice.send(alice.ack(request, received))
        alice.answer(request, received)
        alice.send(request)
        which, received = sip.first_of(waits, 5, f"{method} to one of {len(agents)} flows")
    for agent in agents:
        agent.nothing(method, 0.15)
    agents[which].reply(received, status, "Answer")
    response = alice.expect_final(request)
    check(response.status == status, f"{method} got {response.first_line}")
    if method == "INVITE":
        dialog = sip.Dialog(alice, request, response, True) if status < 300 else None
        alice.send(dialog.ack(request) if dialog else alice.ack(request, response))
        agents[which].expect_request("ACK")
    return agents[which]


@story("outbound", "two flows of one instance: a request goes over one of them; when that is gone, over the other")
def two_flows(context):
    alice = context.registered("alice")
    for one, other in (("tls", "tls"), ("tcp", "udp"), ("udp", "tls")):
        first = flow(context, one, 1)
        second = flow(context, other, 2, first)
        check(len(second.bindings()) == 2, f"bob's bindings are {second.bindings()}")
        for method in ("MESSAGE", "INVITE", "MESSAGE"):
            chosen = reached(alice, [first, second], method, 486)
        if chosen.transport == "udp":
            chosen.register(contacts=[chosen.instance_contact(1 if chosen is first else 2, 0)], headers=SUPPORTED)
        else:
            chosen.close()
            time.sleep(0.2)
        left = second if chosen is first else first
        check(reached(alice, [left]) is left, "the other flow was not taken")
        check(list(left.bindings()) == [left.contact], f"bob's bindings are {left.bindings()}")
        left.clear()


@story("outbound", "a flow that breaks before it answered: the request goes on over the other flow of the instance")
def broken_flow(context):
    alice = context.registered("alice")
    for method in ("MESSAGE", "INVITE"):
        first = flow(context, "tls", 1)
        flows = [first, flow(context, "tls", 2, first)]
        request = alice.invite("bob") if method == "INVITE" else message(alice, "bob")
        alice.transact(message(alice, "carol"))
        alice.authorize(request)
        alice.send(request)
        waits = [(agent, lambda m: not m.is_response and m.method == method) for agent in flows]
        which, _ = sip.first_of(waits, 5, method)
        flows[which].channel.reset()
        other = flows[1 - which]
        received = other.expect_request(method)
        other.reply(received, 486, "Busy Here")
        response = alice.expect_final(request)
        check(response.status == 486, f"{method} got {response.first_line}")
        if method == "INVITE":
            alice.send(alice.ack(request, response))
        other.clear()


@story("outbound", "an instance that answered isn't asked again over its other flow; two instances are, each once")
def answered(context):
    alice = context.registered("alice")
    first = flow(context, "tls", 1)
    flows = [first, flow(context, "tls", 2, first)]
    for status in (302, 404, 480, 486, 500, 603):
        reached(alice, flows, "INVITE", status)
    second = flow(context, "tls", 1)
    other = [second, flow(context, "tcp", 2, second)]
    request = message(alice, "bob")
    alice.authorize(request)
    alice.send(request)
    for pair in (flows, other):
        which, received = sip.first_of([(agent, lambda m: not m.is_response) for agent in pair], 5, "MESSAGE")
        for agent in pair:
            agent.nothing("MESSAGE", 0.1)
        pair[which].reply(received, 480, "No")
    check(alice.expect_final(request).status == 480, "the caller got no 480")


@story("outbound", "registering a flow again over another connection replaces it: contact and Call-ID may change")
def replaced_flow(context):
    alice = context.registered("alice")
    for here, there in (("tls", "tls"), ("tls", "udp"), ("udp", "tcp")):
        first = flow(context, here, 7)
        second = flow(context, there, 7, first)
        check(list(second.bindings()) == [second.contact], f"bob's bindings are {second.bindings()}")
        check(reached(alice, [first, second]) is second, "the old flow was taken")
        first.close()
        time.sleep(0.1)
        check(reached(alice, [second]) is second, "the end of the old connection took the new binding")
        second.clear()


@story("outbound", "reg-id: ignored without an instance, one at a time, gone with expires 0; Require tells if it holds")
def reg_ids(context):
    bob = context.agent("bob")
    response = bob.register(contacts=[f"<{bob.contact}>;reg-id=1;expires=300"], headers=SUPPORTED)
    check("outbound" not in response.values("Require"), f"without an instance, Require is {response.all('Require')}")
    bob.register(contacts=[f"<{bob.contact}>;reg-id=2;expires=300"], headers=SUPPORTED)
    check(len(bob.bindings()) == 1, f"bob's bindings are {bob.bindings()}")
    bob.clear()
    response = bob.register(contacts=[bob.instance_contact()], headers=SUPPORTED)
    check("outbound" not in response.values("Require"), f"without reg-id, Require is {response.all('Require')}")
    bob.clear()
    two = [bob.instance_contact(1), bob.instance_contact(2).replace("bob-", "bob2-")]
    bob.register(contacts=two, headers=SUPPORTED, expected=400)
    check(bob.bindings() == {}, "a refused request bound something")
    response = bob.register(contacts=[bob.instance_contact(1)], headers=SUPPORTED)
    contact = response.values("Contact")[0]
    check("reg-id=1" in contact and f'+sip.instance="<{bob.urn}>"' in contact, f"Contact is {contact}")
    timer = response.get("Flow-Timer")
    check(timer is None or (timer.isdigit() and int(timer) > 0), f"Flow-Timer is {timer}")
    # One flow may come and another go in the same request.
    bob.register(contacts=[bob.instance_contact(2), bob.instance_contact(1, 0)], headers=SUPPORTED)
    listed = bob.register(contacts=[]).values("Contact")
    check(len(listed) == 1 and "reg-id=2" in listed[0], f"bob's bindings are {listed}")
    bob.register(contacts=[bob.instance_contact(2, 0)], headers=SUPPORTED)
    check(bob.bindings() == {}, "the flow stays after expires=0")


@story("outbound", "a flow of one instance does not touch another instance, other reg-ids, nor plain contacts")
def kept_apart(context):
    plain, first = context.registered("bob"), flow(context, "tls", 1)
    others = [flow(context, "tls", 2, first), flow(context, "tls", 1)]
    check(len(plain.bindings()) == 4, f"bob's bindings are {plain.bindings()}")
    first.close()
    time.sleep(0.2)
    left = plain.bindings()
    check(set(left) == {agent.contact for agent in (plain, *others)}, f"bob's bindings are {left}")


@story("outbound", "the same user of another instance over UDP is reached at the address that it registered from")
def datagram_flow(context):
    alice, bob = context.registered("alice"), context.agent("bob", "udp")
    bob.fixed_contact = "sip:bob@192.0.2.1:5999"
    bob.register(contacts=[bob.instance_contact(1)], headers=SUPPORTED)
    check(reached(alice, [bob]) is bob, "MESSAGE went elsewhere")
    request = message(alice, "bob", body=b"x" * 3000)
    # RFC 5626 §7: over the same flow, whatever its size.
    received = sip.deliver(alice, request, bob)
    check((received.uri, len(received.body)) == (bob.contact, 3000), f"{received.uri}")
    bob.reply(received, 200, "OK")
    check(alice.expect_final(request).status == 200, "the caller got no 200")
