"""A node whose clients are moved elsewhere, and that serves again."""

import time

import sip
from harness import check, story, wait_until
from .crossing import ringing
from .rolling import USERS, Crowd

TIME = 10


def state(node):
    return node.control("health")[0]


def options(node):
    agent = sip.Agent(node, "alice", "udp")
    request = agent.request("OPTIONS", "sip:example.test", contact=False)
    agent.send(request)
    status = agent.expect_final(request).status
    agent.close()
    return status


@story("draining", "clients are moved off a few at a time and turned away meanwhile, until it is undone", limit=90, suite="cluster")
def draining(context):
    crowd = Crowd(context, transports=["tls", "tcp"], users=USERS[:40])
    node, group = crowd.node, crowd.group
    check(options(node) == 200 and state(node)["state"] == "ready", "the node isn't ready")
    node.control("drain", "--time", str(TIME), "--refuse")
    check(options(node) == 503, "OPTIONS is answered as if nothing were")
    group.run(until=lambda: state(node)["state"] == "drained", limit=TIME + 5)
    check(state(node)["state"] == "drained", f"health says {state(node)}")
    firsts = {}
    for user, _, _, at in crowd.lost:
        firsts.setdefault(user, at)
    times = sorted(firsts.values())
    context.note(f"{len(times)} of {len(group.clients)} connections closed within {times[-1] - times[0]:.1f} s")
    check(len(times) == len(group.clients), f"{len(times)} connections were closed")
    most = max(sum(begin <= at < begin + 0.9 for at in times) for begin in times)
    check(most <= len(times) // 4, f"{most} of {len(times)} connections were closed at once")
    # A worker that is started meanwhile does as the others.
    before = node.kill_worker(0)
    wait_until(lambda: node.workers().get(0) not in (None, before), 10, "another worker")
    end = time.monotonic() + 2
    group.run(until=lambda: time.monotonic() >= end, limit=10)
    check(not any(client.registered for client in group.clients), "clients came in meanwhile")
    node.control("undrain")
    group.run(until=crowd.presence.all_up, limit=15)
    check(crowd.presence.all_up(), "not all clients came back")
    check(options(node) == 200 and state(node)["state"] == "ready", f"health says {state(node)}")
    crowd.reach_all()
    crowd.close()


@story("draining", "a call that rings is answered while all others are moved off", limit=60, suite="cluster")
def call(context):
    crowd = Crowd(context, workers=1, transports=["tcp"], users=USERS[:10])
    alice, bob = (context.registered(user, "tls", server=crowd.node) for user in ("alice", "bob"))
    invite, received = ringing(alice, bob)
    crowd.node.control("drain", "--time", str(TIME))
    crowd.group.run(until=lambda: len({user for user, *_ in crowd.lost}) == len(crowd.group.clients), limit=TIME)
    bob.reply(received, 200, "OK")
    check(alice.expect_final(invite).status == 200, "the call was not answered")
    for agent in (alice, bob):
        agent.close()
    crowd.close()
