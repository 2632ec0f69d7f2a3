"""Early dialogs, reliable provisional responses, changes, crossings (RFC 3262, RFC 3311, RFC 6228, RFC 3891)."""

import sip
from harness import check, story

PAIRS = [("tls", "tls"), ("udp", "tls"), ("tls", "udp")]
RELIABLE = [("Supported", "100rel, 199, replaces"), ("Require", "100rel")]
SDP_TYPE = ("Content-Type", "application/sdp")


def reliably(agent, request, tag, number, routes=()):
    """A reliable 183 under a To tag, as one of several user agents behind a proxy sends it."""
    fields = [("Require", "100rel"), ("RSeq", str(number)), SDP_TYPE]
    response = agent.response(request, 183, "Session Progress", fields, sip.SDP, tag)
    where = next(i for i, (name, _) in enumerate(response.headers) if name == "Record-Route")
    response.headers[where:where] = [("Record-Route", route) for route in routes]
    agent.send(response)
    return response


def ended(agent, request):
    """The CANCEL of a branch, answered."""
    agent.reply(agent.expect_request("CANCEL"), 200, "OK")
    agent.reply(request, 487, "Request Terminated")
    agent.expect_request("ACK")


def finish(alice, invite, agent, received, tag=None):
    """2xx, ACK and BYE by one callee."""
    accepted = agent.reply(received, 200, "OK", tag=tag)
    response = alice.expect_final(invite)
    check(response.status == 200, f"the caller got {response.first_line}")
    caller = sip.Dialog(alice, invite, response, True)
    caller.sequence += 1000
    alice.send(caller.ack(invite))
    agent.expect_request("ACK")
    sip.hang_up(caller, sip.Dialog(agent, received, accepted, False))


@story("early", "PRACK reaches each of several early dialogs over its own route set; RSeq and RAck pass as sent")
def prack(context):
    for here, there in PAIRS:
        alice = context.registered("alice", here)
        left, right = context.registered("bob", there), context.registered("bob")
        invite = alice.invite("bob", headers=RELIABLE)
        received = {left: sip.deliver(alice, invite, left), right: right.expect_request("INVITE")}
        for each in received.values():
            check([each.get(name) for name, _ in RELIABLE] == [value for _, value in RELIABLE], f"{each.headers}")
        behind = [f"<sip:127.0.0.1:{left.channel.local[1]};lr;n=1>"]
        rows = [(left, "left", 776656, []), (right, "right", 1, []), (left, "behind", 4294967295, behind)]
        for number, (agent, tag, sequence, routes) in enumerate(rows):
            sent = reliably(agent, received[agent], tag, sequence, routes)
            response = alice.expect_response(invite, status=183)
            check(response.parameter("To", "tag") == tag, f"183 has the tag of {response.get('To')}")
            check(response.all("RSeq") == [str(sequence)], f"RSeq became {response.all('RSeq')}")
            check(response.all("Require") == ["100rel"], f"Require became {response.all('Require')}")
            check(response.values("Record-Route")[:len(routes)] == routes, f"{response.values('Record-Route')}")
            early = sip.Dialog(alice, invite, response, True)
            rack = f"{sequence} {invite.get('CSeq')}"
            request = early.request("PRACK", [("RAck", rack)], sequence=early.sequence + 1 + number)
            got = sip.deliver(alice, request, agent)
            found = (got.uri, got.all("RAck"), got.parameter("To", "tag"))
            check(found == (agent.contact, [rack], tag), f"PRACK came as {found}")
            check(got.values("Route") == routes, f"PRACK came with the Route {got.values('Route')}")
            agent.reply(got, 200, "OK")
            check(alice.expect_final(request).status == 200, "PRACK got no 200")
            # The callee's side of the early dialog works as well (RFC 3311 §5.1).
            callee = sip.Dialog(agent, received[agent], sent, False)
            sip.in_dialog("UPDATE", callee, early, [SDP_TYPE], sip.SDP)
        finish(alice, invite, right, received[right], "right")
        ended(left, received[left])
        for agent in (left, right):
            agent.register(expires=0)
        alice.close()


@story("early", "a reliable response that is sent again passes again, and a PRACK that is refused gets its 481")
def prack_again(context):
    alice, bob = context.registered("alice", "udp"), context.registered("bob", "udp")
    invite = alice.invite("bob", headers=RELIABLE)
    received = sip.deliver(alice, invite, bob)
    # RFC 3262 §3: the callee sends it again until PRACK comes; a proxy forwards each (RFC 3261 §16.7).
    sent = reliably(bob, received, "one", 1)
    for _ in range(2):
        response = alice.expect_response(invite, status=183)
        check(response.all("RSeq") == ["1"], f"{response.headers}")
        bob.send(sent)
    alice.expect_response(invite, status=183)
    early = sip.Dialog(alice, invite, response, True)
    request = early.request("PRACK", [("RAck", f"9 {invite.get('CSeq')}")])
    bob.reply(sip.deliver(alice, request, bob), 481, "Call/Transaction Does Not Exist")
    check(alice.expect_final(request).status == 481, "PRACK got no 481")
    finish(alice, invite, bob, received, "one")


