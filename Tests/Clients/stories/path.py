"""Registering by way of an edge proxy, which we play: Path, first hop, Service-Route (RFC 3327, RFC 5626, RFC 3608)."""

import sip
from harness import check, story
from sip.message import COOKIE, token

from .conformance import message

PHONE = "sip:bob@192.0.2.10:5060;transport=tcp"
INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"'


def own_path(edge, parameters=""):
    suffix = "" if edge.transport == "udp" else f";transport={edge.transport}"
    return f"<sip:{edge.instance}@{edge.address}{suffix};lr{parameters}>"


def register_through(edge, paths, contact=f"<{PHONE}>;expires=300", supported="path", expected=200):
    """REGISTER of a phone behind the edge, which added its Via and Path."""
    lower = f"SIP/2.0/TCP 192.0.2.10:5060;branch={COOKIE}{token()}"
    headers = [("Via", lower), *[("Path", path) for path in paths], ("Supported", supported), ("Contact", contact)]
    request = edge.request("REGISTER", "sip:example.test", to=edge.aor, call_id=edge.call_id, contact=False,
                           headers=headers if supported else [field for field in headers if field[0] != "Supported"])
    response = edge.transact(request)
    if expected:
        check(response.status == expected, f"REGISTER through the edge got {response.first_line}")
    return response


@story("path", "Path comes back in the 200 in its order, and leads requests to the edge and on, by UDP and TCP")
def path(context):
    alice = context.registered("alice")
    for transport in ("udp", "tcp"):
        registering = context.agent("bob", transport)
        if transport == "udp":
            edge, first = registering, own_path(registering)
        else:
            listener = sip.Listener()
            context.agents.append(listener)
            edge, first = None, f"<sip:127.0.0.1:{listener.port};transport=tcp;lr>"
        paths = [first, '<sip:p2.test;lr>;x="a,b", <sip:p3@p3.test:99;lr;y=z>']
        response = register_through(registering, paths)
        wanted = [first, '<sip:p2.test;lr>;x="a,b"', "<sip:p3@p3.test:99;lr;y=z>"]
        check(response.values("Path") == wanted, f"Path of the 200 is {response.values('Path')}")
        request = message(alice, "bob")
        if edge is None:
            alice.authorize(request)
            alice.send(request)
            edge = sip.Agent(context.server, "bob", "tcp", channel=listener.accept())
            context.agents.append(edge)
            received = edge.expect_request("MESSAGE")
        else:
            received = sip.deliver(alice, request, edge)
        check((received.uri, received.values("Route")) == (PHONE, wanted), f"{received.uri} {received.values('Route')}")
        edge.reply(received, 200, "OK")
        check(alice.expect_final(request).status == 200, "the caller got no 200")
        # Another Path replaces it, none takes it away from that binding.
        register_through(registering, [first])
        request = message(alice, "bob")
        received = sip.deliver(alice, request, edge)
        check(received.values("Route") == [first], f"{received.values('Route')}")
        edge.reply(received, 200, "OK")
        registering.clear()


@story("path", "a call to a phone behind an edge: the dialog goes by way of the edge when it takes part, both ways")
def call_by_path(context):
    for here in ("tls", "udp"):
        alice, edge = context.registered("alice", here), context.agent("bob", "udp")
        register_through(edge, [own_path(edge)])
        invite = alice.invite("bob")
        received = sip.deliver(alice, invite, edge)
        check((received.uri, received.values("Route")) == (PHONE, [own_path(edge)]), f"{received.values('Route')}")
        # What the phone gets from the edge, and its answer, which the edge passes back.
        received.headers.insert(0, ("Record-Route", own_path(edge)))
        edge.fixed_contact = PHONE
        accepted = edge.reply(received, 200, "OK")
        response = alice.expect_final(invite)
        check(response.values("Record-Route")[0] == own_path(edge), f"{response.values('Record-Route')}")
        caller, callee = sip.Dialog(alice, invite, response, True), sip.Dialog(edge, received, accepted, False)
        alice.send(caller.ack(invite))
        ack = edge.expect_request("ACK")
        check((ack.uri, ack.values("Route")) == (PHONE, [own_path(edge)]), f"{ack.uri} {ack.values('Route')}")
        received = sip.in_dialog("INFO", caller, callee)
        check((received.uri, received.values("Route")) == (PHONE, [own_path(edge)]), f"{received.headers}")
        callee.routes = callee.routes[1:]
        sip.hang_up(callee, caller)
        edge.clear()
        alice.close()


