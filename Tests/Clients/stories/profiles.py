"""TLS profiles and verification: tables of certificates, names, versions and ciphers against what a node does with each.

The suite `tls`. Clients and servers are openssl's and gnutls' own.
"""

import re
import subprocess
import time

import servers
from authority import Authority
from harness import check, story, wait_until
from nodes import Node
from .revocation import answers, ask, callee, gates, hang_up, message

VERSIONS = {"openssl-1.2": "-tls1_2", "openssl-1.3": "-tls1_3"}


class Profiled(Node):
    """A node with a TLS listener of its own for each server profile: name to YAML; `clients`: the same for client profiles."""

    def __init__(self, folder, binaries, root, profiles, clients=None, sections=None):
        super().__init__(folder, binaries, 1, sections=sections)
        self.root, self.profiles, self.clients = root, profiles, clients or {"default": f"ca_list: {root}"}
        self.ports.update({name: servers.free_port() for name in profiles if name != "default"})

    def prepare(self):
        super().prepare()
        path = self.folder / "apus.yaml"
        text = path.read_text()
        lines = "".join(f'  - {{ address: "tls:127.0.0.1:{self.ports[name]}", profile: {name} }}\n'
                        for name in self.profiles if name != "default")
        text = text.replace("listen:\n", "listen:\n" + lines)
        tls = "tls:\n" + "".join(
            f"  {side}:\n" + "".join(f"    {name}: {{ {settings} }}\n" for name, settings in profiles.items())
            for side, profiles in (("server", self.profiles), ("client", self.clients)))
        path.write_text(re.sub(r"^tls:.*\n(  .*\n)*", lambda _: tls, text, flags=re.MULTILINE))
        self.said = servers.checked([self.binaries / "apus", "check", "--config", path])

    @property
    def ca(self):
        return self.root

    def text(self):
        return self.log.read_text(errors="replace")

    def failures(self):
        """The counters of failed handshakes that aren't 0."""
        rows = self.control("stats.get", "tls.failed_*")
        found = {}
        for row in rows:
            found[row["name"].removeprefix("tls.failed_")] = int(row["value"])
        return {name: value for name, value in found.items() if value}


def profiled(context, root, profiles, **options):
    server = Profiled(context.folder / "server", context.server.binaries, root, profiles, **options)
    context.servers.append(server)
    server.start()
    return server


def day(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86_400))


def certificates(context):
    """A root, an intermediate of it, and the pairs of the tables by their names."""
    root = Authority(context.folder, "root")
    middle = Authority(context.folder, "middle", root)
    stranger = Authority(context.folder, "stranger")
    self_signed = (stranger.pem, stranger.folder / "stranger.key")
    name = ["127.0.0.1"]
    return root, middle, {
        "good": middle.issue("good", names=name),
        "rsa": middle.issue("rsa", names=name, key="rsa"),
        "expired": middle.issue("expired", names=name, times=(day(-20), day(-1))),
        "future": middle.issue("future", names=name, times=(day(1), day(20))),
        "unknown": stranger.issue("unknown", names=name),
        "self-signed": self_signed,
        "client": middle.issue("client", names=name, use="client"),
        "server": middle.issue("server", names=name, use="server"),
        "mail": middle.issue("mail", names=name, use="mail"),
        "sip": middle.issue("sip", names=name, use="sip"),
        "elsewhere": middle.issue("elsewhere", names=["elsewhere.test"]),
    }


def connect(context, server, port, name, kind, pair=None):
    """A client of some kind, which has asked OPTIONS."""
    if kind.startswith("openssl"):
        own = ["-cert", pair[0], "-key", pair[1], "-cert_chain", pair[0]] if pair else []
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", server.ca, "-quiet", "-nocommands",
                   VERSIONS[kind], *own]
    else:
        own = ["--x509certfile", pair[0], "--x509keyfile", pair[1]] if pair else []
        command = ["gnutls-cli", "--x509cafile", server.ca, "--no-ca-verification", "-p", port, *own, "127.0.0.1"]
    process = context.start(name, command, stdin=subprocess.PIPE)
    ask(process, name)
    return process


