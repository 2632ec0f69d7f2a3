"""Revoked certificates: lists and OCSP, of clients and of servers that we connect to, with an authority made by openssl.

The suite `revocation`. Clients and servers are openssl's own.
"""

import re
import subprocess

import servers
from authority import Authority
from harness import check, story, wait_until
from nodes import Node
from .tools import OPTIONS


class Guarded(Node):
    """A node with certificates of `authority`; `server` and `client` are YAML for its TLS profiles, beside these."""

    def __init__(self, folder, binaries, authority, server="", client="", own=None, sections=None, workers=2):
        super().__init__(folder, binaries, workers, sections=sections)
        self.authority, self.profiles, self.own = authority, (server, client), own

    def prepare(self):
        pem, key = self.own or self.authority.issue("node", names=servers.NAMES)
        root = self.authority.parent or self.authority
        (self.folder / "root.pem").write_bytes(root.pem.read_bytes())
        server, client = self.profiles
        self.tls = (f"tls:\n  server: {{ default: {{ certificate: {pem}, private_key: {key}, ca_list: {root.pem}, "
                    f"verify_client: optional{server} }} }}\n"
                    f"  client: {{ default: {{ ca_list: {root.pem}{client} }} }}\n")
        super().prepare()
        path = self.folder / "apus.yaml"
        path.write_text(re.sub(r"^tls:\n(  .*\n)+", lambda _: self.tls, path.read_text(), flags=re.MULTILINE))
        servers.checked([self.binaries / "apus", "check", "--config", path])

    @property
    def ca(self):
        return self.folder / "root.pem"

    def text(self):
        return self.log.read_text(errors="replace")

    def tells(self, text, timeout=8, count=1):
        """Waits until the log has said this so often."""
        wait_until(lambda: self.text().count(text) >= count, timeout, f"{text!r} in {self.log}")

    def counter(self, name):
        rows = self.control("stats", name)
        return rows


def authorities(context):
    """A root and an intermediate of it, with lists that name nobody in the folder `crls`."""
    root = Authority(context.folder, "root")
    middle = Authority(context.folder, "middle", root)
    lists = context.folder / "crls"
    lists.mkdir()
    root.crl(lists / "root.crl")
    middle.crl(lists / "middle.crl", der=True)
    return middle, lists


def guarded(context, authority, *settings, **options):
    server = Guarded(context.folder / "server", context.server.binaries, authority, *settings, **options)
    context.servers.append(server)
    server.start()
    return server


def client(context, server, name, pair, *options):
    """An openssl client with a certificate, that has asked OPTIONS."""
    pem, key = pair
    process = context.start(name, [
        "openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['tls']}", "-servername", "example.test",
        "-CAfile", server.ca, "-verify_return_error", "-cert", pem, "-key", key, "-cert_chain", pem, "-quiet",
        "-nocommands", *options], stdin=subprocess.PIPE)
    ask(process, name)
    return process


def ask(process, tag):
    try:
        process.stdin.write(OPTIONS.format(tag=tag).encode())
        process.stdin.flush()
    except BrokenPipeError:
        pass


def answers(context, name, tag=None):
    return "SIP/2.0 200" in context.log(name) and f"Call-ID: {tag or name}" in context.log(name)


def served(context, name, timeout=8):
    wait_until(lambda: answers(context, name), timeout, f"200 for {name}")


def refused(context, process, name, alert="certificate revoked"):
    context.finish(process, 8, name)
    check(alert in context.log(name), f"{name} got no alert {alert!r}: {context.log(name)[-300:]}")
    check(not answers(context, name), f"{name} got an answer")


def callee(context, name, pair, *options):
    """An openssl server with a certificate of 127.0.0.1, for a node to connect to; its port."""
    pem, key = pair
    port = servers.free_port()
    context.start(name, ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pem, "-key", key,
                         "-cert_chain", pem, "-quiet", *options], stdin=subprocess.PIPE)
    wait_until(lambda: listens(port), 5, f"{name} listens")
    return port


def listens(port):
    """Without a connection, which a server might serve."""
    with open("/proc/net/tcp") as table:
        return any(f":{port:04X} " in line and " 0A " in line for line in table)


def gates(**ports):
    """Settings for users of ours that are reached at a port over TLS."""
    entries = ", ".join(
        f'{{ address: "sip:{name}@example.test", contact: "sip:{name}@127.0.0.1:{port};transport=tls" }}'
        for name, port in ports.items())
    return {"registrar": f"{{ contacts: [{entries}] }}"}


def message(alice, user):
    """Sends a MESSAGE to a user, past the challenge; what becomes of it is not waited for."""
    request = alice.request("MESSAGE", f"sip:{user}@example.test", body=b"hello", headers=[("Content-Type", "text/plain")])
    alice.authorize(request)
    alice.send(request)
    if not alice.challenges:
        alice.answer(request, alice.expect_response(request, 5, status=407))
        alice.send(request)
    return request


