"""GRUU: URIs of one instance, given out at registration and resolved wherever they come back (RFC 5627)."""

import re
import time

import sip
from harness import check, story

from .conformance import message
from .outbound import SUPPORTED

GRUU = [("Supported", "gruu, path, outbound")]


def gruus(response, agent):
    """pub-gruu and temp-gruu of the Contact value that has the agent's instance."""
    for value in response.values("Contact"):
        if agent.urn in value:
            found = dict(re.findall(r';\s*(pub-gruu|temp-gruu)="([^"]*)"', value))
            return found.get("pub-gruu"), found.get("temp-gruu")
    raise AssertionError(f"{agent.urn} is not in {response.all('Contact')}")


def with_gruu(context, transport="tls", like=None, reg_id=None, user="bob"):
    agent = context.agent(user, transport)
    agent.urn = like.urn if like else agent.urn
    response = agent.register(contacts=[agent.instance_contact(reg_id)], headers=GRUU)
    public, temporary = gruus(response, agent)
    check(public and temporary, f"no GRUU in {response.values('Contact')}")
    return agent, public, temporary


def status_of(agent, uri):
    return agent.transact(agent.request("MESSAGE", uri, contact=False)).status


@story("gruu", "a 200 names a public and a temporary GRUU: the public stays, each REGISTER makes a new temporary")
def given_out(context):
    bob, public, temporary = with_gruu(context)
    check(public.startswith(f"{bob.aor};") and re.search(r";gr=[^;]+", public), f"pub-gruu is {public}")
    check(re.fullmatch(r"sip:[^@]+@example\.test;gr(=[^;]*)?", temporary), f"temp-gruu is {temporary}")
    check("bob" not in temporary and bob.urn not in temporary, f"temp-gruu gives the user away: {temporary}")
    seen = {temporary}
    for _ in range(3):
        again, other = gruus(bob.register(contacts=[bob.instance_contact()], headers=GRUU), bob)
        check(again == public, f"pub-gruu became {again}")
        check(other not in seen, "the same temp-gruu twice")
        seen.add(other)
    other, theirs, _ = with_gruu(context)
    check(theirs != public, "two instances have one pub-gruu")
    alice = context.registered("alice")
    for uri in (public, *seen):
        received = sip.deliver(alice, alice.request("MESSAGE", uri, contact=False), bob)
        check(received.uri == bob.contact, f"{uri} led to {received.uri}")
        bob.reply(received, 200, "OK")
    other.nothing("MESSAGE", 0.1)


@story("gruu", "without gruu in Supported, or without an instance, none is given; a client can't choose its own")
def not_given(context):
    bob = context.agent("bob")
    rows = [([bob.instance_contact()], SUPPORTED), ([f"<{bob.contact}>;expires=300"], GRUU)]
    for contacts, headers in rows:
        response = bob.register(contacts=contacts, headers=headers)
        check("gruu=" not in str(response.all("Contact")), f"{response.all('Contact')}")
        bob.clear()
    wish = ';pub-gruu="sip:bob@example.test;gr=mine";temp-gruu="sip:mine@example.test;gr"'
    found = gruus(bob.register(contacts=[bob.instance_contact() + wish], headers=GRUU), bob)
    check("mine" not in str(found), f"the GRUUs are {found}")
    check(status_of(context.registered("alice"), "sip:mine@example.test;gr") == 404, "a chosen temp-gruu is valid")
    for contact in ("sip:bob@example.test", "mailto:bob@example.test", found[0], found[1]):
        bob.register(contacts=[f'<{contact}>;+sip.instance="<{bob.urn}>"'], headers=GRUU, expected=403)


@story("gruu", "a GRUU reaches its own instance alone, for every method, from inside and from strangers")
def own_instance(context):
    alice = context.registered("alice", "udp")
    stranger = context.agent("stranger", domain="elsewhere.test")
    phones = [with_gruu(context, transport) for transport in ("tls", "udp", "tcp")]
    for phone, *uris in phones:
        for uri in uris:
            for caller, method in ((alice, "INVITE"), (stranger, "SUBSCRIBE"), (alice, "FLAP")):
                request = caller.request(method, uri)
                received = sip.deliver(caller, request, phone)
                check(received.uri == phone.contact, f"{uri} led to {received.uri}")
                phone.reply(received, 486, "No")
                response = caller.expect_final(request)
                check(response.status == 486, f"{method} got {response.first_line}")
                if method == "INVITE":
                    caller.send(caller.ack(request, response))
    for phone, *_ in phones:
        check(sum(not m.is_response and m.method != "ACK" for m in phone.seen) == 6, f"{phone.seen}")


