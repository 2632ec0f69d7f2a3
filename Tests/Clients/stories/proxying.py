"""The proxy's checks of a request, breadth, colliding branches, our Via (RFC 3261 §16.3 and §16.7, RFC 5393)."""

import sip
from harness import check, story

from .conformance import message, pair, statuses
from .forking import bobs


def stranger(context, transport="tls"):
    return context.agent("stranger", transport, domain="elsewhere.test")


def from_stranger(agent, method="MESSAGE", user="bob", headers=()):
    """Strangers may call our users without a challenge."""
    return agent.request(method, f"sip:{user}@example.test", headers=headers)


@story("proxy", "a request to a user with a malformed field that a proxy reads gets 400 and goes nowhere")
def malformed(context):
    rows = [("Route", "<sip:127.0.0.1"), ("Route", "garbage"), ("Route", "<sip:127.0.0.1;lr>,"), ("CSeq", "1"),
            ("CSeq", "MESSAGE 1"), ("To", "<sip:bob@example.test"), ("From", "x y z"), ("Call-ID", ""),
            ("Max-Forwards", ""), ("Max-Forwards", "abc")]
    for transport in ("tls", "tcp", "udp"):
        agent, bob = stranger(context, transport), context.registered("bob")
        texts = {}
        for name, value in rows:
            request = from_stranger(agent)
            request.replace(name, value)
            texts[request.encode()] = f"{name}: {value}"
        for text, status in statuses(agent, texts).items():
            check(status == 400, f"{transport}: {texts[text]} got {status}")
        bob.nothing("MESSAGE", 0.1)
        bob.register(expires=0)


@story("proxy", "Max-Forwards 0 gets 483 whatever the method, 1 arrives as 0, and one is added where it lacks")
def hops(context):
    for transport in ("tls", "udp"):
        agent, bob = stranger(context, transport), context.registered("bob")
        for method in ("INVITE", "MESSAGE", "FLAP"):
            request = from_stranger(agent, method)
            request.replace("Max-Forwards", "0")
            response = agent.exchange(request)
            check(response.status == 483, f"{transport}: {method} got {response.first_line}")
        bob.nothing("INVITE", 0.1)
        for value, wanted in (("1", "0"), ("255", "254"), (None, "70"), ("007", "6")):
            request = from_stranger(agent)
            request.remove("Max-Forwards")
            request.headers += [("Max-Forwards", value)] if value else []
            received = sip.deliver(agent, request, bob)
            check(received.all("Max-Forwards") == [wanted], f"{value} became {received.all('Max-Forwards')}")
            bob.reply(received, 200, "OK")
            agent.expect_final(request)
        bob.register(expires=0)


@story("proxy", "Max-Breadth is added, divided among branches and used again; with 1, they come one by one or 440")
def breadth(context):
    caller, (left, right) = stranger(context), bobs(context, 0.5, 0.5)

    def share(value):
        request = from_stranger(caller, headers=[("Max-Breadth", value)] if value else [])
        received = [sip.deliver(caller, request, left), right.expect_request("MESSAGE")]
        for agent, each in zip((left, right), received):
            check(len(each.all("Max-Breadth")) == 1, f"Max-Breadth: {each.all('Max-Breadth')}")
            agent.reply(each, 480, "No")
        check(caller.expect_final(request).status == 480, "the caller got no 480")
        return [int(each.get("Max-Breadth")) for each in received]

    for value, most in ((None, 60), ("60", 60), ("5", 5), ("2", 2), ("100000", 60), ("4294967296", 60)):
        shares = share(value)
        check(min(shares) >= 1 and sum(shares) <= most, f"Max-Breadth {value} became {shares}")
    request = from_stranger(caller, headers=[("Max-Breadth", "1")])
    caller.send(request)
    which, first = sip.first_of([(left, lambda m: not m.is_response), (right, lambda m: not m.is_response),
                                 (caller, lambda m: m.is_response and m.status >= 300)], 5)
    if which == 2:
        check(first.status == 440, f"Max-Breadth 1 got {first.first_line}")
        return
    one, other = (left, right) if which == 0 else (right, left)
    other.nothing("MESSAGE", 0.3)
    one.reply(first, 480, "No")
    second = other.expect_request("MESSAGE")
    check(first.all("Max-Breadth") == second.all("Max-Breadth") == ["1"], f"{second.all('Max-Breadth')}")
    other.reply(second, 200, "OK")
    check(caller.expect_final(request).status == 200, "the caller got no 200")


