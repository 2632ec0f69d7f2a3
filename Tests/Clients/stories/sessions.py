"""TLS connections as they go on: keys that are renewed, sessions that are continued, certificates that change. Each story drives a
node of its own by openssl s_client and gnutls-cli."""

import subprocess
import time

import servers
from authority import Authority
from harness import check, story, wait_until
from nodes import Node

from .tools import OPTIONS


class Profiled(Node):
    """A node with these TLS settings; `profiles`: YAML of each server profile by its name, beside the node's certificate."""

    def __init__(self, context, profiles, workers=2, pair=None, more="", authorities=()):
        """`authorities`: files with the certificates that the node's own are verified by."""
        super().__init__(context.folder / "server", context.server.binaries, workers)
        self.authorities = authorities
        self.profiles, self.pair, self.more = profiles, pair or ("server.pem", "server.key"), more
        context.servers.append(self)

    def prepare(self):
        certificate, key = self.pair
        entries = ", ".join(
            f"{name}: {{ certificate: {certificate}, private_key: {key}{', ' if text else ''}{text} }}"
            if not text.startswith("certificate:") else f"{name}: {{ {text} }}" for name, text in self.profiles.items())
        self.sections = {"tls": f"{{ server: {{ {entries} }}{self.more} }}"}
        super().prepare()

    @property
    def ca(self):
        if not self.authorities:
            return super().ca
        path = self.folder / "authorities.pem"
        path.write_text("".join(file.read_text() for file in self.authorities))
        return path

    def text(self):
        return self.log.read_text(errors="replace")


def started(context, profiles, **options):
    server = Profiled(context, profiles, **options)
    server.start()
    return server


def command(server, *options, name="example.test"):
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['tls']}", "-servername", name, *map(str, options)]


def talk(context, server, tag, *options, name="example.test", orders=()):
    """An openssl client that asks OPTIONS, perhaps after orders such as `k`, and quits: what it wrote."""
    process = context.start(tag, [*command(server, *options, name=name), "-nocommands"][:None if not orders else -1],
                            stdin=subprocess.PIPE)
    conversation(context, process, tag, orders)
    return context.log(tag)


def conversation(context, process, tag, orders=()):
    def write(text):
        try:
            process.stdin.write(text.encode())
            process.stdin.flush()
        except BrokenPipeError:
            pass

    def done(number):
        return process.poll() is not None or context.log(tag).count("SIP/2.0 200") >= number
    write(OPTIONS.format(tag=f"{tag}-0"))
    wait_until(lambda: done(1), 8, f"an end of {tag}")
    for number, order in enumerate(orders, 1):
        write(order + "\n")
        time.sleep(0.2)
        write(OPTIONS.format(tag=f"{tag}-{number}"))
        wait_until(lambda: done(number + 1), 8, f"200 for {tag} after {order}")
    try:
        process.stdin.close()
    except BrokenPipeError:
        pass
    context.finish(process, 8, tag)


def served(text):
    return "SIP/2.0 200" in text


def gnutls(context, server, tag, *options, orders=()):
    process = context.start(tag, ["gnutls-cli", "--insecure", "--sni-hostname", "example.test", *options, "-p",
                                  str(server.ports["tls"]), "127.0.0.1"], stdin=subprocess.PIPE)
    conversation(context, process, tag, orders)
    return context.log(tag)


@story("detach", "openssl and gnutls go on over every suite while keys are renewed from either side", suite="tls")
def keys(context):
    server = started(context, {"default": ""})
    for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
        text = talk(context, server, suite, "-tls1_3", "-ciphersuites", suite, orders=("k", "K", "k", "K"))
        check(text.count("SIP/2.0 200") == 5 and suite in text, f"{suite}: {text[-500:]}")
    for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"):
        text = talk(context, server, suite, "-tls1_2", "-cipher", suite)
        check(served(text) and suite in text, f"{suite}: {text[-500:]}")
        text = talk(context, server, f"{suite}-renegotiates", "-tls1_2", "-cipher", suite, orders=())
        check(served(text), f"{suite} again")
    text = gnutls(context, server, "gnutls-rekey", "--inline-commands", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3",
                  orders=("^rekey^", "^rekey^"))
    check(text.count("SIP/2.0 200") == 3, text[-500:])