@story("gruu", "GRUUs end: 480 for the public one without a contact, 404 for void temporary ones and for strange ones")
def ended(context):
    alice = context.registered("alice")
    bob, public, temporary = with_gruu(context)
    bob.register(contacts=[bob.instance_contact(expires=0)], headers=GRUU)
    check(status_of(alice, public) == 480, "the public GRUU without a contact got no 480")
    check(status_of(alice, temporary) in (404, 480), "the temporary GRUU without a contact is valid")
    # RFC 5627 §5.1: another Call-ID is a restarted phone, whose old temporary GRUUs are void.
    bob, public, first = with_gruu(context)
    again, same, second = with_gruu(context, like=bob)
    check(same == public, f"pub-gruu became {same}")
    check(status_of(alice, first) == 404, "a temporary GRUU from before the restart is valid")
    for uri in (public, second):
        # RFC 5627 §6.1: of several contacts of an instance, the most recently refreshed one.
        received = sip.deliver(alice, alice.request("MESSAGE", uri, contact=False), again)
        again.reply(received, 200, "OK")
    bob.nothing("MESSAGE", 0.1)
    text = second.split(":")[1].split("@")[0]
    forged = second.replace(text, text[:-6] + ("AAAAAA" if not text.endswith("AAAAAA") else "BBBBBB"))
    for uri in ("sip:bob@example.test;gr=no-such-instance", "sip:nobody@example.test;gr", forged):
        check(status_of(alice, uri) in (404, 480), f"{uri} is valid")
    check(status_of(alice, "sip:nobody@example.test;gr") == 404, "a made-up temporary GRUU got no 404")


@story("gruu", "two flows of an instance: its GRUU leads over one, and over the other when that is gone")
def with_outbound(context):
    alice = context.registered("alice")
    first, public, _ = with_gruu(context, reg_id=1)
    second, same, temporary = with_gruu(context, like=first, reg_id=2)
    check(same == public, f"pub-gruu became {same}")
    other, *_ = with_gruu(context)
    for uri in (public, temporary):
        request = alice.request("MESSAGE", uri, contact=False)
        alice.transact(message(alice, "carol"))
        alice.authorize(request)
        alice.send(request)
        flows = [first, second]
        which, received = sip.first_of([(each, lambda m: not m.is_response) for each in flows], 5, "MESSAGE to a GRUU")
        flows[1 - which].nothing("MESSAGE", 0.15)
        flows[which].reply(received, 200, "OK")
        check(alice.expect_final(request).status == 200, "MESSAGE got no 200")
    flows[which].channel.reset()
    time.sleep(0.2)
    received = sip.deliver(alice, alice.request("MESSAGE", public, contact=False), flows[1 - which])
    flows[1 - which].reply(received, 200, "OK")
    other.nothing("MESSAGE", 0.1)


@story("gruu", "a GRUU as remote target: the dialog's requests reach the phone by its contact, also after it moved")
def remote_target(context):
    for kind in (0, 1):
        for here, there in (("tls", "tls"), ("udp", "tls"), ("tls", "udp")):
            caller_agent, *mine = with_gruu(context, here, user="alice")
            callee_agent, *theirs = with_gruu(context, there)
            contacts = {agent: agent.contact for agent in (caller_agent, callee_agent)}
            caller_agent.fixed_contact, callee_agent.fixed_contact = mine[kind], theirs[kind]
            caller, callee = sip.call(caller_agent, callee_agent)
            check((caller.target, callee.target) == (theirs[kind], mine[kind]), f"{caller.target} {callee.target}")
            for one, other in ((caller, callee), (callee, caller)):
                received = sip.in_dialog("INFO", one, other)
                # RFC 5627 §6.1: the contact replaces the GRUU, gr goes.
                check(received.uri == contacts[other.agent], f"INFO came for {received.uri}")
            # A new connection, the same instance and Call-ID: the GRUUs stay.
            for agent, public in ((callee_agent, theirs[0]), (caller_agent, mine[0])):
                old, agent.fixed_contact = agent.reconnect(keep=True), None
                contacts[agent] = agent.contact
                response = agent.register(contacts=[agent.instance_contact()], headers=GRUU)
                old.close()
                check(gruus(response, agent)[0] == public, f"pub-gruu became {gruus(response, agent)[0]}")
            for one, other in ((caller, callee), (callee, caller)):
                received = sip.in_dialog("INFO", one, other)
                check(received.uri == contacts[other.agent], f"after the move, INFO came for {received.uri}")
            sip.hang_up(callee, caller)
            for agent in (caller_agent, callee_agent):
                agent.clear()
                agent.close()


@story("gruu", "who registers a sips contact gets a sips GRUU, which leads to that contact")
def secure(context):
    alice, bob = context.registered("alice"), context.agent("bob")
    bob.fixed_contact = bob.contact.replace("sip:", "sips:").replace(";transport=tls", "")
    request = bob.request("REGISTER", "sips:example.test", to=bob.aor, call_id=bob.call_id, contact=False,
                          headers=[("Contact", bob.instance_contact()), *GRUU])
    response = bob.transact(request)
    check(response.status == 200, f"REGISTER got {response.first_line}")
    for uri in gruus(response, bob):
        check(uri.startswith("sips:"), f"the GRUU is {uri}")
        received = sip.deliver(alice, alice.request("MESSAGE", uri, contact=False), bob)
        check(received.uri == bob.contact, f"{uri} led to {received.uri}")
        bob.reply(received, 200, "OK")
