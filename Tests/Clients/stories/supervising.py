"""The life of a node with several workers: it ends without a trace, and a bad settings file changes nothing."""

import os
import pathlib
import signal

import servers
import sip
from harness import check, story, wait_until
from nodes import Node


def started(context, workers=2):
    server = Node(context.folder / "server", context.server.binaries, workers)
    context.servers.append(server)
    server.start()
    return server


def busy(context, server):
    """A call under way over two connections."""
    alice, bob = context.registered("alice", server=server), context.registered("bob", "udp", server=server)
    return sip.call(alice, bob)


def gone(process):
    return not pathlib.Path(f"/proc/{process}").exists()


@story("supervising", "a node that is told to end leaves no process, socket or file, whatever is under way",
       limit=90, suite="cluster")
def clean_stop(context):
    for number in (signal.SIGTERM, signal.SIGINT):
        server = started(context, 3)
        busy(context, server)
        processes = server.processes()
        check(len(server.workers()) == 3, f"the workers are {server.workers()}")
        os.kill(server.process.pid, number)
        code = context.finish(server.process, 15, f"the node after {number.name}")
        check(code == 0, f"after {number.name} the exit code was {code}")
        wait_until(lambda: all(map(gone, processes)), 2, "the end of all processes")
        check(not server.left_behind(), f"after {number.name} there are {server.left_behind()}")
        check(not (server.folder / "control.sock").exists(), "the control socket is still there")
        for name in server.ports:
            with servers.socket.socket(type=servers.socket.SOCK_DGRAM if name == "udp" else servers.socket.SOCK_STREAM) as probe:
                probe.setsockopt(servers.socket.SOL_SOCKET, servers.socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", server.ports[name]))


@story("supervising", "when the supervisor is killed nothing of the node goes on, and it can be started again",
       limit=60, suite="cluster")
def killed(context):
    server = started(context)
    processes = server.processes()
    server.process.kill()
    server.process.wait(5)
    wait_until(lambda: all(map(gone, processes)), 10, "the end of workers and Redis")
    server.process = servers.spawn(server.command(), server.log, cwd=server.folder)
    wait_until(server.accepts, 10, "the start after a kill")
    sip.hang_up(*busy(context, server))


@story("supervising", "HUP with a broken settings file changes nothing, and the log says what is wrong with it",
       limit=60, suite="cluster")
def broken_file(context):
    server = started(context)
    dialog, there = busy(context, server)
    before, file = server.generations(), server.folder / "apus.yaml"
    good = file.read_text()
    for broken in (good + "nonsense: 1\n", good.replace("server.pem", "missing.pem", 1), "listen: [\n"):
        size = server.log.stat().st_size
        file.write_text(broken)
        os.kill(server.process.pid, signal.SIGHUP)
        wait_until(lambda: "apus.yaml" in server.log.read_text()[size:], 5, "a line in the log")
        sip.in_dialog("INFO", dialog, there)
        carol = context.registered("carol", server=server)
        carol.close()
        check(server.generations() == before, f"the workers were {before} and are {server.generations()}")
    file.write_text(good)
    os.kill(server.process.pid, signal.SIGHUP)
    sip.hang_up(dialog, there)
    check(server.generations() == before, f"the workers were {before} and are {server.generations()}")


@story("supervising", "limits for one address hold for the node, not for each worker", limit=60, suite="cluster")
def address_limits(context):
    most = 12
    server = Node(context.folder / "server", context.server.binaries, 4, sections={
        "limits": f"{{ connections_per_address: {most} }}"})
    context.servers.append(server)
    server.start()
    def decided():
        return sum(server.control("stats.get", name)[0]["value"] for name in ("tcp.accepted", "tcp.refused_by_address"))

    before, channels = decided(), []
    for _ in range(3 * most):
        try:
            channels.append(sip.Channel(server, "tcp", source="127.0.0.9"))
        except OSError:
            continue
    context.agents += channels
    wait_until(lambda: decided() - before >= len(channels), 10, "a decision on each connection")
    wait_until(lambda: len(server.holders()) <= most, 5, f"the end of connections beyond {most}")
    left = len(server.holders())
    check(left > most / 2, f"only {left} of {most} connections are left")
    other = context.agent("alice", "tcp", server)
    other.register()