@story("tickets", "a session goes on at either worker and after both were killed, under its own profile only", suite="tls")
def tickets(context):
    server = started(context, {"default": "", "other": "server_name: [other.test]",
                               "none": "session_tickets: no, server_name: [none.test]"})
    wait_until(lambda: resumed(context, server, "probe", context.folder / "probe.session", 6), 8, "salts of the tickets")
    for version in ("tls1_2", "tls1_3"):
        file = context.folder / f"{version}.session"
        check(resumed(context, server, version, file, 6, f"-{version}"), f"{version}: not everywhere")
        text = talk(context, server, f"{version}-across", f"-{version}", "-sess_in", file, name="other.test")
        check(served(text) and "Reused," not in text, f"{version}: a session of another profile was continued")
        for slot in list(server.workers()):
            server.kill_worker(slot)
        wait_until(lambda: served(talk(context, server, f"{version}-back-{time.monotonic()}", f"-{version}")), 10, "workers")
        text = talk(context, server, f"{version}-after", f"-{version}", "-sess_in", file)
        check(served(text) and "Reused," in text, f"{version}: not after the workers' end: {text[-600:]}")
        text = talk(context, server, f"{version}-none", f"-{version}", "-sess_out", context.folder / "none", name="none.test")
        check(served(text) and "session ticket:" not in text.lower(), f"{version}: a ticket in spite of session_tickets: no")
    text = gnutls(context, server, "gnutls-resume", "--resume", "--waitresumption")
    check("This is a resumed session" in text, text[-600:])


def resumed(context, server, tag, file, times, *options):
    talk(context, server, f"{tag}-first-{time.monotonic()}", *options, "-sess_out", file)
    for number in range(times):
        text = talk(context, server, f"{tag}-{number}-{time.monotonic()}", *options, "-sess_in", file)
        if not served(text) or "Reused," not in text:
            return False
    return True


@story("rotation", "a new certificate is in force within seconds; connections stay; a broken one leaves the old", suite="tls")
def rotation(context):
    ca = Authority(context.folder, "rotation")
    pem, key = ca.issue("first", names=servers.NAMES)
    used = context.folder / "used.pem", context.folder / "used.key"

    def install(pair):
        for target, source in zip(used, pair):
            new = target.with_suffix(".new")
            new.write_bytes(source.read_bytes())
            new.rename(target)
    install((pem, key))
    server = started(context, {"default": f"certificate: {used[0]}, private_key: {used[1]}"}, authorities=[ca.pem])
    process = context.start("stays", [*command(server), "-quiet", "-nocommands"], stdin=subprocess.PIPE)

    def asks(tag):
        process.stdin.write(OPTIONS.format(tag=tag).encode())
        process.stdin.flush()
        wait_until(lambda: f"Call-ID: {tag}" in context.log("stays"), 8, f"200 for {tag}")
    asks("before")
    for name in ("second", "third"):
        install(ca.issue(name, names=servers.NAMES))
        wait_until(lambda: f"subject=CN = {name}" in talk(context, server, f"{name}-{time.monotonic()}"), 10,
                   f"the {name} certificate")
        asks(f"with-{name}")
    used[0].write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    wait_until(lambda: "the old settings stay in force" in server.text(), 8, "a word of the fault")
    text = talk(context, server, "with-broken")
    check(served(text) and "subject=CN = third" in text, text[:300])
    asks("with-broken")
    install(ca.issue("fourth", names=servers.NAMES))
    wait_until(lambda: "subject=CN = fourth" in talk(context, server, f"fourth-{time.monotonic()}"), 10, "the fourth one")
    asks("at-last")
