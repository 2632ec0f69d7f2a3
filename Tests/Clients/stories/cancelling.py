"""CANCEL in all its crossings (RFC 3261 §9 and §16.10, RFC 3326)."""

import re

import sip
from harness import check, story

from .forking import bobs

PAIRS = [("tls", "tls"), ("udp", "tls"), ("tls", "udp")]


def cancelled(agent, request):
    """The CANCEL of a branch: answered, then 487; returns it."""
    stop = agent.expect_request("CANCEL")
    check(stop.branch == request.branch and stop.uri == request.uri, "CANCEL is another transaction's")
    agent.reply(stop, 200, "OK")
    agent.reply(request, 487, "Request Terminated")
    agent.expect_request("ACK")
    return stop


def answered(alice, cancel, status=200):
    response = alice.expect(lambda m: m.is_response and m.method == "CANCEL", what="an answer to CANCEL")
    check(response.status == status, f"CANCEL got {response.first_line}")


@story("cancel", "the Reason of a caller's CANCEL reaches every ringing branch, octet for octet")
def reason(context):
    value = 'SIP ;cause=600 ;text="Busy, \\"everywhere\\"", Q.850;cause=16;text="x;y"'
    for here, there in PAIRS:
        alice, phones = context.registered("alice", here), [context.registered("bob", each) for each in (there, "tls")]
        invite = alice.invite("bob")
        received = [sip.deliver(alice, invite, phones[0]), phones[1].expect_request("INVITE")]
        for phone, each in zip(phones, received):
            phone.reply(each, 180, "Ringing")
            alice.expect_response(invite, status=180)
        cancel = alice.cancel(invite)
        cancel.headers += [("Reason", value), ("X-Other", "1")]
        alice.send(cancel)
        answered(alice, cancel)
        for phone, each in zip(phones, received):
            stop = cancelled(phone, each)
            check(stop.all("Reason") == [value], f"Reason became {stop.all('Reason')}")
            # RFC 3261 §9.1: the Request-URI, Call-ID, To, number of CSeq and From of the request that it cancels.
            for name in ("Call-ID", "To", "From"):
                check(stop.get(name) == each.get(name), f"{name} became {stop.get(name)}")
            check(stop.get("CSeq") == f"{each.get('CSeq').split()[0]} CANCEL", f"CSeq became {stop.get('CSeq')}")
            check(not stop.body and len(stop.values("Via")) == 1, f"CANCEL came as {stop.headers}")
        response = alice.expect_final(invite)
        alice.send(alice.ack(invite, response))
        check(response.status == 487, f"the caller got {response.first_line}")
        for agent in (alice, *phones):
            agent.register(expires=0)
            agent.close()


@story("cancel", "a branch that is given up since another took the call learns so from Reason; after 6xx as well")
def completed_elsewhere(context):
    alice = context.registered("alice")
    for status in (200, 603):
        left, right = bobs(context, 0.5, 0.5)
        invite = alice.invite("bob")
        received = [sip.deliver(alice, invite, left), right.expect_request("INVITE")]
        right.reply(received[1], 180, "Ringing")
        alice.expect_response(invite, status=180)
        left.reply(received[0], status, "Answer")
        stop = cancelled(right, received[1])
        values = stop.values("Reason")
        check(len(values) == 1 and re.match(rf"SIP\s*;\s*cause={status}\b", values[0]), f"Reason is {values}")
        response = alice.expect_final(invite)
        check(response.status == status, f"the caller got {response.first_line}")
        dialog = sip.Dialog(alice, invite, response, True) if status == 200 else None
        alice.send(dialog.ack(invite) if dialog else alice.ack(invite, response))
        left.expect_request("ACK")
        left.clear()


@story("cancel", "a callee that refuses CANCEL changes nothing: the caller gets the final response of the INVITE")
def refused(context):
    for here, there in PAIRS:
        for status in (481, 500):
            alice, bob = context.registered("alice", here), context.registered("bob", there)
            invite = alice.invite("bob")
            received = sip.deliver(alice, invite, bob)
            bob.reply(received, 183, "Progress")
            alice.expect_response(invite, status=183)
            cancel = alice.cancel(invite)
            alice.send(cancel)
            answered(alice, cancel)
            bob.reply(bob.expect_request("CANCEL"), status, "No")
            # RFC 3261 §9.1: the INVITE ends by its own final response, whatever CANCEL got.
            bob.reply(received, 486, "Busy Here")
            response = alice.expect_final(invite)
            check(response.status == 486, f"the caller got {response.first_line}")
            alice.send(alice.ack(invite, response))
            bob.expect_request("ACK")
            alice.close()
            bob.close()


@story("cancel", "CANCEL for what isn't an INVITE, for another sender's branch, or after the end reaches no callee")
def no_effect(context):
    for transport in ("tls", "udp"):
        alice, bob = context.registered("alice", transport), context.registered("bob")
        other = context.agent("stranger", transport, domain="elsewhere.test")
        request = alice.request("MESSAGE", "sip:bob@example.test", contact=False)
        received = sip.deliver(alice, request, bob)
        alice.send(alice.cancel(request))
        # RFC 3261 §9.2: 200, or 481, but no effect on other requests than INVITE.
        alice.expect(lambda m: m.is_response and m.method == "CANCEL")
        bob.nothing("CANCEL", 0.2)
        bob.reply(received, 200, "OK")
        check(alice.expect_final(request).status == 200, "MESSAGE got no 200")
        invite = alice.invite("bob")
        received = sip.deliver(alice, invite, bob)
        bob.reply(received, 180, "Ringing")
        alice.expect_response(invite, status=180)
        forged = alice.cancel(invite)
        forged.replace("Via", f"SIP/2.0/{transport.upper()} {other.address};branch={invite.branch}")
        other.send(forged)
        answered(other, forged, 481)
        bob.nothing("CANCEL", 0.2)
        bob.reply(received, 486, "Busy Here")
        response = alice.expect_final(invite)
        alice.send(alice.cancel(invite))
        alice.expect(lambda m: m.is_response and m.method == "CANCEL")
        alice.send(alice.ack(invite, response))
        bob.nothing("CANCEL", 0.2)
        for agent in (alice, bob):
            agent.register(expires=0)
            agent.close()


@story("cancel", "a search by falling q ends with CANCEL: the contact that rings gets it, those behind are not tried")
def search_ends(context):
    alice, (high, low) = context.registered("alice", "udp"), bobs(context, 0.9, 0.1)
    invite = alice.invite("bob")
    received = sip.deliver(alice, invite, high)
    high.reply(received, 180, "Ringing")
    alice.expect_response(invite, status=180)
    cancel = alice.cancel(invite)
    alice.send(cancel)
    answered(alice, cancel)
    cancelled(high, received)
    response = alice.expect_final(invite)
    alice.send(alice.ack(invite, response))
    check(response.status == 487, f"the caller got {response.first_line}")
    low.nothing("INVITE", 0.3)
