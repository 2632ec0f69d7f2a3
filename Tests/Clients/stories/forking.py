"""Forking to several contacts by q (RFC 3261 §16.6 and §16.7), with raw clients."""

import sip
from harness import check, story


def bobs(context, *preferences):
    """One agent per preference, each with a connection and a binding of its own."""
    agents = []
    for q in preferences:
        agent = context.agent("bob")
        agent.register(contacts=[f"<{agent.contact}>;q={q};expires=300"])
        agents.append(agent)
    return agents


@story("fork", "contacts of the same q ring at once; the first to answer wins and the other gets CANCEL")
def parallel(context):
    alice, (left, right) = context.registered("alice"), bobs(context, 0.5, 0.5)
    invite = alice.invite("bob")
    first = sip.deliver(alice, invite, left)
    second = right.expect_request("INVITE")
    check(first.branch != second.branch, "both branches have the same name")
    left.reply(first, 180, "Ringing")
    right.reply(second, 180, "Ringing")
    tags = {alice.expect_response(invite, status=180).parameter("To", "tag") for _ in range(2)}
    check(len(tags) == 2, f"the caller saw the tags {tags}")
    accepted = right.reply(second, 200, "OK")
    response = alice.expect_final(invite)
    check(response.status == 200, f"the caller got {response.first_line}")
    cancel = left.expect_request("CANCEL")
    left.reply(cancel, 200, "OK")
    left.reply(first, 487, "Request Terminated")
    left.expect_request("ACK")
    dialog = sip.Dialog(alice, invite, response, is_caller=True)
    alice.send(dialog.ack(invite))
    right.expect_request("ACK")
    left.nothing("ACK", 0.2)
    sip.hang_up(dialog, sip.Dialog(right, second, accepted, is_caller=False))


@story("fork", "contacts are tried by falling q, the next when the one before fails")
def serial(context):
    alice, (low, high, middle) = context.registered("alice"), bobs(context, 0.1, 0.9, 0.5)
    invite = alice.invite("bob")
    for agent, rest in ((high, (middle, low)), (middle, (low,)), (low, ())):
        received = sip.deliver(alice, invite, agent) if agent is high else agent.expect_request("INVITE")
        for other in rest:
            other.nothing("INVITE", 0.2)
        if agent is low:
            accepted = agent.reply(received, 200, "OK")
        else:
            agent.reply(received, 486, "Busy Here")
            agent.expect_request("ACK")
    response = alice.expect_final(invite)
    check(response.status == 200, f"the caller got {response.first_line}")
    dialog = sip.Dialog(alice, invite, response, is_caller=True)
    alice.send(dialog.ack(invite))
    low.expect_request("ACK")
    sip.hang_up(dialog, sip.Dialog(low, received, accepted, is_caller=False))


@story("fork", "6xx ends the search: the other branches get CANCEL and lower q isn't tried")
def global_failure(context):
    alice, (left, right, low) = context.registered("alice"), bobs(context, 0.9, 0.9, 0.1)
    invite = alice.invite("bob")
    first = sip.deliver(alice, invite, left)
    second = right.expect_request("INVITE")
    right.reply(second, 180, "Ringing")
    alice.expect_response(invite, status=180)
    left.reply(first, 603, "Decline")
    left.expect_request("ACK")
    cancel = right.expect_request("CANCEL")
    right.reply(cancel, 200, "OK")
    right.reply(second, 487, "Request Terminated")
    right.expect_request("ACK")
    response = alice.expect_final(invite)
    alice.send(alice.ack(invite, response))
    check(response.status == 603, f"the caller got {response.first_line}")
    low.nothing("INVITE", 0.3)


@story("fork", "two callees that answer at the same time: both 2xx reach the caller")
def both_answer(context):
    alice, (left, right) = context.registered("alice"), bobs(context, 0.5, 0.5)
    invite = alice.invite("bob")
    first = sip.deliver(alice, invite, left)
    second = right.expect_request("INVITE")
    answers = {left.instance: left.reply(first, 200, "OK"), right.instance: right.reply(second, 200, "OK")}
    for _ in range(2):
        response = alice.expect_final(invite)
        check(response.status == 200, f"the caller got {response.first_line}")
        dialog = sip.Dialog(alice, invite, response, is_caller=True)
        agent = left if left.instance in response.get("To") else right
        check(answers.pop(agent.instance, None) is not None, "the caller got one 2xx twice")
        alice.send(dialog.ack(invite))
        agent.expect_request("ACK")
        request = first if agent is left else second
        sip.hang_up(dialog, sip.Dialog(agent, request, response, is_caller=False))


@story("fork", "when all refuse, the caller gets one answer, the best")
def best_response(context):
    alice, (left, right) = context.registered("alice"), bobs(context, 0.5, 0.5)
    invite = alice.invite("bob")
    left.reply(sip.deliver(alice, invite, left), 480, "Temporarily Unavailable")
    right.reply(right.expect_request("INVITE"), 300, "Multiple Choices")
    response = alice.expect_final(invite)
    alice.send(alice.ack(invite, response))
    check(response.status == 300, f"the caller got {response.first_line}")
    for agent in (left, right):
        agent.expect_request("ACK")
    try:
        again = alice.expect_final(invite, timeout=0.5)
    except sip.Missing:
        return
    raise AssertionError(f"the caller got a second answer: {again.first_line}")


@story("fork", "a lost connection takes its own binding and leaves the other")
def one_of_two(context):
    alice, (left, right) = context.registered("alice"), bobs(context, 0.5, 0.5)
    left.close()
    caller, callee = sip.call(alice, right)
    sip.hang_up(caller, callee)
    check(list(right.bindings()) == [right.contact], f"bob's bindings are {list(right.bindings())}")
