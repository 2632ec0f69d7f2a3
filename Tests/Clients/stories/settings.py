"""What other settings change: domains, gateways, whom we trust. Each story has a server of its own."""

import time

import sip
from harness import check, story

from .conformance import message
from .outbound import SUPPORTED

ASSERTED = ("P-Asserted-Identity", '"Gate, way" <sip:+15550100@gateway.test>')


@story("settings", "several domains: aliases lead to them, each has its realm and users, one name in two is two users")
def domains(context):
    def users(server):
        server.add_user(server.folder / "others.yaml", "other.test", "alice", "different", "Other realm")

    server = context.own_server({"domains": "{ example.test: { aliases: [alias.test, localhost] }, "
                                 "other.test: { realm: \"Other realm\", users: others.yaml } }"}, users)
    first = context.registered("alice", server=server)
    second = context.registered("alice", server=server, domain="other.test", password="different")
    bob = context.registered("bob", server=server)
    challenge = second.register(contacts=[]) and second.challenges[True][1]
    check('realm="Other realm"' in challenge, f"other.test challenges with {challenge}")
    for agent in (first, second):
        check(list(agent.bindings()) == [agent.contact], f"{agent.aor} has {agent.bindings()}")
    for uri, there, others in (("sip:alice@example.test", first, second), ("sip:alice@other.test", second, first),
                               ("sip:alice@alias.test", first, second), ("sip:alice@localhost", first, second)):
        received = sip.deliver(bob, bob.request("MESSAGE", uri, contact=False), there)
        check(received.uri == there.contact, f"{uri} led to {received.uri}")
        there.reply(received, 200, "OK")
        others.nothing("MESSAGE", 0.1)
    for password, domain in (("secret", "other.test"), ("different", "example.test")):
        agent = context.agent("alice", server=server, domain=domain, password=password)
        check(agent.register(expected=None).status == 401, f"the other domain's password works in {domain}")
    agent = context.agent("bob", server=server, domain="other.test")
    check(agent.register(expected=None).status == 401, "bob is a user of both")
    for caller, wanted in ((second, bob), (bob, second)):
        request = caller.request("MESSAGE", wanted.aor, contact=False)
        wanted.reply(sip.deliver(caller, request, wanted), 200, "OK")
        check(caller.expect_final(request).status == 200, f"from {caller.aor} to {wanted.aor} failed")
    response = bob.transact(bob.request("MESSAGE", "sip:bob@other.test", contact=False))
    check(response.status == 404, f"sip:bob@other.test got {response.first_line}")


@story("settings", "contacts of gateways that do not register are reached, beside registered ones and by preference")
def static_contacts(context):
    gateways = [context.agent("gateway", "udp", domain="gateway.test") for _ in range(2)]
    contacts = ", ".join(f'{{ address: "sip:carol@example.test", contact: "sip:g{n}@{gateway.address}", q: {q} }}'
                         for n, (gateway, q) in enumerate(zip(gateways, ("0.5", "0.2"))))
    server = context.own_server({"registrar": f"{{ contacts: [{contacts}] }}"})
    alice = context.registered("alice", server=server)
    for gateway in gateways:
        gateway.channel.socket.connect(("127.0.0.1", server.ports["udp"]))
    request = message(alice, "carol")
    first = sip.deliver(alice, request, gateways[0])
    check(first.uri == f"sip:g0@{gateways[0].address}", f"the Request-URI is {first.uri}")
    gateways[1].nothing("MESSAGE", 0.2)
    gateways[0].reply(first, 480, "No")
    gateways[1].reply(gateways[1].expect_request("MESSAGE"), 200, "OK")
    check(alice.expect_final(request).status == 200, "the caller got no 200")
    carol = context.registered("carol", server=server)
    request = message(alice, "carol")
    carol.reply(sip.deliver(alice, request, carol), 200, "OK")
    check(alice.expect_final(request).status == 200, "the registered contact was not reached first")
    carol.clear()
    request = message(alice, "carol")
    gateways[0].reply(sip.deliver(alice, request, gateways[0]), 200, "OK")
    check(alice.expect_final(request).status == 200, "the wildcard took the gateway's contact")