KINDS = (*VERSIONS, "gnutls")
BAD = {"expired": "expired", "future": "not_yet_valid", "unknown": "unknown_ca", "self-signed": "self_signed",
       "server": "purpose", "mail": "purpose"}


def table(context, server, cases):
    """Runs cases (port, name of certificate or none, pair, whether it is served) with each kind of client, some at a time."""
    waiting = [(port, label, pair, served, kind) for port, label, pair, served in cases for kind in KINDS]
    while waiting:
        some, waiting = waiting[:16], waiting[16:]
        running = []
        for port, label, pair, served, kind in some:
            name = f"{port}-{label}-{kind}"
            running.append((name, served, connect(context, server, server.ports[port], name, kind, pair)))
        for name, served, process in running:
            if served:
                wait_until(lambda: answers(context, name), 8, f"200 for {name}")
                process.kill()
            else:
                context.finish(process, 8, name)
                check(not answers(context, name), f"{name} got an answer")


@story("tls", "require and verify, in the old words and in ours, times each kind of certificate: who is served is what the table says",
       suite="tls")
def truth_table(context):
    root, middle, pairs = certificates(context)
    pem, key = middle.issue("node", names=servers.NAMES)
    own = f"certificate: {pem}, private_key: {key}, ca_list: {root.pem}"
    profiles = {"default": own}
    for require in (0, 1):
        for verify in (0, 1):
            profiles[f"old{require}{verify}"] = (
                f"{own}, tls_require_client_certificate: {require}, tls_verify_client: {verify}")
    profiles.update({word: f"{own}, verify_client: {word}" for word in ("optional", "require")})
    server = profiled(context, root.pem, profiles)
    check("verify_client: optional" in server.said and "proves nothing" in server.said, f"check says: {server.said}")
    cases = []
    for port, verifies, requires in (("old00", False, False), ("old01", True, False), ("old11", True, True),
                                     ("old10", True, True), ("optional", True, False), ("require", True, True)):
        labels = ("none", "good", *BAD) if port.startswith("old") else ("none", "good", "expired", "sip", "client", "rsa")
        for label in labels:
            pair = pairs.get(label)
            served = not requires if label == "none" else label not in BAD or not verifies
            cases.append((port, label, pair, served))
    table(context, server, cases)
    failures = server.failures()
    expected = {counter: sum(not served and BAD.get(label, "no_certificate") == counter for _, label, _, served in cases) * 3
                for counter in {*BAD.values(), "no_certificate"}}
    check({name: failures.get(name, 0) for name in expected} == expected, f"counted {failures}, expected {expected}")
    pattern = r"tls_accept: handshake failed from 127\.0\.0\.1:\d+ on 127\.0\.0\.1:\d+: "
    for reason in ("certificate verify failed: certificate has expired", "certificate verify failed: certificate is not yet valid",
                   "certificate verify failed: unsuitable certificate purpose", "peer did not return a certificate"):
        check(re.search(pattern + re.escape(reason), server.text()), f"no line with both addresses and {reason!r}")


def shown(context, server, port, name, *options):
    """What s_client prints of a handshake."""
    process = context.start(name, ["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports[port]}", "-CAfile",
                                   server.ca, *options])
    context.finish(process, 8, name)
    return context.log(name)


@story("tls", "the server name chooses the profile: exact before pattern, long pattern before short, nobody's name gets the listener's",
       suite="tls")