@story("path", "Path without Supported is refused by 420 with Unsupported, or works; it is never lost")
def unsupported_path(context):
    alice, edge = context.registered("alice"), context.agent("bob", "udp")
    response = register_through(edge, [own_path(edge)], supported="", expected=None)
    if response.status == 420:
        check(response.values("Unsupported") == ["path"], f"Unsupported is {response.all('Unsupported')}")
        check(edge.bindings() == {}, "it was bound all the same")
    else:
        check(response.status == 200, f"it got {response.first_line}")
        received = sip.deliver(alice, message(alice, "bob"), edge)
        check(received.values("Route") == [own_path(edge)], f"{received.values('Route')}")


@story("path", "Require: path is understood; a malformed Path gets 400 and binds nothing")
def required_path(context):
    edge = context.agent("bob", "udp")
    response = register_through(edge, [own_path(edge)], supported="path\r\nRequire: path")
    check(response.values("Path") == [own_path(edge)], f"Path is {response.all('Path')}")
    edge.clear()
    for bad in ("<sip:edge", "garbage", "<sip:a@b;lr>,", "<tel:+1>"):
        register_through(edge, [bad], expected=400)
        check(edge.bindings() == {}, f"Path: {bad} was bound")


@story("path", "reg-id behind a first hop without ob: 439 if outbound is supported, else ignored; with ob it counts")
def first_hop(context):
    edge = context.agent("bob", "udp")
    contact = f"<{PHONE}>;expires=300;reg-id=1;{INSTANCE}"
    for paths in ([], [own_path(edge)], [own_path(edge), "<sip:first.test;lr>"]):
        register_through(edge, paths, contact, "path, outbound", expected=439)
        check(edge.bindings() == {}, f"with the Path {paths} it was bound all the same")
        response = register_through(edge, paths, contact, "path")
        check("outbound" not in response.values("Require"), f"Require is {response.all('Require')}")
        edge.clear()
    response = register_through(edge, [own_path(edge, ";ob")], contact, "path, outbound")
    check("outbound" in response.values("Require"), f"Require is {response.all('Require')}")


@story("path", "two flows by way of two edges: 430 or 408 from one leads to the other, any other answer to the caller")
def flow_failed(context):
    alice, edges = context.registered("alice"), [context.agent("bob", "udp") for _ in range(2)]
    for number, edge in enumerate(edges):
        contact = f"<sip:bob{number}@192.0.2.10;transport=tcp>;expires=300;reg-id={number + 1};{INSTANCE}"
        register_through(edge, [own_path(edge, ";ob")], contact, "path, outbound")
    check(len(edges[0].bindings()) == 2, f"bob's bindings are {edges[0].bindings()}")
    for first_answer, wanted in ((430, 200), (408, 200), (486, 486), (430, 480)):
        for method in ("MESSAGE", "INVITE"):
            request = alice.invite("bob") if method == "INVITE" else message(alice, "bob")
            alice.transact(message(alice, "carol"))
            alice.authorize(request)
            alice.send(request)
            waits = [(edge, lambda m: not m.is_response and m.method == method) for edge in edges]
            which, received = sip.first_of(waits, 5, method)
            edges[1 - which].nothing(method, 0.15)
            edges[which].reply(received, first_answer, "First")
            if first_answer in (408, 430):
                received = edges[1 - which].expect_request(method)
                edges[1 - which].reply(received, 430 if wanted == 480 else wanted, "Second")
            else:
                edges[1 - which].nothing(method, 0.15)
            response = alice.expect_final(request)
            # RFC 5626 §11.5: an endpoint does not see 430.
            check(response.status == wanted, f"after {first_answer}, {method} got {response.first_line}")
            if method == "INVITE":
                ack = alice.ack(request, response)
                alice.send(ack if wanted >= 300 else sip.Dialog(alice, request, response, True).ack(request))
            for edge in edges:
                edge.pump()
                edge.inbox.clear()


@story("path", "Service-Route of the 200, used as Route, leads a user's requests through us, from a new connection too")
def service_route(context):
    alice, bob = context.agent("alice"), context.registered("bob", "udp")
    routes = alice.register().values("Service-Route")
    check(routes, "the 200 has no Service-Route")
    check(all(";lr" in route for route in routes), f"a Service-Route without lr: {routes}")
    alice.reconnect()
    for method in ("MESSAGE", "INVITE"):
        request = alice.request(method, "sip:bob@example.test", headers=[("Route", route) for route in routes])
        received = sip.deliver(alice, request, bob)
        check((received.uri, received.all("Route")) == (bob.contact, []), f"{received.uri} {received.all('Route')}")
        bob.reply(received, 486, "No")
        response = alice.expect_final(request)
        check(response.status == 486, f"{method} got {response.first_line}")
        if method == "INVITE":
            alice.send(alice.ack(request, response))
