"""What a registrar gives to clients behind connections and proxies (RFC 3327, RFC 3608, RFC 5626, RFC 5627), and two domains."""

import re

import sip
from harness import check, story, wait_until


def flow(agent, reg_id, expires=300, instance="urn:uuid:00000000-0000-1000-8000-000a95a0e128"):
    return f'<{agent.contact}>;+sip.instance="<{instance}>";reg-id={reg_id};expires={expires}'


@story("register", "a flow is bound by instance and reg-id: a new connection replaces the old, a second reg-id stands beside it")
def flows(context):
    alice, first, second = context.registered("alice"), context.agent("bob"), context.agent("bob")
    for agent, reg_id, count in ((first, 1, 1), (second, 1, 1), (first, 2, 2)):
        response = agent.register(contacts=[flow(agent, reg_id)], headers=[("Supported", "path, outbound")])
        check(response.get("Require") == "outbound", f"Require is {response.get('Require')}")
        check(int(response.get("Flow-Timer") or 0) >= 20, f"Flow-Timer is {response.get('Flow-Timer')}")
        listed = response.all("Contact")
        check(len(listed) == count, f"after reg-id {reg_id} of {count} the registrar lists {listed}")
    first.close()
    wait_until(lambda: list(second.bindings()) == [second.contact], 2, "the end of the closed connection's binding")
    sip.deliver(alice, alice.request("MESSAGE", second.aor, contact=False), second)


@story("register", "behind a proxy outbound needs ob in Path, else it gets 439; Path comes back; without Supported it gets 420")
def behind_a_proxy(context):
    bob = context.agent("bob")
    bob.register(contacts=[])
    lower = ("Via", "SIP/2.0/TLS 192.0.2.8:5061;branch=z9hG4bKphone")
    supported = ("Supported", "path, outbound")
    for headers, status in (
        ([supported], 439), ([supported, ("Path", "<sip:127.0.0.1:9;lr>")], 439), ([("Path", "<sip:127.0.0.1:9;lr;ob>")], 420),
        ([supported, ("Path", "<sip:x@127.0.0.1:9;lr;ob>,<sip:127.0.0.1:8;lr>")], 200),
    ):
        response = bob.register(contacts=[flow(bob, 1)], headers=[lower, *headers], expected=status)
        if status == 420:
            check(response.get("Unsupported") == "path", f"Unsupported is {response.get('Unsupported')}")
        if status == 200:
            check(response.values("Path") == ["<sip:x@127.0.0.1:9;lr;ob>", "<sip:127.0.0.1:8;lr>"],
                  f"Path is {response.all('Path')}")
            check(response.get("Require") == "outbound" and not response.all("Flow-Timer"), f"it got {response.headers}")
    bob.clear()


@story("register", "GRUUs are told to who supports them, a new temporary one each time, and to nobody else")
def gruus(context):
    bob = context.agent("bob")
    seen = set()
    for _ in range(3):
        response = bob.register(contacts=[flow(bob, 1)], headers=[("Supported", "path, outbound, gruu")])
        contact = response.get("Contact")
        public = re.search(r';pub-gruu="([^"]+)"', contact)
        check(public and public.group(1).startswith(f"{bob.aor};gr="), f"the Contact is {contact}")
        temporary = re.search(r';temp-gruu="(sips?:[^"]+@[^"]+;gr)"', contact)
        check(temporary and bob.user not in temporary.group(1).split("@")[0], f"the Contact is {contact}")
        seen.add(temporary.group(1))
    check(len(seen) == 3, f"three registrations gave {len(seen)} temporary GRUUs")
    contact = bob.register(contacts=[flow(bob, 1)]).get("Contact")
    check("gruu" not in contact, f"a client that doesn't support GRUUs got {contact}")


@story("register", "the service route names the place that the client came to, and a request that takes it arrives")
def service_route(context):
    bob = context.registered("bob")
    for transport in ("tls", "tcp", "udp"):
        alice = context.agent("alice", transport)
        routes = alice.register().values("Service-Route")
        port = alice.server.ports[transport] if hasattr(alice.server, "ports") else ""
        check(len(routes) == 1 and f":{port}" in routes[0] and ";lr" in routes[0], f"{transport}: it got {routes}")
        message = alice.request("MESSAGE", bob.aor, contact=False, headers=[("Route", routes[0])])
        received = sip.deliver(alice, message, bob)
        check(not received.all("Route"), f"{transport}: the callee got Route {received.all('Route')}")


@story("register", "two domains keep users of one name apart: bindings, passwords, realms and calls")
def two_domains(context):
    here = context.agent("alice")
    there = context.agent("alice", domain="localhost", password="elsewhere")
    for agent in (here, there):
        agent.register()
        check(list(agent.bindings()) == [agent.contact], f"{agent.aor} has {agent.bindings()}")
    for password, domain in (("elsewhere", "example.test"), ("secret", "localhost")):
        wrong = context.agent("alice", domain=domain, password=password)
        response = wrong.register(expected=401)
        check(f'realm="{domain}"' in sip.challenge_of(response), f"the challenge is {sip.challenge_of(response)}")
    bob = context.registered("bob")
    for agent in (here, there):
        sip.deliver(bob, bob.request("MESSAGE", agent.aor, contact=False), agent)
    check(context.agent("alice").register(contacts=["*"], headers=[("Expires", "0")]).status == 200, "the star was refused")
    check(list(there.bindings()) == [there.contact], "the wildcard of one domain removed the other's binding")
    there.clear()