def server_names(context):
    root = Authority(context.folder, "root")
    names = {"exact": "[a.wild.test]", "wild": '["*.wild.test"]', "deep": '["*.deep.wild.test"]'}
    profiles = {}
    for name in ("default", *names):
        pem, key = root.issue(name, subject=name, names=servers.NAMES)
        selects = f", server_name: {names[name]}" if name in names else ""
        profiles[name] = f"certificate: {pem}, private_key: {key}{selects}"
    server = profiled(context, root.pem, profiles)
    for version in ("-tls1_2", "-tls1_3"):
        for asked, expected in (("a.wild.test", "exact"), ("A.Wild.Test", "exact"), ("b.wild.test", "wild"),
                                ("x.y.wild.test", "wild"), ("x.deep.wild.test", "deep"), ("deep.wild.test", "wild"),
                                ("wild.test", "default"), ("other.test", "default"), (None, "default")):
            words = ["-servername", asked] if asked else ["-noservername"]
            text = shown(context, server, "tls", f"{asked}{version}", version, *words)
            check(f"subject=CN = {expected}\n" in text, f"{asked} got {re.findall('subject=.*', text)}, not {expected}")
    process = context.start("gnutls", ["gnutls-cli", "--x509cafile", root.pem, "--no-ca-verification", "--sni-hostname",
                                       "b.wild.test", "-p", server.ports["tls"], "127.0.0.1"])
    context.finish(process, 8, "gnutls")
    check("CN=wild'" in context.log("gnutls") or "CN=wild" in context.log("gnutls"), "gnutls got another certificate")


