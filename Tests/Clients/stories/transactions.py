"""Transactions after a 2xx and at their end (RFC 6026, RFC 4320), some with a shorter T1."""

import time

import sip
from harness import check, story

from .conformance import message


def none(agent, request, during, what):
    """Proves that no further response to a request comes."""
    try:
        response = agent.expect_response(request, during)
    except sip.Missing:
        return
    raise AssertionError(f"{what}: {response.first_line}")


@story("transactions", "an INVITE that is sent again after its 2xx is absorbed: no answer, nothing to the callee")
def absorbed(context):
    alice, bob = context.registered("alice", "udp"), context.registered("bob")
    invite = alice.invite("bob")
    received = sip.deliver(alice, invite, bob)
    accepted = bob.reply(received, 200, "OK")
    response = alice.expect_final(invite)
    for _ in range(3):
        alice.send(invite)
    # RFC 6026 §7.1: the server transaction in Accepted.
    none(alice, invite, 0.4, "the INVITE sent again got an answer")
    bob.nothing("INVITE", 0.2)
    dialog = sip.Dialog(alice, invite, response, True)
    alice.send(dialog.ack(invite))
    bob.expect_request("ACK")
    sip.hang_up(dialog, sip.Dialog(bob, received, accepted, False))


@story("transactions", "final responses after the first: another 2xx passes, a failure behind a 2xx does not")
def after_accepted(context):
    for there in ("tls", "udp"):
        alice, bob = context.registered("alice"), context.registered("bob", there)
        invite = alice.invite("bob")
        received = sip.deliver(alice, invite, bob)
        tags = []
        for tag in ("one", "two"):
            # RFC 6026 §7.2: each 2xx, also of another branch behind the callee.
            bob.reply(received, 200, "OK", tag=tag)
            response = alice.expect_final(invite)
            tags.append(response.parameter("To", "tag"))
            alice.send(sip.Dialog(alice, invite, response, True).ack(invite))
            bob.expect_request("ACK")
        check(tags == ["one", "two"], f"the caller got the tags {tags}")
        for status in (486, 180, 603):
            bob.reply(received, status, "Late", tag="three")
        none(alice, invite, 0.4, "a response behind the 2xx reached the caller")
        bob.register(expires=0)
        alice.close()


@story("transactions", "without any answer an INVITE gets 408 and another request nothing; a 2xx long after is dropped")
def timed_out(context):
    server = context.own_server({"proxy": "{ timer_t1: 100ms }"})
    alice, bob, carol = (context.registered(user, "udp", server=server) for user in ("alice", "bob", "carol"))
    accepted = alice.invite("carol")
    received = sip.deliver(alice, accepted, carol)
    carol.reply(received, 200, "OK")
    response = alice.expect_final(accepted)
    alice.send(sip.Dialog(alice, accepted, response, True).ack(accepted))
    invite, request = alice.invite("bob"), message(alice, "bob")
    sip.deliver(alice, invite, bob)
    sip.deliver(alice, request, bob)
    began = time.monotonic()
    response = alice.expect_final(invite, 9)
    alice.send(alice.ack(invite, response))
    # RFC 3261 §17.1.1.2: 64*T1.
    check(response.status == 408 and 5.5 < time.monotonic() - began < 8, f"INVITE got {response.first_line}")
    # RFC 4320 §4.2: no 408 to anything but INVITE.
    try:
        late = alice.expect_final(request, 1.5)
        raise AssertionError(f"MESSAGE got {late.first_line}")
    except sip.Missing:
        # RFC 6026 §8.9: a response that no transaction wants.
        carol.reply(received, 200, "OK")
    none(alice, accepted, 0.5, "a 2xx came after 64*T1")


@story("transactions", "a final answer to a request that was given up, and one twice, reach nobody")
def late_answers(context):
    alice, phones = context.registered("alice"), [context.registered("bob", transport) for transport in ("tls", "udp")]
    request = message(alice, "bob")
    received = [sip.deliver(alice, request, phones[0]), phones[1].expect_request("MESSAGE")]
    phones[0].reply(received[0], 200, "OK")
    check(alice.expect_final(request).status == 200, "the caller got no 200")
    for phone, each in zip(phones, received):
        for status in (200, 486):
            phone.reply(each, status, "Late")
    none(alice, request, 0.5, "a second final answer came")
