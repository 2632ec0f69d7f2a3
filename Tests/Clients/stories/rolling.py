"""Workers that are replaced while everybody talks to everybody: the next process of a slot takes everything over."""

import os
import random
import signal
import time

import fleet
import sip
from harness import check, story, wait_until
from nodes import Node, command_line
from .crossing import ringing

WORKERS = 2
USERS = [f"r{number:03d}" for number in range(90)]
TRANSPORTS = ["tls", "tcp", "udp"]
#: Operations in a second.
RATE = 150
ROLLS = 4
KILLS = 4
#: What a caller may get when the process died that had his connection, or the callee's, or knew his nonce.
GONE = {200, 401, 404, 407, 408, 430, 480, 481, 487, "timeout", "caller lost"}


def processes(node):
    """All worker processes: (slot, generation, process id)."""
    found = []
    for process in node.processes():
        words = command_line(process)
        if words and os.path.basename(words[0]) == "apus-worker":
            found.append((int(words[words.index("--slot") + 1]), int(words[words.index("--generation") + 1]), process))
    return sorted(found)


def is_settled(node, generation=None):
    """Whether each slot has a worker that serves, of this generation at least, and no roll is under way."""
    rows = node.control("worker.list")
    return all(row["state"] == "ready" and (generation is None or row["generation"] >= generation) for row in rows)


class Crowd:
    """A node with registered users on all transports, traffic between them, and the connections that were lost."""

    def __init__(self, context, workers=WORKERS, transports=TRANSPORTS, sections=None, users=USERS, binaries=None,
                 environment=None):
        self.node = Node(context.folder / "server", binaries or context.server.binaries, workers, users, sections=sections)
        self.node.environment = environment or {}
        context.servers.append(self.node)
        self.node.start()
        self.group, self.lost = fleet.Fleet(), []
        self.presence = fleet.Presence(self.group, back_off=1)
        known = self.group.connection_lost
        self.group.connection_lost = lambda client, was_open, reason: (
            self.lost.append((client.user, client.transport, reason, self.group.now)), known(client, was_open, reason))
        for number, user in enumerate(users):
            self.presence.up(self.group.add(fleet.Client(self.group, self.node, user, transports[number % len(transports)])))
        self.group.run(until=self.presence.all_up, limit=20)
        self.traffic = fleet.Open(fleet.Traffic(self.group.clients, hold=1.5), RATE, 1000)

    def rest(self, seconds):
        until = time.monotonic() + seconds
        self.group.run(self.traffic, until=lambda: self.group.now >= until, limit=seconds + 20)

    def until(self, condition, limit, what):
        """Goes on with the traffic until something is so."""
        end = time.monotonic() + limit
        while not condition():
            check(time.monotonic() < end, f"{what} did not come within {limit} s: {self.node.control('worker.list')}")
            self.rest(0.2)

    def finish(self):
        """Ends the traffic; all that was begun."""
        self.traffic.end()
        self.group.run(self.traffic, limit=60)
        return [operation for operation in self.group.ended if operation.kind != "register"]

    def reach_all(self):
        """Each can be reached by a message."""
        begun = len(self.group.ended)
        for client in self.group.clients:
            others = [other for other in self.group.clients if other is not client]
            self.group.begin(fleet.Message(f"last-{client.user}", random.choice(others), client))
        self.group.run(limit=40)
        last = self.group.ended[begun:]
        failed = [operation for operation in last if operation.status != 200]
        known = [self.known(operation.callee) for operation in failed[:3]]
        check(len(last) == len(self.group.clients) and not failed,
              f"{len(failed)} of {len(last)} clients can't be reached: {failed[:5]}; known of them is {known}")

    def known(self, client):
        """What the node knows of a client, and what happened to it."""
        try:
            contacts = self.node.control("ul.lookup", client.aor.removeprefix("sip:"))
        except AssertionError as error:
            contacts = str(error).strip()
        return client.contact, contacts, [(entry[2], round(entry[3], 2)) for entry in self.lost if entry[0] == client.user]

    def close(self):
        self.group.close()
        self.node.stop()
        check(self.node.process.returncode == 0, f"the node ended with exit code {self.node.process.returncode}")
        check(not self.node.left_behind(), f"{self.node.left_behind()} are left")


@story("rolling", "all workers replaced, again and again, under load: no connection is lost and nothing fails", limit=120,
       suite="cluster")
def rolling(context):
    crowd = Crowd(context)
    crowd.rest(1)
    for roll in range(ROLLS):
        crowd.node.control("worker.restart", "--all")
        crowd.until(lambda: is_settled(crowd.node, roll + 2), 30, f"generation {roll + 2}")
    crowd.rest(1)
    done = crowd.finish()
    took = fleet.summary([operation.took for operation in done if operation.kind == "message"])
    context.note(f"{len(done)} operations over {ROLLS} rolls of {WORKERS} workers; messages took {took}")
    failed = [operation for operation in done if operation.status != 200]
    check(not crowd.lost, f"{len(crowd.lost)} connections were lost: {crowd.lost[:5]}")
    check(not failed, f"{len(failed)} of {len(done)} operations failed: {failed[:5]}")
    twice = [operation for operation in done if operation.deliveries > 1]
    check(not twice, f"{len(twice)} requests came twice: {twice[:5]}")
    wait_until(lambda: len(processes(crowd.node)) == WORKERS, 20, "the end of the processes that were replaced")
    crowd.close()


