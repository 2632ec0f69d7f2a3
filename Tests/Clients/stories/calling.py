"""Calls and other requests between raw clients."""

import time

import sip
from harness import check, story

PAIRS = [("tls", "tls"), ("tls", "udp"), ("udp", "tls"), ("tcp", "tls"), ("udp", "tcp"), ("udp", "udp")]


@story("call", "a call over every pair of transports is set up, goes on in the dialog and ends from either side")
def every_pair(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        for caller_hangs_up in (True, False):
            caller, callee = sip.call(alice, bob)
            sip.in_dialog("INFO", caller, callee)
            sip.in_dialog("INFO", callee, caller)
            sip.hang_up(*((caller, callee) if caller_hangs_up else (callee, caller)))
        for agent in (alice, bob):
            agent.register(expires=0)
            agent.close()


@story("call", "a request reaches the callee with one Via more, one hop less and the contact as its target")
def what_the_callee_sees(context):
    alice, bob = context.registered("alice"), context.registered("bob")
    invite = alice.invite("bob")
    received = sip.deliver(alice, invite, bob)
    check(received.uri == bob.contact, f"the Request-URI is {received.uri}, not {bob.contact}")
    check(len(received.values("Via")) == 2, f"Via: {received.values('Via')}")
    check(received.get("Max-Forwards") == "69", f"Max-Forwards is {received.get('Max-Forwards')}")
    check(all(";lr" in route for route in received.values("Record-Route")), "a Record-Route without lr")
    check(received.values("Record-Route"), "no Record-Route")
    check(not received.all("Proxy-Authorization"), "our credentials went on to the callee")
    check(received.body == sip.SDP, "the body changed")
    bob.reply(received, 486, "Busy Here")
    response = alice.expect_final(invite)
    alice.send(alice.ack(invite, response))
    check(response.status == 486, f"the caller got {response.first_line}")
    check(len(response.values("Via")) == 1, f"the caller got the Vias {response.values('Via')}")
    bob.expect_request("ACK")


@story("call", "CANCEL reaches a ringing callee and the caller gets 487")
def cancel(context):
    alice, bob = context.registered("alice"), context.registered("bob")
    invite = alice.invite("bob")
    received = sip.deliver(alice, invite, bob)
    bob.reply(received, 180, "Ringing")
    alice.expect_response(invite, status=180)
    cancel = alice.cancel(invite)
    alice.send(cancel)
    answered = alice.expect(lambda m: m.is_response and m.method == "CANCEL", what="an answer to CANCEL")
    check(answered.status == 200, f"CANCEL got {answered.first_line}")
    stop = bob.expect_request("CANCEL")
    check(stop.branch == received.branch, "CANCEL has another branch than its INVITE")
    bob.reply(stop, 200, "OK")
    bob.reply(received, 487, "Request Terminated")
    bob.expect_request("ACK")
    response = alice.expect_final(invite)
    alice.send(alice.ack(invite, response))
    check(response.status == 487, f"the caller got {response.first_line}")


@story("call", "CANCEL before the callee said anything waits for its first answer, then reaches it")
def early_cancel(context):
    alice, bob = context.registered("alice"), context.registered("bob")
    invite = alice.invite("bob")
    received = sip.deliver(alice, invite, bob)
    alice.send(alice.cancel(invite))
    answered = alice.expect(lambda m: m.is_response and m.method == "CANCEL", what="an answer to CANCEL")
    check(answered.status == 200, f"CANCEL got {answered.first_line}")
    bob.nothing("CANCEL", 0.3)
    bob.reply(received, 180, "Ringing")
    bob.reply(bob.expect_request("CANCEL"), 200, "OK")
    bob.reply(received, 487, "Request Terminated")
    response = alice.expect_final(invite)
    alice.send(alice.ack(invite, response))
    check(response.status == 487, f"the caller got {response.first_line}")


@story("call", "a call to a sips URI reaches a callee on TLS")
def sips(context):
    alice, bob = context.registered("alice"), context.agent("bob")
    bob.register_securely()
    for uri in ("sips:bob@example.test", "sip:bob@example.test;transport=tls"):
        message = alice.request("MESSAGE", uri, contact=False)
        bob.reply(sip.deliver(alice, message, bob), 200, "OK")
        check(alice.expect_final(message).status == 200, f"a message to {uri} failed")


@story("call", "a call over IPv6")
def ipv6(context):
    for here, there in (("tls", "tls"), ("udp", "tls"), ("tls", "udp")):
        alice, bob = context.registered("alice", here, host="::1"), context.registered("bob", there, host="::1")
        sip.hang_up(*sip.call(alice, bob)[::-1])
        carol = context.registered("carol")
        sip.hang_up(*sip.call(carol, bob))
        for agent in (alice, bob, carol):
            agent.register(expires=0)
            agent.close()


@story("call", "the ACK to a 2xx goes end to end, once for each 2xx that the callee sends again")
def ack_end_to_end(context):
    alice, bob = context.registered("alice"), context.registered("bob")
    invite = alice.invite("bob")
    received = sip.deliver(alice, invite, bob)
    accepted = bob.reply(received, 200, "OK")
    for _ in range(3):
        response = alice.expect_final(invite)
        check(response.status == 200, f"the caller got {response.first_line}")
        dialog = sip.Dialog(alice, invite, response, is_caller=True)
        alice.send(dialog.ack(invite))
        ack = bob.expect_request("ACK")
        check(ack.get("Call-ID") == invite.get("Call-ID"), "another call's ACK")
        bob.nothing("ACK", 0.1)
        bob.send(accepted)
    sip.hang_up(dialog, sip.Dialog(bob, received, accepted, is_caller=False))


@story("call", "INVITE, MESSAGE and their retransmissions over UDP reach the callee once")
def retransmissions(context):
    alice, bob = context.registered("alice", "udp"), context.registered("bob")
    invite = alice.invite("bob")
    received = sip.deliver(alice, invite, bob)
    for _ in range(3):
        alice.send(invite)
    bob.nothing("INVITE", 0.4)
    bob.reply(received, 486, "Busy Here")
    first = alice.expect_final(invite)
    again = alice.expect_final(invite, timeout=2)
    check((first.status, again.status) == (486, 486), "the final response is not sent again without an ACK")
    alice.send(alice.ack(invite, first))
    bob.expect_request("ACK")
    message = alice.request("MESSAGE", "sip:bob@example.test", body=b"hello", contact=False)
    received = sip.deliver(alice, message, bob)
    alice.send(message)
    bob.nothing("MESSAGE", 0.3)
    bob.reply(received, 200, "OK")
    alice.expect_final(message)
    alice.send(message)
    response = alice.expect_final(message, timeout=2)
    check(response.status == 200, f"the retransmission got {response.first_line}")
    bob.nothing("MESSAGE", 0.3)


@story("call", "over UDP the server sends an INVITE again until the callee answers, then not")
def server_retransmits(context):
    alice, bob = context.registered("alice"), context.registered("bob", "udp")
    invite = alice.invite("bob")
    received = sip.deliver(alice, invite, bob)
    began = time.monotonic()
    again = bob.expect_request("INVITE", 2)
    check(again.branch == received.branch, "the second INVITE is another transaction")
    check(0.05 < time.monotonic() - began < 1.5, "it is not sent again after T1")
    bob.reply(received, 180, "Ringing")
    time.sleep(0.1)
    bob.pump()
    bob.inbox.clear()
    bob.nothing("INVITE", 2.2)
    bob.reply(received, 486, "Busy Here")
    response = alice.expect_final(invite)
    alice.send(alice.ack(invite, response))
    bob.expect_request("ACK")


@story("call", "a method that nobody knows and fields that nobody knows pass unchanged")
def unknown_method(context):
    alice, bob = context.registered("alice"), context.registered("bob")
    request = alice.request("FLAP", "sip:bob@example.test", headers=[("X-Wing", "left ;right=\"a,b\"")], body=b"x")
    received = sip.deliver(alice, request, bob)
    check(received.get("X-Wing") == "left ;right=\"a,b\"", f"X-Wing became {received.get('X-Wing')}")
    bob.reply(received, 299, "Flapped", [("X-Tail", "long")])
    response = alice.expect_final(request)
    check(response.first_line == "SIP/2.0 299 Flapped", f"the answer became {response.first_line}")
    check(response.get("X-Tail") == "long", "X-Tail is gone")


@story("call", "bodies pass byte for byte, every octet value and 2,000 octets among them")
def bodies(context):
    text = bytes(range(256)) + b"\r\n\r\nINVITE sip:x SIP/2.0\r\nContent-Length: 5\r\n\r\n\0\xff"
    for transport in ("tls", "tcp", "udp"):
        alice, bob = context.registered("alice", transport), context.registered("bob")
        for body in (text, bytes(i * 7 % 256 for i in range(2000)), b""):
            message = alice.request("MESSAGE", "sip:bob@example.test", contact=False, body=body,
                                    headers=[("Content-Type", "application/octet-stream")])
            received = sip.deliver(alice, message, bob)
            check(received.body == body, f"{transport}: a body of {len(body)} octets changed")
            bob.reply(received, 200, "OK", body=body[::-1])
            response = alice.expect_final(message)
            check(response.body == body[::-1], f"{transport}: a response's body of {len(body)} octets changed")
        alice.close()
        bob.close()


@story("call", "an unknown user gets 404 and a user without a binding 480")
def nobody_there(context):
    alice = context.registered("alice")
    for user, status in (("nobody", 404), ("bob", 480)):
        for request in (alice.invite(user), alice.request("MESSAGE", f"sip:{user}@example.test", contact=False)):
            response = alice.transact(request)
            check(response.status == status, f"{request.method} to {user} got {response.first_line}")


@story("call", "a caller of our domain without credentials is challenged, and nothing reaches the callee")
def challenged(context):
    alice, bob = context.registered("alice"), context.registered("bob")
    invite = alice.invite("bob")
    alice.send(invite)
    response = alice.expect_final(invite)
    alice.send(alice.ack(invite, response))
    check(response.status in (401, 407), f"it got {response.first_line}")
    bob.nothing("INVITE", 0.3)


@story("call", "a request for a domain that isn't ours is not relayed for strangers")
def no_open_relay(context):
    stranger = context.agent("mallory", domain="elsewhere.test")
    response = stranger.exchange(stranger.request("MESSAGE", "sip:victim@other.test", contact=False))
    check(400 <= response.status < 500, f"it got {response.first_line}")


@story("call", "a callee whose connection is gone: the caller gets 480 at once, for a new call and a ringing one",
       limit=60)
def connection_lost(context):
    for end in ("close", "reset"):
        alice, bob = context.registered("alice"), context.registered("bob")
        getattr(bob.channel, end)()
        time.sleep(0.3)
        began = time.monotonic()
        response = alice.transact(alice.invite("bob"))
        check(response.status == 480, f"after {end} the caller got {response.first_line}")
        check(time.monotonic() - began < 2, f"after {end} that took {time.monotonic() - began:.1f} s")
        check(alice.bindings() != {}, "alice's own binding is gone")
        bob = context.registered("bob")
        invite = alice.invite("bob")
        sip.deliver(alice, invite, bob)
        getattr(bob.channel, end)()
        response = alice.expect_final(invite, timeout=5)
        alice.send(alice.ack(invite, response))
        check(response.status in (408, 480, 500, 503),
              f"{end} before any answer: the caller got {response.first_line}")


@story("call", "a callee on UDP that never answers: the caller gets 408 or 480 within 35 s", limit=60)
def silent_callee(context):
    alice, bob = context.registered("alice"), context.registered("bob", "udp")
    invite = alice.invite("bob")
    sip.deliver(alice, invite, bob)
    response = alice.expect_final(invite, timeout=35)
    alice.send(alice.ack(invite, response))
    check(response.status in (408, 480), f"the caller got {response.first_line}")
