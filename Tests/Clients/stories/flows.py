"""Calls outlive their connections: a phone comes back over another one, each side goes on (RFC 5626 §5.3)."""

import time

import sip
from harness import check, story

from .conformance import message
from .outbound import SUPPORTED

PAIRS = [("tls", "tls"), ("tcp", "tls"), ("udp", "tls"), ("tls", "udp")]
SDP_TYPE = [("Content-Type", "application/sdp")]


def register(agent, instance):
    """By instance and reg-id, or as behind a NAT by a Contact that stays the same whatever the connection."""
    if instance:
        agent.register(contacts=[agent.instance_contact(1)], headers=SUPPORTED)
    else:
        agent.sent_by = "192.0.2.55:5062"
        agent.fixed_contact = f"sip:{agent.user}-{agent.instance}@{agent.sent_by}"
        agent.register()


def joined(context, user, transport, instance):
    agent = context.agent(user, transport)
    register(agent, instance)
    return agent


def moved(context, agent, instance, keep):
    """The agent goes on over a new connection; the agents that stand for it: new, and old when that is kept."""
    old = agent.reconnect(keep=keep)
    register(agent, instance)
    if not keep:
        time.sleep(0.1)
        return [agent]
    other = sip.Agent(context.server, agent.user, agent.transport, channel=old)
    other.instance, other.fixed_contact, other.sent_by = agent.instance, agent.contact, agent.sent_by
    context.agents.append(other)
    return [agent, other]


def cross(method, dialog, sender, receivers):
    """A request within a dialog over the sender's connection to any of the receiver's; answered, and ACK for INVITE."""
    dialog.agent, body = sender, sip.SDP if method == "INVITE" else b""
    request = dialog.request(method, SDP_TYPE if body else [], body)
    sender.send(request)
    waits = [(agent, lambda m: not m.is_response and m.get("CSeq") == request.get("CSeq")
              and m.get("Call-ID") == request.get("Call-ID")) for agent in receivers]
    failed = (sender, lambda m: m.is_response and m.branch == request.branch and m.status >= 300)
    which, received = sip.first_of([*waits, failed], 3, f"{method} from {sender.user} to {receivers[0].user}")
    check(not received.is_response, f"{method} from {sender.user} got {received.is_response and received.first_line}")
    receivers[which].reply(received, 200, "OK")
    response = sender.expect_final(request)
    check(response.status == 200, f"{method} from {sender.user} got {response.first_line}")
    if method == "INVITE":
        sender.send(dialog.ack(request))
        sip.first_of([(agent, lambda m: not m.is_response and m.method == "ACK") for agent in receivers], 3, "ACK")


def survives(context, mover, here, there, instance, keep):
    """A call in which one side moves; then each side re-INVITEs, over each connection, and one hangs up."""
    for ends in (0, 1):
        alice, bob = joined(context, "alice", here, instance), joined(context, "bob", there, instance)
        dialogs = dict(zip(("alice", "bob"), sip.call(alice, bob)))
        sides = {"alice": [alice], "bob": [bob]}
        sides[mover] = moved(context, sides[mover][0], instance, keep)
        other = "bob" if mover == "alice" else "alice"
        # The other side first: nothing but the registration has told us where the mover is.
        cross("INVITE", dialogs[other], sides[other][0], sides[mover])
        for sender in sides[mover]:
            cross("INVITE", dialogs[mover], sender, sides[other])
            cross("INFO", dialogs[mover], sender, sides[other])
        cross("INFO", dialogs[other], sides[other][0], sides[mover])
        by = (mover, other)[ends]
        cross("BYE", dialogs[by], sides[by][-1], sides[other if by == mover else mover])
        for agent in (alice, bob):
            agent.clear()
            agent.close()


@story("flows", "a call survives when the callee comes back over a new connection, with an instance and without", 60)
def callee_moves(context):
    for here, there in PAIRS:
        for instance in (True, False):
            for keep in (False, True):
                survives(context, "bob", here, there, instance, keep)


@story("flows", "a call survives when the caller comes back over a new connection, with an instance and without", 60)
def caller_moves(context):
    for here, there in PAIRS:
        for instance in (True, False):
            for keep in (False, True):
                survives(context, "alice", here, there, instance, keep)


@story("flows", "a call survives when both sides come back, twice, to other transports")
def both_move(context):
    for instance in (True, False):
        alice, bob = joined(context, "alice", "tls", instance), joined(context, "bob", "tls", instance)
        caller, callee = sip.call(alice, bob)
        for here, there in (("udp", "tcp"), ("tcp", "tls")):
            for agent, transport in ((alice, here), (bob, there)):
                agent.reconnect(transport)
                register(agent, instance)
            time.sleep(0.1)
            cross("INVITE", caller, alice, [bob])
            cross("INVITE", callee, bob, [alice])
        cross("BYE", callee, bob, [alice])
        for agent in (alice, bob):
            agent.clear()
            agent.close()


