"""Revoked certificates: lists and OCSP, of clients and of servers that we connect to, with an authority made by openssl.

The suite `revocation`. Clients and servers are openssl's own.
"""

import atexit
import http.server
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import servers
from authority import Authority, openssl
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
        self.sections = {**self.sections, "tls": (
            f"{{ server: {{ default: {{ certificate: {pem}, private_key: {key}, ca_list: {root.pem}, "
            f"verify_client: optional{server} }} }}, client: {{ default: {{ ca_list: {root.pem}{client} }} }} }}")}
        super().prepare()

    @property
    def ca(self):
        return self.folder / "root.pem"

    def text(self):
        return self.log.read_text(errors="replace")

    def tells(self, text, timeout=8, count=1):
        """Waits until the log has said this so often."""
        wait_until(lambda: self.text().count(text) >= count, timeout, f"{text!r} in {self.log}")


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
    """Closed without an answer; with this alert, where it is refused within the handshake."""
    context.finish(process, 8, name)
    check(not alert or alert in context.log(name), f"{name} got no alert {alert!r}: {context.log(name)[-300:]}")
    check(not answers(context, name), f"{name} got an answer")


def callee(context, name, pair, *options):
    """An openssl server with a certificate of 127.0.0.1, for a node to connect to; its port."""
    pem, key = pair
    port = servers.free_port()
    context.start(name, ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pem, "-key", key,
                         "-cert_chain", pem, "-quiet", *options], stdin=subprocess.PIPE)
    wait_until(lambda: listens(port), 5, f"{name} listens")
    return port


def hang_up(context):
    """Ends the callees, of which nobody answers: else the end of the node would wait for answers."""
    for process in context.started:
        process.kill()


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
    early()
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


@story("crl", "a CRL that has expired refuses everybody, with crl_expired: warn only those whom it names; one that is about to is "
              "told of", suite="revocation")
def expired(context):
    middle, lists = authorities(context)
    good, bad = middle.issue("good"), middle.issue("bad")
    middle.revoke("bad")
    middle.crl(lists / "middle.crl", "20200101000000Z", "20200102000000Z")
    times = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86_400)) for days in (-1, 1.5)]
    middle.parent.crl(lists / "root.crl", *times)
    server = guarded(context, middle, f", crl: {lists}")
    server.tells("the CRL of CN=middle authority has expired")
    server.tells("the CRL of CN=root authority expires in 1 day")
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
    hang_up(context)


class Responder:
    """openssl's OCSP responder behind a small HTTP server, which can hold its answers back and break them."""

    def __init__(self, context):
        self.authority, self.signer, self.minutes = None, (None, None), 5
        self.asked, self.broken = 0, None
        #: Answers that go out before any other.
        self.first = []
        self.open = threading.Event()
        self.open.set()
        responder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                responder.asked += 1
                responder.open.wait(20)
                try:
                    answer = responder.broken or (responder.first and responder.first.pop(0)) or responder.answer(body)
                    status, octets = answer if isinstance(answer, tuple) else (200, answer)
                    self.send_response(status)
                    self.send_header("Content-Type", "application/ocsp-response")
                    self.send_header("Content-Length", str(len(octets)))
                    self.end_headers()
                    self.wfile.write(octets)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/ocsp"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        context.agents.append(self)

    def answer(self, request):
        with tempfile.TemporaryDirectory() as folder:
            paths = pathlib.Path(folder) / "request", pathlib.Path(folder) / "response"
            paths[0].write_bytes(request)
            self.authority.respond(*paths, *self.signer, minutes=self.minutes)
            return paths[1].read_bytes()

    def close(self):
        self.open.set()
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


EARLY = []


def early():
    """A root, a server's certificate of it, and an answer about that which holds for a minute, made when the suite begins: it is
    half over when the story of its renewal begins. With that the moment when it was made."""
    if not EARLY:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-stapling."))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        root = Authority(folder, "root")
        own = root.issue("node", names=servers.NAMES, responder="http://127.0.0.1:1/")
        openssl("ocsp", "-issuer", root.pem, "-cert", root.folder / "node.leaf", "-reqout", folder / "request", "-no_nonce")
        root.respond(folder / "request", folder / "response", minutes=1)
        EARLY.append((root, own, (folder / "response").read_bytes(), time.monotonic()))
    return EARLY[0]


def asked(context):
    """A root that issues, and its responder, whose answers an appointed one signs."""
    root = Authority(context.folder, "root")
    responder = Responder(context)
    responder.authority = root
    responder.signer = root.issue("responder", use="responder")
    return root, responder


@story("ocsp", "who is revoked is refused, who is good is served; an answer is kept", suite="revocation")
def status(context):
    root, responder = asked(context)
    good, bad = root.issue("good", responder=responder.url), root.issue("bad", responder=responder.url)
    root.revoke("bad")
    server = guarded(context, root, ", ocsp: hard", workers=1)
    for number, version in enumerate(("tls1_2", "tls1_3")):
        client(context, server, f"good-{version}", good, f"-{version}")
        served(context, f"good-{version}")
        refused(context, client(context, server, f"bad-{version}", bad, f"-{version}"), f"bad-{version}", None)
        check(responder.asked == 2, f"{responder.asked} questions for two certificates")
    server.tells("certificate revoked: serial ", count=2)