@story("crl", "who is named by a CRL is refused in TLS 1.2 and 1.3, who isn't is served", suite="revocation")
def named(context):
    middle, lists = authorities(context)
    good, bad = middle.issue("good"), middle.issue("bad")
    middle.revoke("bad")
    middle.crl(lists / "middle.crl")
    server = guarded(context, middle, f", crl: {lists}")
    for version in ("tls1_2", "tls1_3"):
        client(context, server, f"good-{version}", good, f"-{version}")
        served(context, f"good-{version}")
        process = client(context, server, f"bad-{version}", bad, f"-{version}")
        refused(context, process, f"bad-{version}")
    server.tells("certificate verify failed: certificate revoked", count=2)
    pattern = r"handshake failed from 127\.0\.0\.1:\d+ on 127\.0\.0\.1:\d+: certificate verify failed: certificate revoked"
    check(re.search(pattern, server.text()), "no line with both addresses")


@story("crl", "a new CRL holds without a restart, ends the connection whose certificate it names, and no other",
       suite="revocation")
def renewed(context):
    middle, lists = authorities(context)
    good, bad = middle.issue("good"), middle.issue("bad")
    server = guarded(context, middle, f", crl: [{lists}/root.crl, {lists}/middle.crl]")
    stays, goes = client(context, server, "stays", good), client(context, server, "goes", bad)
    plain = context.start("plain", [
        "openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['tls']}", "-quiet", "-nocommands"],
        stdin=subprocess.PIPE)
    ask(plain, "plain")
    for name in ("stays", "goes", "plain"):
        served(context, name)
    before = server.workers()
    middle.revoke("bad")
    middle.crl(lists / "middle.crl")
    context.finish(goes, 8, "the connection of the revoked")
    server.tells("connection ended: certificate revoked: serial ")
    refused(context, client(context, server, "again", bad), "again")
    for process, name in ((stays, "stays"), (plain, "plain")):
        ask(process, f"{name}-later")
        wait_until(lambda: answers(context, name, f"{name}-later"), 5, f"a later answer for {name}")
    # The intermediate itself: all below it.
    middle.parent.revoke("middle")
    middle.parent.crl(lists / "root.crl")
    context.finish(stays, 8, "the connection below the revoked authority")
    ask(plain, "plain-last")
    wait_until(lambda: answers(context, "plain", "plain-last"), 5, "an answer without a certificate")
    check(server.workers() == before, "a worker was replaced")


@story("crl", "a broken CRL file is told of and leaves the old one in force; the next good one holds", suite="revocation")
def broken(context):
    middle, lists = authorities(context)
    good, bad = middle.issue("good"), middle.issue("bad")
    middle.revoke("bad")
    middle.crl(lists / "middle.crl")
    server = guarded(context, middle, f", crl: {lists}")
    path = lists / "middle.crl"
    path.write_text("no list\n")
    server.tells(f"{path}: no list of revoked certificates")
    path.write_text("-----BEGIN X509 CRL-----\nnot really\n-----END X509 CRL-----\n")
    server.tells("the old settings stay in force")
    client(context, server, "good", good)
    served(context, "good")
    refused(context, client(context, server, "bad", bad), "bad")
    middle.revoke("good")
    middle.crl(path)
    server.tells("connection ended: certificate revoked: serial ")
    refused(context, client(context, server, "good-later", good), "good-later")


@story("crl", "a CRL that has expired refuses everybody, with crl_expired: warn only those whom it names",
       suite="revocation")
def expired(context):
    middle, lists = authorities(context)
    good, bad = middle.issue("good"), middle.issue("bad")
    middle.revoke("bad")
    middle.crl(lists / "middle.crl", "20200101000000Z", "20200102000000Z")
    server = guarded(context, middle, f", crl: {lists}")
    server.tells("the CRL of CN=middle authority has expired")
    refused(context, client(context, server, "good", good), "good", "certificate expired")
    server.tells("CRL has expired")
    server.stop()
    path = server.folder / "apus.yaml"
    path.write_text(path.read_text().replace(f"crl: {lists}", f"crl: {lists}, crl_expired: warn"))
    server.process = servers.spawn(server.command(), server.log, cwd=server.folder)
    wait_until(server.accepts, 10, "the node serves")
    client(context, server, "good-tolerated", good)
    served(context, "good-tolerated")
    refused(context, client(context, server, "bad", bad), "bad")


@story("crl", "a server whose certificate a CRL names gets nothing from us", suite="revocation")
def outgoing(context):
    middle, lists = authorities(context)
    good, bad = middle.issue("good", names=["127.0.0.1"]), middle.issue("bad", names=["127.0.0.1"])
    middle.revoke("bad")
    middle.crl(lists / "middle.crl")
    ports = {"good": callee(context, "good", good), "bad": callee(context, "bad", bad)}
    server = guarded(context, middle, "", f", crl: {lists}", sections=gates(**ports))
    alice = context.agent("alice", "tcp", server=server)
    message(alice, "good")
    wait_until(lambda: "MESSAGE sip:good@" in context.log("good"), 5, "the MESSAGE at the good one")
    message(alice, "bad")
    server.tells("tls_connect: handshake failed to 127.0.0.1:%d" % ports["bad"])
    check("certificate revoked" in server.text(), "another reason")
    check("MESSAGE" not in context.log("bad"), "the revoked one got the MESSAGE")