@story("flows", "the ACK to a 2xx reaches a callee who came back between 200 and ACK, from a caller who came back too")
def moved_before_ack(context):
    for instance in (True, False):
        for here, there in PAIRS:
            for who in ("alice", "bob"):
                alice, bob = joined(context, "alice", here, instance), joined(context, "bob", there, instance)
                invite = alice.invite("bob")
                received = sip.deliver(alice, invite, bob)
                accepted = bob.reply(received, 200, "OK")
                response = alice.expect_final(invite)
                moved(context, alice if who == "alice" else bob, instance, False)
                caller = sip.Dialog(alice, invite, response, True)
                alice.send(caller.ack(invite))
                ack = bob.expect_request("ACK", 3)
                check(ack.get("Call-ID") == invite.get("Call-ID"), "another call's ACK")
                cross("BYE", sip.Dialog(bob, received, accepted, False), bob, [alice])
                for agent in (alice, bob):
                    agent.clear()
                    agent.close()


@story("flows", "a ringing callee comes back and answers over the new connection; a caller who came back may CANCEL")
def moved_while_ringing(context):
    for instance in (True, False):
        for ends in ("answer", "cancel"):
            alice, bob = joined(context, "alice", "tls", instance), joined(context, "bob", "tls", instance)
            invite = alice.invite("bob")
            received = sip.deliver(alice, invite, bob)
            bob.reply(received, 180, "Ringing")
            alice.expect_response(invite, status=180)
            if ends == "answer":
                moved(context, bob, instance, False)
                accepted = bob.reply(received, 200, "OK")
                response = alice.expect_final(invite)
                caller = sip.Dialog(alice, invite, response, True)
                alice.send(caller.ack(invite))
                bob.expect_request("ACK")
                sip.hang_up(caller, sip.Dialog(bob, received, accepted, False))
            else:
                moved(context, alice, instance, False)
                alice.send(alice.cancel(invite))
                stop = bob.expect_request("CANCEL", 3)
                check(stop.branch == received.branch, "CANCEL is another transaction's")
                bob.reply(stop, 200, "OK")
                bob.reply(received, 487, "Request Terminated")
                bob.expect_request("ACK")
            for agent in (alice, bob):
                agent.clear()
                agent.close()


def dead_flow(context, caller):
    """A call to bob, whose connection then ends for good; the caller's dialog."""
    bob = context.registered("bob")
    invite = caller.request("INVITE", "sip:bob@example.test")
    received = sip.deliver(caller, invite, bob)
    bob.reply(received, 200, "OK")
    dialog = sip.Dialog(caller, invite, caller.expect_final(invite), True)
    caller.send(dialog.ack(invite))
    bob.expect_request("ACK")
    bob.close()
    time.sleep(0.2)
    return dialog


@story("flows", "a flow that is gone for good: its caller gets 480 at once, a proxy that sends us our token gets 430")
def flow_failed(context):
    for transport in ("tls", "udp"):
        alice = context.registered("alice", transport)
        for method in ("INFO", "INVITE", "BYE"):
            dialog = dead_flow(context, alice)
            began = time.monotonic()
            response = alice.exchange(dialog.request(method))
            check(response.status == 480, f"{transport}: {method} of the caller got {response.first_line}")
            check(time.monotonic() - began < 1, "that took too long")
        edge = context.agent("edge", transport, domain="elsewhere.test")
        lower = "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKlower"
        own_via = edge.via
        dialog = dead_flow(context, edge)
        edge.via = lambda: f"{own_via()}, {lower}"
        # RFC 5626 §5.3.1 and §11.5: 430 is for the proxy in front of us, which has another flow to try.
        response = edge.exchange(dialog.request("INFO"))
        check(response.status == 430, f"{transport}: a proxy got {response.first_line}")
        check(response.values("Via")[1:] == [lower], f"{response.values('Via')}")


@story("flows", "our Route values with one letter changed are not followed: a 4xx, and nothing reaches the callee")
def forged_token(context):
    alice, bob = context.registered("alice"), context.registered("bob")
    caller, callee = sip.call(alice, bob)
    good = list(caller.routes)

    def changed(route, position):
        user = sip.uri_of(route).split(":")[1].split("@")[0]
        letter = "A" if user[position] != "A" else "B"
        return route.replace(user, user[:position] + letter + (user[position + 1:] if position != -1 else ""))

    for position in (0, 1, 20, 40, -2):
        caller.agent = context.agent("stranger", domain="elsewhere.test")
        caller.routes = [changed(route, position) for route in good]
        response = caller.agent.exchange(caller.request("INFO"))
        check(400 <= response.status < 500, f"letter {position}: {response.first_line}")
    bob.nothing("INFO", 0.1)
    caller.agent, caller.routes = alice, good
    sip.hang_up(caller, callee)
