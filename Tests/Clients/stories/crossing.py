"""What belongs together comes over connections of different workers: CANCEL, ACK, repeated INVITE, responses."""

import fleet.operations
import sip
from harness import check, story
from nodes import Node

#: Tries until a connection is with the worker that is wanted: of two, one in a thousand misses so often.
TRIES = 10


def node(context, workers=2):
    made = Node(context.folder / "server", context.server.binaries, workers)
    context.servers.append(made)
    made.start()
    return made


def elsewhere(context, server, slot):
    """A TCP connection to another worker than `slot`."""
    for _ in range(TRIES):
        agent = context.agent("alice", "tcp", server)
        if server.holder(agent.channel) != slot:
            return agent.channel
    raise AssertionError(f"of {TRIES} connections none is with another worker than slot {slot}")


def datagrams_elsewhere(context, server, slot, bob):
    """A UDP socket whose datagrams another worker than `slot` reads."""
    for _ in range(TRIES):
        agent = context.agent("alice", "udp", server)
        if slot_over(agent, bob) != slot:
            return agent.channel
    raise AssertionError(f"of {TRIES} sockets none is with another worker than slot {slot}")


def slot_over(agent, bob):
    """The slot of the worker that reads what comes from an agent: it forwards a MESSAGE, and its branch says so."""
    request = agent.request("MESSAGE", bob.aor, contact=False)
    received = sip.deliver(agent, request, bob)
    bob.reply(received, 200, "OK")
    agent.expect_final(request)
    return slot_of(received)


def slot_of(received):
    return fleet.operations.slot_of(received.values("Via")[0])


def other(context, server, transport, slot, bob):
    if transport == "udp":
        return datagrams_elsewhere(context, server, slot, bob)
    return elsewhere(context, server, slot)


def ringing(alice, bob):
    """An INVITE that rings, as both sides have it."""
    invite = alice.invite("bob")
    received = sip.deliver(alice, invite, bob)
    bob.reply(received, 180, "Ringing")
    alice.expect_response(invite, status=180)
    return invite, received


def pairs(context, server):
    """Callers and callees over streams and datagrams."""
    for transport in ("tcp", "udp"):
        alice, bob = context.registered("alice", transport, server=server), context.registered("bob", server=server)
        yield transport, alice, bob
        bob.clear()


@story("crossing", "CANCEL over a connection of another worker than the INVITE's finds it", limit=60, suite="cluster")
def cancel(context):
    server = node(context)
    for transport, alice, bob in pairs(context, server):
        invite, received = ringing(alice, bob)
        channel = other(context, server, transport, slot_of(received), bob)
        second = context.agent("alice", transport, server, channel=channel)
        request = alice.cancel(invite)
        second.send(request)
        answered = second.expect(lambda m: m.is_response and m.method == "CANCEL", what="an answer to CANCEL")
        check(answered.status == 200, f"over {transport} CANCEL got {answered.first_line}")
        bob.reply(bob.expect_request("CANCEL"), 200, "OK")
        bob.reply(received, 487, "Request Terminated")
        response = alice.expect_final(invite)
        alice.send(alice.ack(invite, response))
        check(response.status == 487, f"over {transport} the caller got {response.first_line}")


@story("crossing", "CANCEL for an INVITE that no worker has gets 481, soon", suite="cluster")
def no_invite(context):
    server = node(context)
    for transport, alice, _ in pairs(context, server):
        request = alice.cancel(alice.invite("bob"))
        alice.send(request)
        answered = alice.expect(lambda m: m.is_response and m.method == "CANCEL", 2, "an answer to CANCEL")
        check(answered.status == 481, f"over {transport} CANCEL got {answered.first_line}")


@story("crossing", "ACK to a 486 over a connection of another worker ends its repetition; ACK to a 200 reaches the callee",
       limit=60, suite="cluster")
