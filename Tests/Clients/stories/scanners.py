"""testssl and sslscan on a node with the defaults: the suite `scanners`, some minutes long."""

import json
import re
import subprocess

import servers
from authority import Authority
from harness import check, story
from .profiles import profiled

#: What testssl finds that is no matter of the defaults.
EXPECTED = {
    "cert_chain_of_trust": "the certificate is of the test's own making",
    "cert_revocation": "the test's authority has neither lists nor a responder",
    "cert_notAfter": "the test's certificates are short-lived",
    "cert_expirationStatus": "the test's certificates are short-lived",
}


def default_node(context):
    root = Authority(context.folder, "root")
    (ec, ec_key), (rsa, rsa_key) = (root.issue("ec", names=servers.NAMES), root.issue("rsa", names=servers.NAMES, key="rsa"))
    return profiled(context, root.pem, {"default": f"certificate: [{ec}, {rsa}], private_key: [{ec_key}, {rsa_key}]"})


@story("scanners", "testssl finds nothing weak in the defaults", suite="scanners", limit=900)
def testssl(context):
    server = default_node(context)
    report = context.folder / "testssl.json"
    process = context.start("testssl", [
        "testssl", "--quiet", "--warnings", "off", "--color", "0", "--nodns", "min", "--jsonfile", report,
        f"127.0.0.1:{server.ports['tls']}"], stdin=subprocess.DEVNULL)
    context.finish(process, 850, "testssl")
    findings = json.loads(report.read_text())
    check(len(findings) > 100, f"testssl looked at {len(findings)} things only: {context.log('testssl')[-500:]}")
    weak = [f"{each['id']} ({each['severity']}): {each['finding']}" for each in findings
            if each["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "WARN", "FATAL")
            and re.sub(r" ?<.*>", "", each["id"]) not in EXPECTED]
    check(not weak, "testssl found:\n       " + "\n       ".join(weak))
    context.note(f"testssl: {len(findings)} findings, none weak")


@story("scanners", "sslscan finds TLS 1.2 and 1.3 alone, and no suite or group that isn't strong", suite="scanners", limit=300)
def sslscan(context):
    server = default_node(context)
    report = context.folder / "sslscan.xml"
    process = context.start("sslscan", ["sslscan", "--no-colour", "--show-sigs", f"--xml={report}",
                                        f"127.0.0.1:{server.ports['tls']}"])
    context.finish(process, 280, "sslscan")
    text = report.read_text()
    enabled = {f"{kind} {version}" for kind, version, on in
               re.findall(r'<protocol type="(\w+)" version="([^"]+)" enabled="(\d)"', text) if on == "1"}
    check(enabled == {"tls 1.2", "tls 1.3"}, f"versions: {enabled}")
    suites = re.findall(r'<cipher [^>]*cipher="([^"]+)"[^>]*strength="(\w+)"', text)
    check(len(suites) >= 6, f"suites: {suites}")
    bad = [name for name, strength in suites if strength not in ("strong", "acceptable")
           or not re.match(r"TLS_(AES|CHACHA20)|ECDHE-.*(GCM|CHACHA20)", name)]
    check(not bad, f"weak suites: {bad}")
    groups = set(re.findall(r'<group [^>]*name="([^"]+)"', text))
    check(groups == {"x25519", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)"}, f"groups: {groups}")
    for mark in ('<heartbleed sslversion="TLSv1.2" vulnerable="1"', '<compression supported="1"', '<renegotiation supported="1"'):
        check(mark not in text, f"sslscan says {mark}")
