"""What an administrator sees and does with `apus ctl` while a node with two workers serves clients."""

import subprocess

from harness import check, story, wait_until
from nodes import Node


def started(context):
    server = Node(context.folder / "server", context.server.binaries)
    context.servers.append(server)
    server.start()
    return server


def ctl(server, *words):
    """Exit code, standard output and standard error."""
    command = [server.binaries / "apus", "ctl", "--config", server.folder / "apus.yaml", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


@story("administering", "apus ctl shows processes, contacts, connections and counts of both workers",
       limit=60, suite="cluster")
def looking(context):
    server = started(context)
    agents = [context.registered("alice", server=server), context.registered("bob", "tcp", server=server),
              context.registered("carol", "udp", server=server)]
    rows = server.control("core.ps")
    check([row["role"] for row in rows].count("worker") == 2, f"core.ps shows {rows}")
    check({row["pid"] for row in rows if row["role"] == "worker"} == set(server.workers().values()), f"the processes are {rows}")
    check(all(row["rss_kb"] > 1000 for row in rows), f"memory is missing in {rows}")
    wait_until(lambda: sum(row["bindings"] for row in server.control("worker.list")) >= 2, 5, "the counts of bindings")

    dump = server.control("ul.dump")
    check(sorted(row["aor"].split("@")[0] for row in dump) == ["alice", "bob", "carol"], f"ul.dump shows {dump}")
    found = server.control("ul.lookup", "alice@example.test")
    check(len(found) == 1 and found[0]["transport"] == "tls", f"ul.lookup shows {found}")
    owner = server.control("cluster.owner", "alice@example.test")[0]
    check(owner["node"] == "stories" and owner["slot"] in (0, 1) and owner["generation"] == 1, f"the owner is {owner}")
    listed = server.control("tls.list")
    check([row["id"] for row in listed] == [owner["connection"]], f"tls.list shows {listed}, the owner is {owner}")
    check(listed[0]["version"].startswith("TLSv1."), f"tls.list shows {listed}")
    wait_until(lambda: server.control("stats.get", "registrar.accepted")[0]["value"] >= 3, 5, "the counts of REGISTER")
    check(server.control("health")[0]["state"] == "ready", "the node is not ready")

    code, table, _ = ctl(server, "ul.dump")
    check(code == 0 and table.splitlines()[0].startswith("aor"), f"{code}: {table}")
    for agent in agents:
        agent.close()


@story("administering", "apus ctl adds and removes contacts, closes a connection, and replaces workers while clients register",
       limit=90, suite="cluster")
def changing(context):
    server = started(context)
    contact = "sip:bob@127.0.0.1:5099"
    server.control("ul.add", "bob@example.test", contact, "--expires", "60", "--q", "0.5")
    check(server.control("ul.lookup", "bob@example.test")[0]["contact"] == contact, "the contact is not found")
    server.control("ul.rm", "bob@example.test", contact)
    code, _, error = ctl(server, "ul.lookup", "bob@example.test")
    check(code == 1 and "has no contact" in error, f"{code}: {error}")

    context.registered("alice", server=server)
    before = server.control("stats.get", "registrar.accepted")[0]["value"]
    connection = server.control("tls.list")[0]["id"]
    server.control("tls.kill", connection)
    wait_until(lambda: not server.control("tls.list"), 5, "the end of the connection")
    wait_until(lambda: ctl(server, "ul.lookup", "alice@example.test")[0] == 1, 5, "the end of what hung on it")

    server.control("worker.restart", "--all")
    wait_until(lambda: server.generations() == {0: 2, 1: 2}, 30, "two new workers")
    wait_until(lambda: all(row["state"] == "ready" for row in server.control("worker.list")), 20, "two ready workers")
    check(server.control("stats.get", "registrar.accepted")[0]["value"] >= before, "a counter went back")
    context.registered("alice", server=server)


@story("administering", "what is wrong is told with a remedy and an exit code that scripts can trust",
       limit=60, suite="cluster")
def refusals(context):
    server = started(context)
    for words, expected, text in [
            (["ul.dmp"], 2, "did you mean ul.dump"), (["ul.lookup"], 2, "AOR is missing"),
            (["ul.lookup", "x@elsewhere.test"], 1, "no address of record"), (["tls.info", "0.1.77"], 1, "tls.list"),
            (["worker.restart", "9"], 1, "worker.list"), (["stats.get", "no.thing"], 1, "stats.get"), ([], 2, "help")]:
        code, _, error = ctl(server, *words)
        check(code == expected and text in error, f"{words}: exit code {code}, {error}")
    check(ctl(server, "help")[0] == 0, "there is no help")
    server.stop()
    code, _, error = ctl(server, "core.ps")
    check(code == 3 and "apus serve" in error, f"without a node: exit code {code}, {error}")