def acknowledgement(context):
    server = node(context)
    for transport, alice, bob in pairs(context, server):
        invite, received = ringing(alice, bob)
        channel = other(context, server, transport, slot_of(received), bob)
        bob.reply(received, 486, "Busy Here")
        response = alice.expect_final(invite)
        bob.expect_request("ACK")
        channel.send(alice.ack(invite, response))
        try:
            again = alice.expect_final(invite, timeout=2.5)
            raise AssertionError(f"over {transport} {again.first_line} came again after its ACK")
        except sip.Missing:
            pass
        bob.nothing("ACK", 0.1)
        invite, received = ringing(alice, bob)
        bob.reply(received, 200, "OK")
        dialog = sip.Dialog(alice, invite, alice.expect_final(invite), is_caller=True)
        channel.send(dialog.ack(invite))
        bob.expect_request("ACK")


@story("crossing", "an INVITE repeated over UDP, from its socket or by another worker's, reaches the callee once",
       limit=60, suite="cluster")
def repeated(context):
    server = node(context)
    alice, bob = context.registered("alice", "udp", server=server), context.registered("bob", server=server)
    invite = alice.invite("bob")
    received = sip.deliver(alice, invite, bob)
    channel = datagrams_elsewhere(context, server, slot_of(received), bob)
    for _ in range(3):
        alice.send(invite)
        channel.send(invite)
    bob.nothing("INVITE", 0.5)
    bob.reply(received, 486, "Busy Here")
    response = alice.expect_final(invite)
    alice.send(alice.ack(invite, response))
    check(response.status == 486, f"the caller got {response.first_line}")
    bob.expect_request("ACK")


@story("crossing", "responses that arrive over a connection of another worker find their request", limit=60,
       suite="cluster")
def responses(context):
    server = node(context)
    for there in ("tcp", "udp"):
        for transport, alice, _ in pairs(context, server):
            bob = context.registered("bob", there, server=server)
            bob.clear()
            bob.register()
            invite = alice.invite("bob")
            received = sip.deliver(alice, invite, bob)
            channel = elsewhere(context, server, slot_of(received))
            channel.send(bob.response(received, 180, "Ringing"))
            alice.expect_response(invite, status=180)
            channel.send(bob.response(received, 200, "OK"))
            dialog = sip.Dialog(alice, invite, alice.expect_final(invite), is_caller=True)
            alice.send(dialog.ack(invite))
            bob.expect_request("ACK")
            bye = dialog.request("BYE")
            alice.send(bye)
            channel.send(bob.response(bob.expect_request("BYE"), 200, "OK"))
            check(alice.expect_final(bye).status == 200, "BYE failed")
            bob.clear()


@story("crossing", "a nonce of one worker is good with another, for whoever uses it first, and no answer is taken twice",
       limit=60, suite="cluster")
def nonces(context):
    server = node(context)
    first = context.agent("alice", "tcp", server)
    second = context.agent("alice", "tcp", server, channel=elsewhere(context, server, server.holder(first.channel)))
    request = first.request("REGISTER", "sip:example.test", to=first.aor, contact=False)
    challenge = first.exchange(request)
    check(challenge.status == 401, f"the first REGISTER got {challenge.first_line}")
    # Challenged here, answered there: whoever answers has the nonce from then on.
    second.answer(request, challenge)
    response = second.exchange(request)
    check(response.status == 200, f"with another worker's nonce REGISTER got {response.first_line}")
    # Somebody who has read the request sends it to either worker.
    slot = server.holder(first.channel)
    thieves = [context.agent("alice", "tcp", server, channel=elsewhere(context, server, other)) for other in (slot, 1 - slot)]
    for agent in (second, *thieves):
        request.replace("Via", agent.via())
        response = agent.exchange(request)
        check(response.status == 401, f"the same credentials again got {response.first_line}")
    thief = thieves[0]
    thief.challenges = dict(second.challenges)
    later = thief.request("REGISTER", "sip:example.test", to=first.aor, contact=False)
    thief.authorize(later)
    response = thief.exchange(later)
    check(response.status == 401, f"over another connection the nonce got {response.first_line}")
    check("stale=true" in response.get("WWW-Authenticate").lower(), f"{response.get('WWW-Authenticate')} is not stale")
    check(first.transact(first.request("REGISTER", "sip:example.test", to=first.aor, contact=False)).status == 200,
          "a new nonce does not work")
