"""Two user agents and requests outside calls: each passes, with its dialog (RFC 6665, RFC 3903, RFC 3515, RFC 3428)."""

import sip
from harness import check, story

SUBSCRIBE = [("Event", "presence;id=\"7 a\""), ("Expires", "600"), ("Accept", "application/pidf+xml, text/plain")]
ACTIVE, OVER = [("Subscription-State", "active;expires=599")], [("Subscription-State", "terminated;reason=timeout")]
PAIRS = [("tls", "tls"), ("tls", "udp"), ("udp", "tls"), ("tcp", "udp")]


def notify(dialog, subscriber, state=ACTIVE, body=b"<presence/>"):
    """A NOTIFY within its dialog, answered 200; returns it as the subscriber got it, with the answer."""
    request = dialog.request("NOTIFY", [SUBSCRIBE[0], *state, ("Content-Type", "application/pidf+xml")], body)
    received = sip.deliver(dialog.agent, request, subscriber)
    answer = subscriber.reply(received, 200, "OK")
    check(dialog.agent.expect_final(request).status == 200, "NOTIFY got no 200")
    check(received.body == body and received.all("Event") == [SUBSCRIBE[0][1]], "NOTIFY changed on its way")
    return received, answer


def subscribe(alice, bob):
    """A subscription; returns the subscriber's and the notifier's dialogs."""
    request = alice.request("SUBSCRIBE", "sip:bob@example.test", headers=SUBSCRIBE)
    received = sip.deliver(alice, request, bob)
    for name, value in SUBSCRIBE:
        check(received.all(name) == [value], f"{name} became {received.all(name)}")
    accepted = bob.reply(received, 200, "OK", [("Expires", "599")])
    response = alice.expect_final(request)
    check(response.get("Expires") == "599", f"Expires of the answer became {response.get('Expires')}")
    return sip.Dialog(alice, request, response, True), sip.Dialog(bob, received, accepted, False)


