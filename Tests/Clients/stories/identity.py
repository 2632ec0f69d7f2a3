"""Who is calling: asserted identity and privacy of users whom we know and of strangers (RFC 3325, RFC 3323)."""

import sip
from harness import check, story
from sip.message import token

from .conformance import message

CLAIMS = [("P-Asserted-Identity", '"Boss" <sip:boss@example.test>'), ("P-Asserted-Identity", "tel:+15550100"),
          ("Remote-Party-ID", "<sip:boss@example.test>;party=calling;screen=yes")]


def send_as(agent, display, claims=(), method="MESSAGE", user="bob", uri=None):
    request = agent.request(method, f"sip:{user}@example.test", headers=claims, contact=method == "INVITE")
    request.replace("From", f"{display} <{uri or agent.aor}>;tag={token()}")
    return request


@story("identity", "identities that a client claims never reach the callee: the one that it proved does, or none", 60)
def claimed(context):
    for here, there in (("tls", "tls"), ("udp", "tls"), ("tls", "udp"), ("tcp", "tcp")):
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        stranger = context.agent("stranger", here, domain="elsewhere.test")
        for method in ("MESSAGE", "INVITE", "SUBSCRIBE", "FLAP"):
            for caller in (alice, stranger):
                request = send_as(caller, '"Me"', CLAIMS, method)
                received = sip.deliver(caller, request, bob)
                check(not received.all("Remote-Party-ID"), f"{caller.user}: {received.all('Remote-Party-ID')}")
                for value in received.values("P-Asserted-Identity"):
                    check(caller is alice and sip.uri_of(value) == alice.aor, f"{caller.user}: {value}")
                check(received.get("From") == request.get("From"), f"From became {received.get('From')}")
                bob.reply(received, 486, "No")
                response = caller.expect_final(request)
                if method == "INVITE":
                    caller.send(caller.ack(request, response))
        for agent in (alice, bob, stranger):
            agent.close()


@story("identity", "claims in the requests of a dialog, and in answers of a callee, go as well")
def claimed_later(context):
    alice, bob = context.registered("alice"), context.registered("bob", "udp")
    caller, callee = sip.call(alice, bob)
    for one, other in ((caller, callee), (callee, caller)):
        received = sip.in_dialog("INFO", one, other, CLAIMS)
        check(not received.all("Remote-Party-ID"), f"{received.all('Remote-Party-ID')}")
        for value in received.values("P-Asserted-Identity"):
            check(sip.uri_of(value) == one.agent.aor, f"{one.agent.user}: {value}")
    sip.hang_up(caller, callee)
    request = message(alice, "bob")
    bob.reply(sip.deliver(alice, request, bob), 200, "OK", CLAIMS)
    response = alice.expect_final(request)
    check(not response.all("Remote-Party-ID"), f"{response.all('Remote-Party-ID')}")
    for value in response.values("P-Asserted-Identity"):
        check(sip.uri_of(value) == bob.aor, f"the callee's claim came back: {value}")


@story("identity", "Privacy: id: no asserted identity leaves us for a callee, alone or beside other wishes")
def private(context):
    alice, bob = context.registered("alice"), context.registered("bob")
    for value in ("id", "id;critical", "header; id", "user;id;session"):
        request = send_as(alice, "Anonymous", [("Privacy", value), *CLAIMS])
        received = sip.deliver(alice, request, bob)
        check(not received.all("P-Asserted-Identity"), f"Privacy: {value}: {received.all('P-Asserted-Identity')}")
        check(not received.all("Remote-Party-ID"), f"Privacy: {value}: {received.all('Remote-Party-ID')}")
        bob.reply(received, 200, "OK")
        check(alice.expect_final(request).status == 200, f"Privacy: {value}: the caller got no 200")


@story("identity", "a From of our domain that isn't the proven user is refused by 403, and nothing reaches the callee")
def forged(context):
    for transport in ("tls", "udp"):
        alice, bob = context.registered("alice", transport), context.registered("bob")
        alice.transact(message(alice, "carol"))
        for uri in ("sip:carol@example.test", "sip:bob@example.test", "sips:carol@example.test", "sip:carol@localhost",
                    "sip:nobody@example.test", "sip:%63arol@example.test", "sip:ALICE@example.test"):
            for method in ("MESSAGE", "INVITE"):
                request = send_as(alice, "", method=method, uri=uri)
                response = alice.transact(request)
                check(response.status in (401, 403, 407), f"{transport}: {method} from {uri} got {response.first_line}")
        # Spellings of the same user are no forgery.
        for uri in ("sip:%61lice@EXAMPLE.test", "sips:alice@example.test", "sip:alice@example.test:5060"):
            received = sip.deliver(alice, send_as(alice, "", uri=uri), bob)
            bob.reply(received, 200, "OK")
        bob.nothing("INVITE", 0.1)
        check(sum(not m.is_response for m in bob.seen) == 3, f"bob got {bob.seen}")
        bob.register(expires=0)
        alice.close()


@story("identity", "an anonymous caller: From stays anonymous, the call goes on both ways, no field names the user")
def anonymous(context):
    for here, there in (("tls", "tls"), ("udp", "tls")):
        alice, bob = context.registered("alice", here), context.registered("bob", there)
        alice.transact(message(alice, "carol"))
        alice.fixed_contact = alice.contact.replace("alice-", "x")
        invite = send_as(alice, '"Anonymous"', [("Privacy", "id")], "INVITE", uri="sip:anonymous@anonymous.invalid")
        alice.authorize(invite)
        received = sip.deliver(alice, invite, bob)
        text = received.head.decode("latin-1").lower()
        check("alice" not in text, f"the callee can read who calls: {text}")
        accepted = bob.reply(received, 200, "OK")
        response = alice.expect_final(invite)
        caller, callee = sip.Dialog(alice, invite, response, True), sip.Dialog(bob, received, accepted, False)
        alice.send(caller.ack(invite))
        bob.expect_request("ACK")
        for one, other in ((caller, callee), (callee, caller)):
            received = sip.in_dialog("INFO", one, other)
            check("anonymous.invalid" in received.get("From") + received.get("To"), f"{received.get('From')}")
        sip.hang_up(callee, caller)
        for agent in (alice, bob):
            agent.close()
