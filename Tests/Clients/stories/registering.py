"""Registering, with a raw client (RFC 3261 §10.3, RFC 7616)."""

import servers
import sip
from harness import check, story


@story("register", "a client registers and de-registers over TLS, TCP and UDP")
def each_transport(context):
    for transport in ("tls", "tcp", "udp"):
        agent = context.registered("alice", transport)
        listed = agent.bindings()
        check(list(listed) == [agent.contact], f"{transport}: the registrar lists {listed}, not {agent.contact}")
        seconds = int(listed[agent.contact]["expires"])
        check(0 < seconds <= 600, f"{transport}: the binding expires in {seconds} s")
        agent.register(expires=0)
        check(agent.bindings() == {}, f"{transport}: the binding stays after expires=0")


@story("register", "a fetch changes nothing and a wildcard removes every binding")
def wildcard(context):
    alice = context.agent("alice")
    contacts = [f"<{alice.contact};line={n}>;expires=300" for n in (1, 2, 3)]
    alice.register(contacts=contacts)
    listed = alice.bindings()
    check(len(listed) == 3, f"three contacts were registered, {len(listed)} are listed")
    check(alice.bindings().keys() == listed.keys(), "a fetch changed the bindings")
    response = alice.clear()
    check(not response.all("Contact"), f"the answer to the wildcard lists {response.all('Contact')}")
    check(alice.bindings() == {}, "bindings stay after the wildcard")


@story("register", "a wildcard with another expiry than 0 is refused and removes nothing")
def wildcard_misused(context):
    alice = context.registered("alice")
    response = alice.register(contacts=["*"], headers=[("Expires", "60")], expected=None)
    check(400 <= response.status < 500, f"it got {response.first_line}")
    check(alice.contact in alice.bindings(), "the binding is gone")


@story("register", "an interval below the minimum gets 423 with Min-Expires, and nothing is bound")
def too_brief(context):
    alice = context.agent("alice")
    response = alice.register(contacts=[f"<{alice.contact}>"], headers=[("Expires", "5")], expected=423)
    least = int(response.get("Min-Expires") or 0)
    check(least > 5, f"Min-Expires is {response.get('Min-Expires')}")
    check(alice.bindings() == {}, "the contact was bound all the same")
    alice.register(contacts=[f"<{alice.contact}>"], headers=[("Expires", str(least))])


@story("register", "an older CSeq of the same Call-ID is refused and changes nothing")
def out_of_order(context):
    alice = context.registered("alice")
    later = alice.sequence
    alice.sequence = later - 50
    response = alice.register(expires=0, expected=None)
    check(response.status >= 400, f"CSeq {alice.sequence} after {later} got {response.first_line}")
    alice.sequence = later + 50
    check(alice.contact in alice.bindings(), "the binding is gone")


@story("register", "a wrong password and an unknown user get the same answer")
def no_hint(context):
    answers = []
    for user, password in (("alice", "wrong"), ("nobody", "secret")):
        response = context.agent(user, password=password).register(expected=None)
        names = sorted(name for name, _ in response.headers)
        challenge = sip.challenge_of(response).replace(response_nonce(response), "")
        answers.append((response.first_line, names, challenge))
    check(answers[0][0].startswith("SIP/2.0 401 "), f"a wrong password got {answers[0][0]}")
    check(answers[0] == answers[1], f"wrong password: {answers[0]}; unknown user: {answers[1]}")


@story("register", "a user can't register for another")
def somebody_else(context):
    alice = context.agent("alice")
    request = alice.request("REGISTER", "sip:example.test", to="sip:bob@example.test")
    response = alice.transact(request)
    check(response.status in (401, 403), f"alice registered for bob and got {response.first_line}")
    check(context.agent("bob").bindings() == {}, "bob has a binding now")


@story("register", "a contact more than allowed is refused and nothing of that request is bound")
def too_many(context):
    alice = context.agent("alice")
    contacts = [f"<{alice.contact};line={n}>;expires=300" for n in range(servers.MAX_CONTACTS + 1)]
    alice.register(contacts=contacts[:3])
    response = alice.register(contacts=contacts[3:], expected=None)
    check(400 <= response.status < 600, f"{len(contacts)} contacts got {response.first_line}")
    check(len(alice.bindings()) == 3, f"{len(alice.bindings())} bindings stand, not 3")


@story("register", "a replayed digest answer is refused")
def replay(context):
    alice = context.registered("alice")
    request = alice.request("REGISTER", "sip:example.test", to=alice.aor, call_id=alice.call_id, contact=False)
    alice.authorize(request)
    check(alice.exchange(request).status == 200, "the answer is refused at its first use")
    alice.sequence += 1
    request.replace("CSeq", f"{alice.sequence} REGISTER")
    request.replace("Via", alice.via())
    response = alice.exchange(request)
    check(response.status == 401, f"the same nonce and count again got {response.first_line}")
    stranger = context.agent("alice")
    request.replace("Via", stranger.via())
    response = stranger.exchange(request)
    check(response.status == 401, f"over another connection it got {response.first_line}")


@story("register", "a contact that claims another address is reached over the connection that registered it")
def claimed_address(context):
    alice, bob = context.registered("alice"), context.agent("bob")
    claimed = "sip:bob@192.0.2.55:5999;transport=tls"
    bob.register(contacts=[f"<{claimed}>;expires=300"])
    received = sip.deliver(alice, alice.request("MESSAGE", "sip:bob@example.test", contact=False), bob)
    check(received.uri == claimed, f"the Request-URI is {received.uri}")


def response_nonce(response):
    return sip.challenge_of(response).split('nonce="', 1)[1].split('"', 1)[0]