@story("early", "199 ends one early dialog for the caller and nothing else; the call goes on in another")
def early_dialog_terminated(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        invite = alice.invite("bob", headers=[("Supported", "199")])
        received = sip.deliver(alice, invite, bob)
        for tag in ("one", "two"):
            bob.reply(received, 180, "Ringing", tag=tag)
            alice.expect_response(invite, status=180)
        reason = ("Reason", "SIP ;cause=486 ;text=\"Busy Here\"")
        bob.reply(received, 199, "Early Dialog Terminated", [reason], tag="one")
        response = alice.expect_response(invite, status=199)
        check((response.all("Reason"), response.parameter("To", "tag")) == ([reason[1]], "one"), f"{response.headers}")
        bob.nothing("CANCEL", 0.2)
        finish(alice, invite, bob, received, "two")
        alice.close()
        bob.close()


@story("early", "UPDATE, INFO and re-INVITE pass in a call from both sides; a refused re-INVITE leaves the call")
def changes(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        caller, callee = sip.call(alice, bob)
        for one, other in ((caller, callee), (callee, caller)):
            sip.in_dialog("UPDATE", one, other, [SDP_TYPE], sip.SDP)
            package = [("Info-Package", "foo;a=\"b c\""), ("Content-Disposition", "Info-Package")]
            info = sip.in_dialog("INFO", one, other, package, b"\0\1\2")
            check((info.all("Info-Package"), info.body) == ([package[0][1]], b"\0\1\2"), f"{info.headers}")
            for status in (488, 200):
                request = one.request("INVITE", [SDP_TYPE], sip.SDP)
                received = sip.deliver(one.agent, request, other.agent)
                other.agent.reply(received, status, "Whatever")
                response = one.agent.expect_final(request)
                check(response.status == status, f"re-INVITE got {response.first_line}")
                one.agent.send(one.ack(request) if status == 200 else one.agent.ack(request, response))
                ack = other.agent.expect_request("ACK")
                check(ack.get("CSeq").split()[0] == request.get("CSeq").split()[0], "the ACK is another request's")
        sip.hang_up(callee, caller)
        alice.close()
        bob.close()


@story("early", "re-INVITEs that cross: each side's 491 reaches the other and is acknowledged; then one of them passes")
def glare(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        caller, callee = sip.call(alice, bob)
        requests = {one: one.request("INVITE", [SDP_TYPE], sip.SDP) for one in (caller, callee)}
        for one, request in requests.items():
            one.agent.send(request)
        got = {one: one.agent.expect_request("INVITE") for one in (callee, caller)}
        for one, request in got.items():
            one.agent.reply(request, 491, "Request Pending")
        for one, request in requests.items():
            response = one.agent.expect_final(request)
            check(response.status == 491, f"{one.agent.user} got {response.first_line}")
            one.agent.send(one.agent.ack(request, response))
        for one in got:
            one.agent.expect_request("ACK")
        # RFC 3261 §14.1: the owner of the Call-ID waits longer, so the callee comes first.
        request = callee.request("INVITE", [SDP_TYPE], sip.SDP)
        alice.reply(sip.deliver(bob, request, alice), 200, "OK")
        check(bob.expect_final(request).status == 200, "the second re-INVITE got no 200")
        bob.send(callee.ack(request))
        alice.expect_request("ACK")
        sip.hang_up(caller, callee)
        alice.close()
        bob.close()


@story("early", "an INVITE with Replaces takes a call over; its fields pass as they were sent, and the old call ends")
def replaces(context):
    for here, there in PAIRS:
        alice, bob, carol = (context.registered(*each) for each in (("alice", here), ("bob", there), ("carol", "tcp")))
        caller, callee = sip.call(alice, bob)
        tags = [value.split("tag=")[1] for value in (callee.local, callee.remote)]
        field = ("Replaces", f"{callee.call_id} ;to-tag={tags[0]}; from-tag={tags[1]};early-only;x=\"a;b\"")
        invite = carol.invite("bob", headers=[("Require", "replaces"), field])
        received = sip.deliver(carol, invite, bob)
        check((received.all("Replaces"), received.all("Require")) == ([field[1]], ["replaces"]), f"{received.headers}")
        accepted = bob.reply(received, 200, "OK")
        response = carol.expect_final(invite)
        new = sip.Dialog(carol, invite, response, True)
        carol.send(new.ack(invite))
        bob.expect_request("ACK")
        sip.hang_up(callee, caller)
        sip.hang_up(new, sip.Dialog(bob, received, accepted, False))
        for agent in (alice, bob, carol):
            agent.close()
