"""Clients with certificates: whom they prove without digest, and what is seen of TLS connections. Each story has a node of its own with
two workers, and a CA of its own for clients."""

import re
import ssl

import servers
import sip
from harness import check, story, wait_until
from nodes import Node

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """A CA for clients, made by openssl."""

    def __init__(self, folder, name="clients"):
        self.folder, self.name = folder, name
        servers.checked(["openssl", "req", "-x509", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "30",
                         "-subj", f"/O=Stories/CN={name} CA"], cwd=folder)

    @property
    def certificate(self):
        return self.folder / f"{self.name}.pem"

    def issue(self, file, common_name, *alternatives):
        """Certificate and key for a client."""
        servers.checked(["openssl", "req", *KEY, "-keyout", f"{file}.key", "-out", f"{file}.csr",
                         "-subj", f"/O=Stories/CN={common_name}"], cwd=self.folder)
        lines = ["extendedKeyUsage=clientAuth"]
        lines += [f"subjectAltName={','.join(alternatives)}"] if alternatives else []
        (self.folder / f"{file}.ext").write_text("\n".join(lines) + "\n")
        servers.checked(["openssl", "x509", "-req", "-in", f"{file}.csr", "-CA", f"{self.name}.pem", "-CAkey",
                         f"{self.name}.key", "-CAcreateserial", "-out", f"{file}.pem", "-days", "30", "-extfile",
                         f"{file}.ext"], cwd=self.folder)
        return self.folder / f"{file}.pem", self.folder / f"{file}.key"


def fingerprint(certificate):
    """The SHA-256 as openssl writes it, with colons."""
    return servers.checked(["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"]).split("=")[1].strip()


def started(context, rules, verify="optional", workers=2, more="", sections=None):
    """A node whose clients may show certificates of an authority, which prove what `rules` say."""
    tls = (f"{{ server: {{ default: {{ certificate: server.pem, private_key: server.key, "
           f"ca_list: \"{context.folder}/clients.pem\", verify_client: {verify} }} }}, "
           f"client: {{ default: {{ ca_list: ca.pem }} }}{more} }}")
    node = Node(context.folder / "server", context.server.binaries, workers,
                sections={"tls": tls, "identity": f"{{ certificates: [{', '.join(rules)}] }}", **(sections or {})})
    context.servers.append(node)
    node.start()
    return node


def registers(agent, user=None, sender=None):
    """REGISTER without credentials for a user, perhaps in another's name; the status."""
    user = user or agent.user
    request = agent.request("REGISTER", f"sip:{agent.domain}", to=f"sip:{user}@{agent.domain}", contact=False,
                            headers=[("Contact", f"<{agent.contact}>;expires=600")])
    request.replace("From", f"<sip:{sender or user}@{agent.domain}>;tag={sip.token()}")
    return agent.exchange(request).status


@story("certificates", "a client registers, calls and sends messages without digest as the user that its certificate names, and as no other")
def user(context):
    authority = Authority(context.folder)
    alice = authority.issue("alice", "Alice", "URI:sip:alice@example.test")
    node = started(context, ["uri:sip:*@example.test"])
    bob = context.registered("bob", server=node)
    agent = context.agent("alice", server=node, certificate=alice)
    check(registers(agent) == 200, "the REGISTER of alice was refused")
    for method in ("MESSAGE", "INVITE", "OPTIONS"):
        request = agent.request(method, bob.aor)
        agent.send(request)
        received = bob.expect_request(method)
        check(received.get("P-Asserted-Identity") == "<sip:alice@example.test>", f"{method} asserts {received}")
        bob.reply(received, 200, "OK")
        check(agent.expect_final(request).status == 200, f"{method} got no 200")
    check(registers(agent, "bob") == 401, "alice registers bob")
    check(registers(agent, "alice", sender="bob") == 401, "alice registers herself in the name of bob")
    agent.user = "bob"
    check(agent.exchange(agent.request("MESSAGE", "sip:carol@example.test")).status == 407, "alice writes as bob")
    check(agent.exchange(agent.invite("carol")).status == 407, "alice calls as bob")
    # bob's password counts over the same connection.
    request = agent.request("MESSAGE", "sip:nobody@example.test")
    check(agent.transact(request).status == 404, "bob's password does not count beside alice's certificate")