@story("ocsp", "nothing is read from a client before its status is known, and others are served meanwhile",
       suite="revocation")
def held(context):
    root, responder = asked(context)
    good = root.issue("good", responder=responder.url)
    server = guarded(context, root, ", ocsp: hard, ocsp_timeout: 8s", workers=1)
    responder.open.clear()
    client(context, server, "held", good)
    wait_until(lambda: responder.asked == 1, 5, "a question")
    plain = context.start("plain", [
        "openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['tls']}", "-quiet", "-nocommands"],
        stdin=subprocess.PIPE)
    ask(plain, "plain")
    served(context, "plain")
    time.sleep(0.5)
    check(not answers(context, "held"), "an answer before the status was known")
    responder.open.set()
    served(context, "held")


@story("ocsp", "who can't be found out about comes in with soft, and not with hard: unknown, no answer, errors, forgeries",
       suite="revocation", limit=60)
def unavailable(context):
    root, responder = asked(context)
    other = Authority(context.folder / "elsewhere", "root")
    soft = guarded(context, root, ", ocsp: soft, ocsp_timeout: 500ms", workers=1)
    hard = Guarded(context.folder / "hard", context.server.binaries, root, ", ocsp: hard, ocsp_timeout: 500ms", workers=1)
    context.servers.append(hard)
    hard.start()

    def both(name, reason, pair=None):
        pair = pair or root.issue(name, responder=responder.url)
        client(context, soft, f"{name}-soft", pair)
        served(context, f"{name}-soft")
        refused(context, client(context, hard, f"{name}-hard", pair), f"{name}-hard", None)
        for server, text in ((soft, "comes in though the status of its certificate can't be found out"),
                             (hard, "handshake failed from")):
            check(any(text in line and reason in line for line in server.text().splitlines()),
                  f"{server.log} doesn't tell of {name}: {reason}")

    responder.broken = (500, b"")
    both("status", "status 500")
    responder.broken = b"no response"
    both("garbage", "what came is no OCSP response")
    responder.broken, responder.signer = None, other.issue("responder", use="responder")
    both("forged", "isn't signed by the issuer")
    responder.signer = root.issue("responder-again", use="responder")
    stranger = root.issue("stranger", responder=responder.url)
    index = root.folder / "index.txt"
    index.write_text("".join(line for line in index.read_text().splitlines(True) if "stranger" not in line))
    both("stranger", "the responder doesn't know it", stranger)
    responder.open.clear()
    both("silent", "no answer in time")
    responder.open.set()
    both("nobody", "names no responder", root.issue("nobody"))
    both("closed", "refused", root.issue("closed", responder="http://127.0.0.1:1/"))


@story("ocsp", "the admin process can be killed: others go on, and it is there again", suite="revocation")
def killed(context):
    root, responder = asked(context)
    one, two = root.issue("one", responder=responder.url), root.issue("two", responder=responder.url)
    server = guarded(context, root, ", ocsp: hard", workers=1)

    def admin():
        return next((p for p in server.processes() if b"apus-admin" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes()),
                    None)
    first = wait_until(admin, 5, "the admin process")
    client(context, server, "one", one)
    served(context, "one")
    os.kill(first, signal.SIGKILL)
    server.tells("the admin process was ended by signal 9")
    wait_until(lambda: admin() not in (None, first), 5, "another admin process")
    client(context, server, "two", two)
    served(context, "two")


@story("ocsp", "who is revoked while connected is disconnected at the next look, by a resumed session too", suite="revocation")
def rechecked(context):
    root, responder = asked(context)
    good, bad = root.issue("good", responder=responder.url), root.issue("bad", responder=responder.url)
    server = guarded(context, root, ", ocsp: soft, ocsp_recheck: 1s", workers=1)
    session = context.folder / "session"
    stays, goes = client(context, server, "stays", good), client(context, server, "goes", bad, "-sess_out", session)
    served(context, "stays")
    served(context, "goes")
    # Of a resumed session there is no chain.
    wait_until(session.exists, 5, "a session")
    pem, key = bad
    resumed = context.start("resumed", [
        "openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['tls']}", "-servername", "example.test", "-cert", pem,
        "-key", key, "-sess_in", session, "-ign_eof", "-nocommands"], stdin=subprocess.PIPE)
    ask(resumed, "resumed")
    served(context, "resumed")
    check("Reused, " in context.log("resumed"), "the session was not resumed")
    root.revoke("bad")
    context.finish(goes, 8, "the connection of the revoked")
    context.finish(resumed, 8, "the resumed connection of the revoked")
    server.tells("connection ended: certificate revoked: serial ", count=2)
    ask(stays, "stays-later")
    wait_until(lambda: answers(context, "stays", "stays-later"), 5, "a later answer")