@story("settings", "a gateway that we trust is not challenged, and what it says of its callers reaches our users")
def trusted(context):
    server = context.own_server({"identity": '{ trusted: ["127.0.0.2/32"] }'})
    bob = context.registered("bob", server=server)
    for transport in ("tcp", "udp"):
        gateway = context.agent("+15550100", transport, server=server, domain="gateway.test", source="127.0.0.2")
        stranger = context.agent("+15550100", transport, server=server, domain="gateway.test", source="127.0.0.3")
        rows = [(gateway, [], [ASSERTED[1]]), (stranger, [], []), (gateway, [("Privacy", "id")], []),
                (gateway, [("Privacy", "none")], [ASSERTED[1]])]
        for caller, privacy, wanted in rows:
            request = message(caller, "bob", [ASSERTED, *privacy])
            received = sip.deliver(caller, request, bob)
            found = received.values("P-Asserted-Identity")
            check(found == wanted, f"{transport} from {caller.address} with {privacy}: {found}")
            bob.reply(received, 200, "OK")
            caller.expect_final(request)


@story("settings", "to a trusted gateway users carry the identity that they proved, and Privacy: id does not hide it")
def towards_trusted(context):
    gateway = context.agent("gateway", "udp", domain="gateway.test", source="127.0.0.2")
    contact = f'{{ address: "sip:carol@example.test", contact: "sip:g@{gateway.address}" }}'
    server = context.own_server({"identity": '{ trusted: ["127.0.0.2/32"], to_users: no }',
                                 "registrar": f"{{ contacts: [{contact}] }}"})
    gateway.channel.socket.connect(("127.0.0.1", server.ports["udp"]))
    alice, bob = context.registered("alice", server=server), context.registered("bob", server=server)
    for privacy in ([], [("Privacy", "id")]):
        request = message(alice, "carol", privacy)
        received = sip.deliver(alice, request, gateway)
        # RFC 3325 §5 and §7: within the trust domain it stays, with Privacy.
        found = [sip.uri_of(value) for value in received.values("P-Asserted-Identity")]
        check(found == [alice.aor], f"with {privacy} the gateway got {found}")
        check(received.all("Privacy") == [value for _, value in privacy], f"Privacy is {received.all('Privacy')}")
        gateway.reply(received, 200, "OK")
        alice.expect_final(request)
    received = sip.deliver(alice, message(alice, "bob"), bob)
    check(not received.all("P-Asserted-Identity"), f"to_users: no, and bob got {received.all('P-Asserted-Identity')}")


@story("settings", "fields that are ours or listed go from what clients send; with assert: no, no identity is added")
def stripped(context):
    server = context.own_server({"identity": "{ assert: no, strip: [X-Account, Diversion] }"})
    alice, bob = context.registered("alice", server=server), context.registered("bob", "udp", server=server)
    stranger = context.agent("stranger", server=server, domain="elsewhere.test")
    for caller in (alice, stranger):
        fields = [("X-Apus-Anything", "1"), ("x-account", "2"), ("Diversion", "<sip:a@b>;reason=x,\r\n <sip:c@d>"),
                  ("X-Accounting", "stays"), ("P-Asserted-Service", "urn:urn-7:3gpp-service.x")]
        received = sip.deliver(caller, message(caller, "bob", fields), bob)
        names = [name for name, _ in fields if received.all(name)]
        check(names == ["X-Accounting"], f"bob got {names}")
        check(not received.all("P-Asserted-Identity"), f"bob got {received.all('P-Asserted-Identity')}")
        bob.reply(received, 200, "OK")


@story("settings", "Flow-Timer is told to those who register a flow; a silent one is given up after some grace",
       limit=90)
def flow_timer(context):
    server = context.own_server({"registrar": "{ flow_timer: 20, flow_grace: 2 }"})
    alice, agents = context.registered("alice", server=server), []
    for reg_id in (1, 2):
        agent = context.agent("bob", server=server)
        agent.urn = agents[0].urn if agents else agent.urn
        response = agent.register(contacts=[agent.instance_contact(reg_id)], headers=SUPPORTED)
        check(response.get("Flow-Timer") == "20", f"Flow-Timer is {response.get('Flow-Timer')}")
        agents.append(agent)
    silent, living = agents
    began = time.monotonic()
    # RFC 5626 §5.4: longer than the timer, for the delay of transport.
    while time.monotonic() - began < 17:
        living.send(b"\r\n\r\n")
        living.pump(2)
        silent.pump(0.02)
    check(living.channel.pongs > 3, "pings are not answered")
    check(len(living.bindings()) == 2, "a flow was given up before its time")
    while time.monotonic() - began < 50 and len(living.bindings()) > 1:
        living.send(b"\r\n\r\n")
        living.pump(1)
    check(list(living.bindings()) == [living.contact], f"bob's bindings are {living.bindings()}")
    received = sip.deliver(alice, message(alice, "bob"), living)
    living.reply(received, 200, "OK")