def replaced(server):
    generation = max(row["generation"] for row in server.control("worker.list"))
    server.control("worker.restart", "--all")
    wait_until(lambda: is_settled(server, generation + 1), 20, "new workers")


@story("rolling", "a call that rings while the workers are replaced is answered, refused or cancelled as any other",
       limit=90, suite="cluster")
def calls(context):
    server = Node(context.folder / "server", context.server.binaries, 2)
    context.servers.append(server)
    server.start()
    for transport in TRANSPORTS:
        alice = context.registered("alice", transport, server=server)
        bob = context.registered("bob", transport, server=server)
        invite, received = ringing(alice, bob)
        replaced(server)
        bob.reply(received, 200, "OK")
        dialog = sip.Dialog(alice, invite, alice.expect_final(invite), is_caller=True)
        alice.send(dialog.ack(invite))
        bob.expect_request("ACK")
        replaced(server)
        bye = dialog.request("BYE")
        bob.reply(sip.deliver(alice, bye, bob), 200, "OK")
        check(alice.expect_final(bye).status == 200, f"BYE over {transport}")

        invite, received = ringing(alice, bob)
        replaced(server)
        bob.reply(received, 486, "Busy Here")
        response = alice.expect_final(invite)
        alice.send(alice.ack(invite, response))
        bob.expect_request("ACK")
        check(response.status == 486, f"over {transport} the caller got {response.first_line}")

        invite, received = ringing(alice, bob)
        replaced(server)
        request = alice.cancel(invite)
        alice.send(request)
        answered = alice.expect(lambda m: m.is_response and m.method == "CANCEL", what="an answer to CANCEL")
        check(answered.status == 200, f"over {transport} CANCEL got {answered.first_line}")
        bob.reply(bob.expect_request("CANCEL"), 200, "OK")
        bob.reply(received, 487, "Request Terminated")
        response = alice.expect_final(invite)
        alice.send(alice.ack(invite, response))
        check(response.status == 487, f"over {transport} the caller got {response.first_line}")
        for agent in (alice, bob):
            agent.close()


def kill_during(crowd, is_new):
    """Begins a roll and kills the next process of a slot, or the one before, at a moment by lot."""
    before = {process for _, _, process in processes(crowd.node)}
    crowd.node.control("worker.restart", "--all")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        now = processes(crowd.node)
        fresh = [entry for entry in now if entry[2] not in before]
        if fresh:
            break
    check(fresh, "no next process was started")
    slot = fresh[0][0]
    crowd.rest(random.uniform(0, 0.25))
    victim = fresh[0][2] if is_new else next(process for place, _, process in now if place == slot and process in before)
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        pass


@story("rolling", "the next process, or the one before, is killed in the middle: the node serves on, and nobody gets another's",
       limit=300, suite="cluster")
def kills(context):
    crowd = Crowd(context)
    crowd.rest(1)
    for number in range(KILLS):
        kill_during(crowd, is_new=number % 2 == 0)
        # Processes that wait for what died with another hold up the next roll, until their transactions end.
        crowd.until(lambda: is_settled(crowd.node), 80, "workers that serve")
        crowd.until(crowd.presence.all_up, 10, "the return of those whose connection was lost")
    done = crowd.finish()
    context.note(f"{len(done)} operations, {len(crowd.lost)} connections lost over {KILLS} kills")
    wrong = [operation for operation in done if operation.status not in GONE]
    check(not wrong, f"{len(wrong)} operations ended in another way: {wrong[:5]}")
    crowd.reach_all()
    crowd.close()


@story("rolling", "connections that can't follow are closed a few at a time, and their clients come back", limit=120,
       suite="cluster")
def slices(context):
    crowd = Crowd(context, transports=["tls"], users=USERS[:20], sections={
        "tls": "{ detach: off, server: { default: { certificate: server.pem, private_key: server.key } } }"})
    crowd.node.control("worker.restart", "0")
    crowd.until(lambda: is_settled(crowd.node), 10, "the next process")
    held = len(crowd.group.clients)
    check(not crowd.lost, f"{len(crowd.lost)} connections were lost at once")
    crowd.until(lambda: len(processes(crowd.node)) == WORKERS, 45, "the end of the process that was replaced")
    crowd.until(crowd.presence.all_up, 10, "the return of all")
    times = [at for *_, at in crowd.lost]
    context.note(f"{len(times)} of {held} connections closed within {max(times) - min(times):.1f} s")
    most = max(sum(begin <= at < begin + 0.9 for at in times) for begin in times)
    check(most <= 1 + len(times) // 10, f"{most} of {len(times)} connections were closed at once")
    crowd.finish()
    crowd.reach_all()
    crowd.close()