@story("certificates", "domains, common names, fingerprints and trusted peers are proved as the settings say")
def kinds(context):
    authority = Authority(context.folder)
    proxy = authority.issue("proxy", "proxy", "DNS:pbx.partner.test")
    gateway = authority.issue("gateway", "gateway", "DNS:gw1.partner.test")
    carol = authority.issue("carol", "carol@example.test")
    handset = authority.issue("handset", "0004f2abcdef")
    node = started(context, [
        '{ match: "dns:pbx.partner.test", proves: "sip:example.test" }', '{ match: "dns:gw*.partner.test", proves: trusted }',
        '"cn:*@example.test"', f'{{ match: "sha256:{fingerprint(handset[0])}", proves: "sip:alice@example.test" }}'])
    bob = context.registered("bob", server=node)

    def arrives(agent, name, sender, **headers):
        request = agent.request("MESSAGE", bob.aor, headers=[(key.replace("_", "-"), value) for key, value in headers.items()])
        request.replace("From", f"<sip:{sender}>;tag={sip.token()}")
        agent.send(request)
        received = bob.expect_request("MESSAGE")
        bob.reply(received, 200, "OK")
        check(agent.expect_final(request).status == 200, f"{name} got no 200")
        return received

    agent = context.agent("carol", server=node, certificate=carol)
    check(registers(agent) == 200 and registers(agent, "alice") == 401, "the common name proves another than carol")
    agent = context.agent("alice", server=node, certificate=handset)
    check(registers(agent) == 200 and registers(agent, "carol") == 401, "the fingerprint proves another than alice")
    agent = context.agent("proxy", server=node, certificate=proxy)
    for name in ("alice", "carol", "new"):
        check(registers(agent, name) == 200, f"the domain's proxy may not register {name}")
        received = arrives(agent, name, f"{name}@example.test")
        check(received.get("P-Asserted-Identity") == f"<sip:{name}@example.test>", f"{name} arrives as {received}")
    agent = context.agent("gateway", server=node, certificate=gateway)
    check(registers(agent, "alice") == 401, "a trusted peer may register alice")
    received = arrives(agent, "gateway", "+1555@pstn.test", P_Asserted_Identity="<sip:+1555@pstn.test>")
    check(received.get("P-Asserted-Identity") == "<sip:+1555@pstn.test>", f"the gateway is not believed: {received}")
    # The other workers know it too: what users want kept back is told to trusted peers, wherever they sent it.
    stranger = context.agent("alice", server=node)
    check(registers(stranger) == 401, "without a certificate alice needs no digest")
    received = arrives(stranger, "stranger", "+1555@pstn.test", P_Asserted_Identity="<sip:+1555@pstn.test>")
    check(received.get("P-Asserted-Identity") is None, f"a stranger is believed: {received}")


@story("certificates", "a certificate that nobody verified proves nothing, and one that is not good gets no connection")
def unverified(context):
    authority, other = Authority(context.folder), Authority(context.folder, "others")
    alice = authority.issue("alice", "Alice", "URI:sip:alice@example.test")
    forged = other.issue("forged", "Alice", "URI:sip:alice@example.test")
    node = started(context, ["uri:sip:*@example.test"], verify="off")
    agent = context.agent("alice", server=node, certificate=alice)
    check(registers(agent) == 401, "a certificate counts that was not asked for")
    node.stop()
    node = started(context, ["uri:sip:*@example.test"])
    try:
        agent = context.agent("alice", server=node, certificate=forged, version=ssl.TLSVersion.TLSv1_2)
        status = registers(agent)
    except (ssl.SSLError, ConnectionError, sip.Closed):
        status = "no connection"
    check(status == "no connection", f"a certificate of a strange CA got {status}")
    wait_until(lambda: "tls_accept: handshake failed from 127.0.0.1:" in node.log.read_text(), 3, "the line of the failure")


@story("certificates", "a continued session proves what its certificate does; new rules hold for standing connections")
def later(context):
    authority = Authority(context.folder)
    alice = authority.issue("alice", "Alice", "URI:sip:alice@example.test")
    gateway = authority.issue("gateway", "gateway", "DNS:gw.partner.test")
    node = started(context, ["uri:sip:*@example.test", '{ match: "dns:gw.partner.test", proves: trusted }'], workers=1)
    first = context.agent("alice", server=node, certificate=alice)
    check(registers(first) == 200, "alice was refused")
    second = context.agent("alice", server=node, resuming=first.channel)
    check(second.channel.socket.session_reused, "the session was not continued")
    check(registers(second) == 200, "alice was refused over a continued session")
    trusted = context.agent("gateway", server=node, certificate=gateway)
    check(registers(trusted, "alice") == 401, "the gateway registers alice")

    settings = node.folder / "apus.yaml"
    text = settings.read_text()
    settings.write_text(re.sub(r"certificates: \[.*\]", 'certificates: [{ match: "cn:Alice", proves: "sip:carol@example.test" }]', text))
    node.control("reload")
    wait_until(lambda: registers(first) == 401, 5, "the new rules for alice's connection")
    check(registers(first, "carol") == 200 and registers(second, "carol") == 200, "the new rules don't prove carol")
    try:
        wait_until(lambda: trusted.pump(0.1), 5, "the end of the gateway's connection")
    except sip.Closed:
        pass