@story("proxy", "a request to one contact keeps its whole Max-Breadth, in and out of a dialog")
def whole_breadth(context):
    alice, bob = pair(context, "udp")
    for value, wanted in (("7", "7"), (None, "60"), ("1", "1")):
        headers = [("Max-Breadth", value)] if value else []
        request = message(alice, "bob", headers)
        received = sip.deliver(alice, request, bob)
        check(received.all("Max-Breadth") == [wanted], f"{value} became {received.all('Max-Breadth')}")
        bob.reply(received, 200, "OK")
        alice.expect_final(request)
    caller, callee = sip.call(alice, bob)
    received = sip.in_dialog("INFO", caller, callee, [("Max-Breadth", "9")])
    check(received.all("Max-Breadth") == ["9"], f"9 became {received.all('Max-Breadth')}")
    sip.hang_up(caller, callee)


@story("proxy", "clients that use the same branch are told apart by sent-by and method")
def branches(context):
    for transport in ("tls", "udp"):
        bob, callers = context.registered("bob"), [stranger(context, transport) for _ in range(2)]
        same = callers[0].via().split("branch=")[1]
        requests = []
        for caller in callers:
            for method in ("MESSAGE", "FLAP", "INVITE"):
                request = from_stranger(caller, method)
                request.replace("Via", f"SIP/2.0/{transport.upper()} {caller.address};branch={same}")
                caller.send(request)
                requests.append((caller, request, bob.expect_request(method)))
        check(len({received.branch for *_, received in requests}) == 6, "we gave two transactions one branch")
        for number, (caller, request, received) in reversed(list(enumerate(requests))):
            bob.reply(received, 470 + number, "No")
        for number, (caller, request, received) in enumerate(requests):
            response = caller.expect_final(request)
            check(response.status == 470 + number, f"{request.method} got {response.first_line}")
            if request.method == "INVITE":
                caller.send(caller.ack(request, response))
        bob.register(expires=0)


@story("proxy", "the same request over two ways reaches the callee twice: merging is the callee's affair")
def merged(context):
    caller, bob = stranger(context, "udp"), context.registered("bob")
    request = from_stranger(caller)
    first = sip.deliver(caller, request, bob)
    request.replace("Via", caller.via())
    second = sip.deliver(caller, request, bob)
    check(first.branch != second.branch, "both came as one transaction")
    bob.reply(second, 482, "Loop Detected")
    check(caller.expect_final(request).status == 482, "the second request's answer is lost")
    bob.reply(first, 200, "OK")


def good_vias(upper, lower):
    """Our Via and the caller's as a callee may write them: with more parameters, folded, joined, spaced."""
    return [[f"{upper};received=127.0.0.1;rport=5", lower], [f"{upper}, {lower}"], [f"{upper},\r\n {lower}"],
            [f"{upper};X=\"a;branch=b,c\"", lower], [upper.replace(";", " ;  ").replace("=", " = "), lower],
            [upper.replace("SIP/2.0/", "SIP / 2.0 / "), lower], [upper.replace("SIP", "sip"), lower]]


def bad_vias(upper, lower):
    host = upper.split()[1].split(";")[0]
    return [[lower], [], [upper.replace(host, "192.0.2.1:5061"), lower], [upper.replace(";branch=", ";bench="), lower],
            [upper.replace("branch=z9hG4bK", "branch=z9hG4b"), lower], [lower, upper]]


def answer(agent, request, vias):
    response = agent.response(request, 200, "OK")
    response.remove("Via")
    response.headers = [("Via", value) for value in vias] + response.headers
    agent.send(response)


@story("proxy", "a callee that adds to our Via, folds or joins it is understood; one that changes or removes it is not")
def altered_via(context):
    for there in ("tls", "udp"):
        alice, bob = pair(context, "tls", there)
        request = message(alice, "bob")
        received = sip.deliver(alice, request, bob)
        for vias in bad_vias(*received.values("Via")):
            answer(bob, received, vias)
        try:
            raise AssertionError(f"{there}: the caller got {alice.expect_final(request, 0.4).encode()}")
        except sip.Missing:
            bob.reply(received, 200, "OK")
        check(alice.expect_final(request).status == 200, f"{there}: the right answer was dropped as well")
        for number in range(7):
            request = message(alice, "bob")
            received = sip.deliver(alice, request, bob)
            upper, lower = received.values("Via")
            answer(bob, received, good_vias(upper, lower)[number])
            response = alice.expect_final(request)
            check(response.values("Via") == [lower], f"{there}: the caller got {response.values('Via')}")
        alice.close()
        bob.close()
