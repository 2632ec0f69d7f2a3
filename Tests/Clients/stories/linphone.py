"""linphone-daemon, which checks the server's certificate: its CA and its name."""

import os
import subprocess
import time

import servers
from harness import check, story, wait_until

CONFIGURATION = """\
[sip]
root_ca={ca}
verify_server_certs=1
verify_server_cn=1
sip_port=-1
sip_tcp_port=-1
sip_tls_port=-1
default_proxy=0
guess_hostname=0
contact=sip:{user}@127.0.0.1
use_ipv6=0
[rtp]
audio_rtp_port={rtp_port}
[video]
enabled=0
capture=0
display=0
automatically_initiate=0
automatically_accept=0
[net]
dns_srv_enabled=0
[auth_info_0]
username={user}
passwd=secret
realm=example.test
[proxy_0]
reg_proxy=<sip:{host}:{port};transport=tls>
reg_route=<sip:{host}:{port};transport=tls>
reg_identity=sip:{user}@example.test
reg_expires=600
reg_sendregister=1
publish=0
"""


class Linphone:
    """One daemon, steered over its standard input."""

    def __init__(self, context, user, ca=None, port=None, host="localhost", name=None):
        self.context, self.user, self.name = context, user, name or user
        home = context.folder / self.name
        (home / ".local/share/linphone").mkdir(parents=True)
        (home / "linphonerc").write_text(CONFIGURATION.format(
            ca=ca or context.server.ca, user=user, host=host, port=port or context.server.ports["tls"],
            rtp_port=servers.free_port()))
        self.process = context.start(
            self.name, ["linphone-daemon", "--config", home / "linphonerc", "--log", home / "linphone.log",
                        "--disable-stats-events"],
            cwd=home, stdin=subprocess.PIPE, env={**os.environ, "HOME": str(home)})
        self.read_to = 0

    @property
    def output(self):
        return self.context.log(self.name)

    @property
    def trace(self):
        """Its log, which holds every message and what it thinks of certificates."""
        path = self.context.folder / self.name / "linphone.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def command(self, text, expected="Status: Ok"):
        """Sends a command and returns the output from it on, once `expected` stands in that."""
        mark = len(self.output)
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
        wait_until(lambda: expected in self.output[mark:], 5, f"{expected!r} from {self.name} after {text!r}")
        return self.output[mark:]

    def registration(self):
        """`LinphoneRegistrationOk` and the like."""
        answer = self.command("register-status ALL", "State: ")
        return answer.split("State: ", 1)[1].split()[0]

    def registered(self):
        wait_until(lambda: self.registration() == "LinphoneRegistrationOk", 10, f"registration of {self.user}")

    def wait(self, event, timeout=8):
        """Waits for an event that came after the last one waited for."""
        position = wait_until(lambda: self.output.find(f"Event: {event}", self.read_to) + 1, timeout,
                              f"{event} at {self.name}")
        self.read_to = position + len(event)


def one_call(caller, callee, first_to_leave):
    caller.command(f"call sip:{callee.user}@example.test")
    callee.wait("LinphoneCallIncomingReceived")
    caller.wait("LinphoneCallOutgoingRinging")
    callee.command("answer")
    caller.wait("LinphoneCallStreamsRunning")
    callee.wait("LinphoneCallStreamsRunning")
    time.sleep(0.3)
    check("LinphoneCallStreamsRunning" in callee.command("call-status", "State: "), "the call did not last")
    first_to_leave.command("terminate")
    for client in (caller, callee):
        client.wait("LinphoneCallReleased")
        client.command("call-status", "No current call available")


@story("linphone", "two clients that check the certificate register and call both ways, each hanging up", limit=60)
def calls(context):
    alice, bob = Linphone(context, "alice"), Linphone(context, "bob")
    alice.registered()
    bob.registered()
    for caller, callee in ((alice, bob), (bob, alice)):
        for first_to_leave in (caller, callee):
            one_call(caller, callee, first_to_leave)


@story("linphone", "a client that trusts another CA does not register: the check is on")
def other_authority(context):
    servers.make_certificates(context.folder / "other")
    client = Linphone(context, "alice", ca=context.folder / "other/ca.pem")
    wait_until(lambda: "not-trusted" in client.trace and "SSL handshake failed" in client.trace, 10,
               "the refusal of a certificate of an unknown CA")
    check("REGISTER sip:" not in client.trace, "the client went on all the same")
    check(context.agent("alice").bindings() == {}, "alice is registered all the same")


@story("linphone", "a client refuses a certificate of its own CA with another name: the name is checked too")
def other_name(context):
    """Not a test of the server but of the client that the other stories rely on."""
    folder = context.folder / "names"
    outcomes = {}
    for name in ("localhost", "elsewhere.test"):
        servers.make_certificates(folder / name, [name])
        port = servers.free_port()
        context.start(f"server-{name}", ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", "server.pem",
                                         "-key", "server.key", "-quiet"], cwd=folder / name, stdin=subprocess.PIPE)
        client = Linphone(context, "alice", ca=folder / name / "ca.pem", port=port, name=f"client-{name}")
        wait_until(lambda: "REGISTER sip:" in context.log(f"server-{name}") or "CN-mismatch" in client.trace,
                   10, f"a decision about the name {name}")
        outcomes[name] = "REGISTER sip:" in context.log(f"server-{name}")
    check(outcomes == {"localhost": True, "elsewhere.test": False}, f"REGISTER was sent: {outcomes}")