@story("ocsp", "a server that we connect to is asked about, or its own stapled answer is taken", suite="revocation")
def outgoing_status(context):
    root, responder = asked(context)
    names = {"names": ["127.0.0.1"], "responder": responder.url}
    pairs = {name: root.issue(name, **names) for name in ("good", "bad", "stapled")}
    root.revoke("bad")
    staple = context.folder / "staple"
    request = context.folder / "request"
    openssl("ocsp", "-issuer", root.pem, "-cert", root.folder / "stapled.leaf", "-reqout", request, "-no_nonce")
    root.respond(request, staple, *responder.signer)
    ports = {name: callee(context, name, pair, *(["-status_file", staple] if name == "stapled" else []))
             for name, pair in pairs.items()}
    server = guarded(context, root, "", ", ocsp: hard", sections=gates(**ports), workers=1)
    alice = context.agent("alice", "tcp", server=server)
    for name, questions in (("stapled", 0), ("good", 1)):
        message(alice, name)
        wait_until(lambda: f"MESSAGE sip:{name}@" in context.log(name), 5, f"the MESSAGE at {name}")
        check(responder.asked == questions, f"{responder.asked} questions after {name}")
    message(alice, "bad")
    server.tells(f"tls_connect: handshake failed to 127.0.0.1:{ports['bad']}")
    check("certificate revoked: serial " in server.text(), "another reason")
    check("MESSAGE" not in context.log("bad"), "the revoked one got the MESSAGE")
    hang_up(context)


def stapled_answer(context, server, name, *options):
    """What openssl says of the answer that a node sends along: the text of the response, or none."""
    process = context.start(name, [
        "openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['tls']}", "-servername", "example.test", "-CAfile",
        server.ca, "-status", *options])
    context.finish(process, 8, name)
    return context.log(name)


@story("stapling", "a client that asks gets the answer, which is fetched anew at half of its time", suite="revocation",
       limit=60)
def stapling(context):
    _, responder = asked(context)
    root, own, answer, made = early()
    responder.authority, responder.signer, responder.minutes = root, (), 1
    # For both workers; not if it ends too soon.
    responder.first = [answer] * 2 if time.monotonic() - made < 45 else []
    server = guarded(context, root, f", ocsp_responder: '{responder.url}'", own=own)
    server.tells("stapling: the answer about CN=node is sent along from now on")
    first = {}
    for version in ("tls1_2", "tls1_3"):
        # One worker tells of it; the other may get it a little later.
        for number in range(5):
            text = stapled_answer(context, server, f"{version}-{number}", f"-{version}")
            if "OCSP Response Status: successful" in text:
                break
            time.sleep(0.3)
        check("OCSP Response Status: successful" in text and "Cert Status: good" in text, f"no staple: {text[:300]}")
        first[version] = re.search("This Update: (.*)", text).group(1)
    # A reload makes new contexts, which have it at once.
    path = server.folder / "apus.yaml"
    path.write_text(path.read_text() + "log: { level: debug }\n")
    server.process.send_signal(signal.SIGHUP)
    server.tells("is in force")
    check("OCSP Response Status: successful" in stapled_answer(context, server, "reloaded"), "no staple after a reload")
    server.tells("is renewed, the next is fetched in", timeout=45)
    text = stapled_answer(context, server, "later")
    check(re.search("This Update: (.*)", text).group(1) not in first.values(), "the same answer as before")


@story("stapling", "a certificate that demands stapling has it from the first connection on, and isn't served with it off",
       suite="revocation")
def must_staple(context):
    root, responder = asked(context)
    own = root.issue("demanding", names=servers.NAMES, responder=responder.url, must_staple=True)
    server = guarded(context, root, own=own)
    text = stapled_answer(context, server, "first")
    check("OCSP Response Status: successful" in text, f"no staple: {text[:300]}")
    before = Guarded(context.folder / "off", context.server.binaries, root, ", stapling: no", own=own)
    try:
        before.prepare()
    except servers.CannotStart as problem:
        check("demands a stapled answer (RFC 7633), but stapling is off" in str(problem), f"another reason: {problem}")
    else:
        check(False, "apus check finds nothing wrong with a must-staple certificate and stapling: no")


@story("stapling", "a server whose certificate demands a stapled answer gets nothing from us without one",
       suite="revocation")
def demanded(context):
    root, responder = asked(context)
    pair = root.issue("careless", names=["127.0.0.1"], responder=responder.url, must_staple=True)
    port = callee(context, "careless", pair)
    server = guarded(context, root, sections=gates(careless=port), workers=1)
    alice = context.agent("alice", "tcp", server=server)
    message(alice, "careless")
    server.tells("certificate demands a stapled answer: none came")
    check("MESSAGE" not in context.log("careless"), "it got the MESSAGE")
    hang_up(context)