@story("tls", "a client gets the certificate whose signature it can verify: RSA beside ECDSA, in both versions", suite="tls")
def kinds_of_keys(context):
    root = Authority(context.folder, "root")
    (ec, ec_key), (rsa, rsa_key) = (root.issue("ec", names=servers.NAMES), root.issue("rsa", names=servers.NAMES, key="rsa"))
    server = profiled(context, root.pem, {
        "default": f"certificate: [{ec}, {rsa}], private_key: [{ec_key}, {rsa_key}]"})
    for words, expected in ((("-tls1_3", "-sigalgs", "ECDSA+SHA256"), "ec"), (("-tls1_3", "-sigalgs", "RSA-PSS+SHA256"), "rsa"),
                            (("-tls1_2", "-sigalgs", "ECDSA+SHA256"), "ec"), (("-tls1_2", "-sigalgs", "RSA+SHA256"), "rsa"),
                            (("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "rsa"),
                            (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), "ec"), (("-tls1_3",), "ec")):
        text = shown(context, server, "tls", "openssl" + "".join(words), *words)
        check(f"subject=CN = {expected}\n" in text, f"{words} got {re.findall('subject=.*', text)}, not {expected}")
        check("Verify return code: 0 (ok)" in text, f"{words}: the chain doesn't hold")
    for signature, expected in (("RSA-PSS-RSAE-SHA256", "RSA"), ("ECDSA-SECP256R1-SHA256", "EC")):
        name = f"gnutls-{signature}"
        process = context.start(name, [
            "gnutls-cli", "--x509cafile", root.pem, "--no-ca-verification", "--priority",
            f"NORMAL:-SIGN-ALL:+SIGN-{signature}", "-p", server.ports["tls"], "127.0.0.1"])
        context.finish(process, 8, name)
        check(f"({signature})" in context.log(name) or f"{expected}" in context.log(name).split("Description:")[-1][:120],
              f"{name} got {context.log(name)[-600:]}")


def versions(context, server, port):
    found = set()
    for version in ("tls1", "tls1_1", "tls1_2", "tls1_3"):
        text = shown(context, server, port, f"{port}-{version}", f"-{version}", "-cipher", "ALL:eNULL:@SECLEVEL=0")
        agreed = re.search(r"New, (\S+), Cipher is (\S+)", text)
        if agreed and agreed[2] != "(NONE)":
            found.add(version)
    return found


def asked_over(context, server, port, *options):
    """OPTIONS is answered over a connection with these options of s_client."""
    name = f"asked-{port}"
    process = context.start(name, ["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports[port]}", "-quiet",
                                   "-nocommands", *options], stdin=subprocess.PIPE)
    ask(process, name)
    wait_until(lambda: answers(context, name), 8, f"200 for {name}")
    process.kill()


@story("tls", "versions: the defaults refuse what is older than 1.2; tls_method and min_version let in what they name, no more",
       suite="tls")
def protocol_versions(context):
    root = Authority(context.folder, "root")
    pem, key = root.issue("node", names=servers.NAMES, key="rsa")
    own = f"certificate: {pem}, private_key: {key}"
    server = profiled(context, root.pem, {
        "default": own, "any": f"{own}, tls_method: SSLv23", "one": f"{own}, tls_method: TLSv1",
        "oneup": f"{own}, tls_method: TLSv1+", "two": f"{own}, tls_method: TLSv1.2", "eleven": f"{own}, min_version: TLSv1.1",
        "new": f"{own}, min_version: TLSv1.3"})
    for port, expected in (("tls", {"tls1_2", "tls1_3"}), ("any", {"tls1_2", "tls1_3"}), ("one", {"tls1"}),
                           ("oneup", {"tls1", "tls1_1", "tls1_2", "tls1_3"}), ("two", {"tls1_2"}),
                           ("eleven", {"tls1_1", "tls1_2", "tls1_3"}), ("new", {"tls1_3"})):
        got = versions(context, server, port)
        check(got == expected, f"{port}: {sorted(got)}, not {sorted(expected)}")
    asked_over(context, server, "one", "-tls1", "-cipher", "ALL:@SECLEVEL=0")
    check("RFC 8996" in server.said, f"check doesn't warn: {server.said}")
    check(server.failures().get("version", 0) >= 6, f"counted {server.failures()}")


@story("tls", "what OpenSSL can't do is refused with reason and remedy: SSLv3, SSLv2", suite="tls")
def refused_versions(context):
    root = Authority(context.folder, "root")
    pem, key = root.issue("node", names=servers.NAMES)
    for number, setting in enumerate(("tls_method: SSLv3", "tls_method: SSLv2", "min_version: SSLv3")):
        server = Profiled(context.folder / f"server{number}", context.server.binaries, root.pem, {
            "default": f"certificate: {pem}, private_key: {key}, {setting}"})
        try:
            server.prepare()
        except Exception as error:
            said = str(error)
        else:
            said = "nothing"
        check("is broken" in said and "give TLSv1.2" in said, f"{setting}: {said}")


@story("tls", "ciphers: the defaults have forward secrecy and authenticated encryption alone; NULL where it is named; ChaCha for who "
              "puts it first", suite="tls")
def ciphers(context):
    root = Authority(context.folder, "root")
    pem, key = root.issue("node", names=servers.NAMES, key="rsa")
    own = f"certificate: {pem}, private_key: {key}"
    server = profiled(context, root.pem, {
        "default": own, "clear": f'{own}, tls_cipher_list: NULL, max_version: TLSv1.2',
        "narrow": f"{own}, cipher_list: ECDHE-RSA-AES128-GCM-SHA256, ciphersuites: TLS_AES_128_GCM_SHA256, groups: P-384, "
                  "server_name: narrow.test"})
    check("encrypt nothing" in server.said, f"check doesn't warn: {server.said}")
    for port, words, expected in (
            ("tls", ("-tls1_2", "-cipher", "AES256-SHA:AES128-GCM-SHA256"), None),
            ("tls", ("-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA"), None),
            ("tls", ("-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"), None),
            ("tls", ("-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"), None),
            ("tls", ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"),
             "ECDHE-RSA-AES256-GCM-SHA384"),
            ("tls", ("-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384"),
             "ECDHE-RSA-CHACHA20-POLY1305"),
            ("tls", ("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"),
             "TLS_CHACHA20_POLY1305_SHA256"),
            ("tls", ("-tls1_3", "-groups", "P-521"), None), ("tls", ("-tls1_3", "-groups", "X25519"), "TLS_AES_256_GCM_SHA384"),
            ("clear", ("-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"), "ECDHE-RSA-NULL-SHA"), ("clear", ("-tls1_2",), None),
            ("narrow", ("-tls1_2",), "ECDHE-RSA-AES128-GCM-SHA256"), ("narrow", ("-tls1_3",), "TLS_AES_128_GCM_SHA256"),
            ("narrow", ("-tls1_3", "-groups", "X25519"), None),
            ("tls", ("-tls1_2", "-servername", "narrow.test"), "ECDHE-RSA-AES128-GCM-SHA256"),
            ("tls", ("-tls1_3", "-servername", "narrow.test"), "TLS_AES_128_GCM_SHA256"),
            ("tls", ("-tls1_3", "-servername", "narrow.test", "-groups", "X25519"), None)):
        text = shown(context, server, port, port + "".join(words).replace(":", "_"), *words)
        agreed = re.search(r"New, \S+, Cipher is (\S+)", text)
        got = agreed[1] if agreed and agreed[1] != "(NONE)" else None
        check(got == expected, f"{port} {words}: {got}, not {expected}")
    asked_over(context, server, "clear", "-tls1_2", "-cipher", "eNULL:@SECLEVEL=0")
    process = connect(context, server, server.ports["tls"], "gnutls", "gnutls")
    wait_until(lambda: answers(context, "gnutls"), 8, "200 for gnutls")
    process.kill()


@story("tls", "servers that we connect to get nothing unless their certificate proves them, and the log and a counter say why not",
       suite="tls")
def outgoing(context):
    root, middle, pairs = certificates(context)
    pem, key = middle.issue("node", names=servers.NAMES)
    expected = {
        "good": None, "rsa": None, "server": None, "sip": None,
        "expired": ("expired", "certificate has expired"), "future": ("not_yet_valid", "certificate is not yet valid"),
        "unknown": ("unknown_ca", "unable to get local issuer certificate"),
        "self-signed": ("self_signed", "self-signed certificate"), "client": ("purpose", "unsuitable certificate purpose"),
        "mail": ("purpose", "unsuitable certificate purpose"),
        "elsewhere": ("identity", "certificate is for elsewhere.test, not for 127.0.0.1"),
    }
    ports = {label: callee(context, f"callee-{label}", pairs[label]) for label in expected}
    old = callee(context, "callee-old", pairs["rsa"], "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    server = profiled(
        context, root.pem, {"default": f"certificate: {pem}, private_key: {key}"}, sections=gates(old=old, **ports))
    alice = context.agent("alice", "tcp", server=server)
    for label, failure in expected.items():
        message(alice, label)
        if failure is None:
            wait_until(lambda: f"MESSAGE sip:{label}@" in context.log(f"callee-{label}"), 5, f"the MESSAGE at {label}")
            continue
        line = rf"tls_connect: handshake failed to 127\.0\.0\.1:{ports[label]} on 127\.0\.0\.1:\d+: .*{re.escape(failure[1])}"
        wait_until(lambda: re.search(line, server.text()), 5, f"{line!r} in {server.log}")
        check("MESSAGE" not in context.log(f"callee-{label}"), f"{label} got the MESSAGE")
    message(alice, "old")
    wait_until(lambda: f"failed to 127.0.0.1:{old} " in server.text(), 5, "the failure for the version")
    wait_until(lambda: server.failures().get("version") == 1, 5, f"the counter of versions: {server.failures()}")
    counted = {}
    for failure in filter(None, expected.values()):
        counted[failure[0]] = counted.get(failure[0], 0) + 1
    check({name: server.failures().get(name) for name in counted} == counted, f"counted {server.failures()}, not {counted}")
    hang_up(context)


@story("tls", "each target has its client profile: address or default, with its own authority, certificate, depth and permission",
       suite="tls")
def client_profiles(context):
    root, middle, pairs = certificates(context)
    other = Authority(context.folder, "other")
    directory = context.folder / "authorities"
    directory.mkdir()
    (directory / "other.pem").write_bytes(other.pem.read_bytes())
    (directory / "README").write_text("Not a certificate.\n")
    pem, key = middle.issue("node", names=servers.NAMES)
    theirs = other.issue("theirs", names=["127.0.0.1", "127.0.0.2"])
    ours = other.issue("ours", names=servers.NAMES)

    def listening(name, address, pair, *options):
        port = servers.free_port()
        context.start(name, ["openssl", "s_server", "-accept", f"{address}:{port}", "-cert", pair[0], "-key", pair[1],
                             "-cert_chain", pair[0], "-quiet", *options], stdin=subprocess.PIPE)
        return port

    ports = {
        "special": ("127.0.0.2", listening("special", "127.0.0.2", theirs, "-Verify", "3", "-CAfile", other.pem,
                                           "-verify_return_error")),
        "plain": ("127.0.0.1", listening("plain", "127.0.0.1", theirs)),
        "shallow": ("127.0.0.3", listening("shallow", "127.0.0.3", middle.issue("third", names=["127.0.0.3"]))),
        "blind": ("127.0.0.4", listening("blind", "127.0.0.4", pairs["expired"])),
    }
    contacts = ", ".join(f'{{ address: "sip:{name}@example.test", contact: "sip:{name}@{address}:{port};transport=tls" }}'
                         for name, (address, port) in ports.items())
    server = profiled(
        context, root.pem, {"default": f"certificate: {pem}, private_key: {key}"},
        clients={"default": f"ca_list: {root.pem}",
                 "special": f"ca_path: {directory}, certificate: {ours[0]}, private_key: {ours[1]}, domains: [127.0.0.2]",
                 "shallow": f"ca_list: {root.pem}, verify_depth: 0, domains: [127.0.0.3]",
                 "blind": "verify_cert: no, domains: [127.0.0.4]"},
        sections={"registrar": f"{{ contacts: [{contacts}] }}"})
    check("prove nothing" in server.said, f"check doesn't warn of the blind profile: {server.said}")
    alice = context.agent("alice", "tcp", server=server)
    for name, reason in (("special", None), ("plain", "self-signed certificate|unable to get local issuer"),
                         ("shallow", "certificate chain too long"), ("blind", None)):
        message(alice, name)
        if reason is None:
            wait_until(lambda: f"MESSAGE sip:{name}@" in context.log(name), 5, f"the MESSAGE at {name}")
        else:
            line = rf"tls_connect: handshake failed to {re.escape(ports[name][0])}:{ports[name][1]} on .*({reason})"
            wait_until(lambda: re.search(line, server.text()), 5, f"{line!r} in {server.log}")
    hang_up(context)


@story("tls", "a key of another certificate, an expired one and a wrong order are told of with file, place and remedy", suite="tls")
def faults(context):
    root, middle, pairs = certificates(context)
    good = middle.issue("own", names=["sip.example.test"])
    node = middle.issue("node", names=servers.NAMES)
    reverse = context.folder / "reverse.pem"
    leaf = (middle.folder / "own.leaf").read_text()
    reverse.write_text(leaf + root.pem.read_text() + middle.pem.read_text())
    headless = context.folder / "headless.pem"
    headless.write_text(middle.pem.read_text() + leaf)

    def said(number, settings):
        server = Profiled(context.folder / f"server{number}", context.server.binaries, root.pem, {"default": settings})
        try:
            server.prepare()
            return server.said
        except Exception as error:
            return str(error)

    for number, (certificate, key, texts) in enumerate((
            (good[0], pairs["good"][1], ("good.key: it does not belong to the certificate CN=own",)),
            (headless, good[1], ("own.key: it belongs to certificate 2 of the file, which has to be the first",)),
            (pairs["expired"][0], pairs["expired"][1],
             ("expired.pem, certificate 1: the certificate has expired", "apus cert server makes a new one")),
            (pairs["client"][0], pairs["client"][1], ("client.pem, certificate 1: the certificate is not for a server",)),
            (reverse, good[1], ("reverse.pem, certificate 2: ", "put each certificate behind the one that it issued")),
            (good[0], good[1], ("the certificate does not speak for example.test",)))):
        text = said(number, f"certificate: {certificate}, private_key: {key}")
        for expected in texts:
            check(expected in text, f"{certificate}: {expected!r} not in {text!r}")
    server = profiled(context, root.pem, {"default": f"certificate: {node[0]}, private_key: {node[1]}",
                                          "named": f"certificate: {good[0]}, private_key: {good[1]}"})
    wait_until(lambda: "does not speak for" in server.text(), 5, "the warning at the start")