@story("events", "SUBSCRIBE makes a dialog: NOTIFY, refresh and end of the subscription follow its route set")
def subscription(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        subscriber, notifier = subscribe(alice, bob)
        check(subscriber.routes and notifier.routes, "SUBSCRIBE got no Record-Route")
        received, _ = notify(notifier, alice)
        check(received.uri == alice.contact, f"NOTIFY went to {received.uri}")
        check(not received.all("Route"), f"our Route stayed: {received.all('Route')}")
        # RFC 6665 §4.3: who takes part in SUBSCRIBE by Record-Route does so in every NOTIFY.
        check(received.values("Record-Route"), "NOTIFY got no Record-Route")
        check(sip.in_dialog("SUBSCRIBE", subscriber, notifier, SUBSCRIBE).uri == bob.contact, "the refresh went astray")
        notify(notifier, alice)
        ended = sip.in_dialog("SUBSCRIBE", subscriber, notifier, [SUBSCRIBE[0], ("Expires", "0")])
        check(ended.all("Expires") == ["0"], f"Expires became {ended.all('Expires')}")
        received, _ = notify(notifier, alice, OVER, b"")
        check(received.get("Subscription-State") == OVER[0][1], f"{received.headers}")
        alice.close()
        bob.close()


@story("events", "a NOTIFY that comes before the answer to its SUBSCRIBE passes and makes the dialog")
def early_notify(context):
    for here, there in PAIRS[:2]:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        request = alice.request("SUBSCRIBE", "sip:bob@example.test", headers=SUBSCRIBE)
        received = sip.deliver(alice, request, bob)
        answer = bob.response(received, 200, "OK", [("Expires", "599")])
        notifier = sip.Dialog(bob, received, answer, False)
        subscriber = sip.Dialog(alice, *notify(notifier, alice), False)
        bob.send(answer)
        check(alice.expect_final(request).status == 200, "SUBSCRIBE got no 200")
        subscriber.sequence = int(request.get("CSeq").split()[0])
        sip.in_dialog("SUBSCRIBE", subscriber, notifier, [SUBSCRIBE[0], ("Expires", "0")])
        notify(notifier, alice, OVER)
        alice.close()
        bob.close()


@story("events", "a forked SUBSCRIBE: one 2xx goes back, the NOTIFYs of all make dialogs, each of which can be ended")
def forked(context):
    for transports in (("tls", "tls"), ("tls", "udp")):
        alice, phones = context.registered("alice"), [context.registered("bob", each) for each in transports]
        request = alice.request("SUBSCRIBE", "sip:bob@example.test", headers=SUBSCRIBE)
        received = [sip.deliver(alice, request, phones[0]), phones[1].expect_request("SUBSCRIBE")]
        answers = [phone.reply(each, 200, "OK", [("Expires", "599")]) for phone, each in zip(phones, received)]
        response = alice.expect_final(request)
        check(response.status == 200, f"SUBSCRIBE got {response.first_line}")
        try:
            raise AssertionError(f"the caller got a second answer: {alice.expect_final(request, 0.3).headers}")
        except sip.Missing:
            pass
        sequence = int(request.get("CSeq").split()[0])
        for phone, each, answer in zip(phones, received, answers):
            notifier = sip.Dialog(phone, each, answer, False)
            # The subscriber knows the second dialog from its NOTIFY alone.
            subscriber = sip.Dialog(alice, *notify(notifier, alice), False)
            subscriber.sequence = sequence = sequence + 10
            sip.in_dialog("SUBSCRIBE", subscriber, notifier, [SUBSCRIBE[0], ("Expires", "0")])
            notify(notifier, alice, OVER)
            phone.register(expires=0)
        alice.close()


@story("events", "PUBLISH passes with its entity tags, first, refreshed and refused")
def publish(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        tags = [("SIP-If-Match", "dx200xyz")]
        for headers, status, answer in (([], 200, ("SIP-ETag", "dx200xyz")), (tags, 200, ("SIP-ETag", "q.w!e%*")),
                                        (tags, 412, ("X-Reason", "gone"))):
            request = alice.request("PUBLISH", "sip:bob@example.test", contact=False, body=b"<presence/>",
                                    headers=[SUBSCRIBE[0], ("Expires", "3600"), *headers])
            received = sip.deliver(alice, request, bob)
            check(received.all("SIP-If-Match") == [value for _, value in headers], f"{received.headers}")
            check((received.body, received.get("Expires")) == (b"<presence/>", "3600"), f"{received.headers}")
            # RFC 3903 §4: PUBLISH makes no dialog.
            check(not received.all("Contact"), "PUBLISH has a Contact now")
            bob.reply(received, status, "Done", [answer])
            response = alice.expect_final(request)
            check((response.status, response.all(answer[0])) == (status, [answer[1]]), f"{response.headers}")
        alice.close()
        bob.close()


@story("events", "REFER passes in a call and outside; its NOTIFYs come back in the dialog that it is part of")
def refer(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        target = ("Refer-To", "<sip:carol@example.test?Replaces=12%40host%3Bto-tag%3D1%3Bfrom-tag%3D2&X-A=b%20c>")
        headers = [target, ("Referred-By", "<sip:alice@example.test>;cid=\"1@x\""), ("Refer-Sub", "true")]
        outside = alice.request("REFER", "sip:bob@example.test", headers=headers)
        received = sip.deliver(alice, outside, bob)
        accepted = bob.reply(received, 202, "Accepted")
        response = alice.expect_final(outside)
        check(response.status == 202, f"REFER got {response.first_line}")
        dialogs = [(sip.Dialog(alice, outside, response, True), sip.Dialog(bob, received, accepted, False))]
        caller, callee = sip.call(alice, bob)
        within = caller.request("REFER", headers)
        inside = sip.deliver(alice, within, bob)
        bob.reply(inside, 202, "Accepted")
        check(alice.expect_final(within).status == 202, "REFER in a call got no 202")
        for each in (received, inside):
            check([each.get(name) for name, _ in headers] == [value for _, value in headers], f"{each.headers}")
        for referrer, referee in dialogs + [(caller, callee)]:
            for line in (b"SIP/2.0 100 Trying\r\n", b"SIP/2.0 200 OK\r\n"):
                fields = [("Event", "refer"), ("Subscription-State", "active"), ("Content-Type", "message/sipfrag")]
                received = sip.in_dialog("NOTIFY", referee, referrer, fields, line)
                check((received.body, received.uri) == (line, alice.contact), f"NOTIFY became {received.headers}")
        sip.hang_up(callee, caller)
        alice.close()
        bob.close()


@story("events", "MESSAGE passes both ways, and 202 comes back as the callee sent it")
def message(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        for sender, receiver in ((alice, bob), (bob, alice)):
            request = sender.request("MESSAGE", f"sip:{receiver.user}@example.test", contact=False,
                                     headers=[("Content-Type", "text/plain;charset=UTF-8")], body="čau ☎".encode())
            received = sip.deliver(sender, request, receiver)
            check(received.body == request.body, f"the body became {received.body}")
            receiver.reply(received, 202, "Accepted")
            check(sender.expect_final(request).status == 202, "MESSAGE got no 202")
        alice.close()
        bob.close()


@story("events", "a method that nobody knows passes outside a dialog and in it, both ways, and may make a dialog")
def unknown_method(context):
    for here, there in PAIRS:
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        # RFC 3261 §25.1: every token is a method, one in small letters another than that in capitals.
        for method in ("FLAP", "invite", "X!%*_+`'~.-9"):
            request = alice.request(method, "sip:bob@example.test", body=b"x")
            received = sip.deliver(alice, request, bob)
            accepted = bob.reply(received, 299, "Flapped – twice")
            response = alice.expect_final(request)
            check(response.first_line == "SIP/2.0 299 Flapped – twice", f"the answer became {response.first_line}")
            caller, callee = sip.Dialog(alice, request, response, True), sip.Dialog(bob, received, accepted, False)
            if received.all("Record-Route"):
                sip.in_dialog(method, callee, caller)
                sip.in_dialog(method, caller, callee)
        caller, callee = sip.call(alice, bob)
        for one, other in ((caller, callee), (callee, caller)):
            sip.in_dialog("FLAP", one, other, body=b"in a call")
        sip.hang_up(caller, callee)
        alice.close()
        bob.close()
