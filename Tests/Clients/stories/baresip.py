"""Two baresip clients, steered over ctrl_tcp. Sound goes through aubridge, so that no device is needed."""

import json
import re
import socket
import time

import servers
from harness import check, story, wait_until

# It takes `sip_listen` for UDP and TCP, and the port after it for TLS.
CONFIGURATION = """\
poll_method epoll
sip_listen 127.0.0.1:{sip_port}
sip_cafile {ca}
net_interface 127.0.0.1
audio_source aubridge,x
audio_player aubridge,x
audio_alert aubridge,alert
ausrc_srate 8000
auplay_srate 8000
module_path {modules}
module g711.so
module aubridge.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
"""
ACCOUNT = ('<sip:{user}@example.test;transport={transport}>;auth_pass=secret;regint=600;answermode=manual;'
           'outbound="sip:127.0.0.1:{port};transport={transport}";audio_source=aubridge,x;audio_player=aubridge,x\n')
MODULES = "/usr/lib/baresip/modules"


class Baresip:
    """One client: its events in order, and commands."""

    def __init__(self, context, user, transport="tls"):
        self.context, self.user = context, user
        self.events, self.answers, self.buffer = [], [], b""
        home = context.folder / user
        home.mkdir()
        control = servers.free_port()
        (home / "accounts").write_text(
            ACCOUNT.format(user=user, transport=transport, port=context.server.ports[transport]))
        (home / "contacts").write_text("")
        (home / "config").write_text(CONFIGURATION.format(
            sip_port=servers.free_port(2), ca=context.server.ca, modules=MODULES, control_port=control))
        self.process = context.start(user, ["baresip", "-f", home, "-v"], cwd=home)
        self.socket = wait_until(lambda: self.connect(control), 10, f"baresip of {user} opens its control port")
        context.agents.append(self)
        pattern = re.compile(rf"{user}@example\.test: \{{0/{transport.upper()}/v4\}} 200 ")
        wait_until(lambda: pattern.search(context.log(user)), 10, f"registration of {user} with a 200")

    def connect(self, port):
        check(self.process.poll() is None, f"baresip of {self.user} ended: {self.context.log(self.user)[-300:]}")
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1)
        except OSError:
            return None

    def close(self):
        self.socket.close()

    def command(self, name, parameters=""):
        """Sends a command and returns the text of its answer."""
        self.answers.clear()
        message = json.dumps({"command": name, "params": parameters, "token": "story"}).encode()
        self.socket.sendall(str(len(message)).encode() + b":" + message + b",")
        wait_until(lambda: self.read() or self.answers, 5, f"an answer of {self.user} to {name}")
        return self.answers[0].get("data", "")

    def read(self):
        """Takes in what has come: netstrings with JSON."""
        self.socket.settimeout(0.05)
        try:
            self.buffer += self.socket.recv(65536)
        except TimeoutError:
            pass
        while b":" in self.buffer:
            length, _, rest = self.buffer.partition(b":")
            if len(rest) <= int(length):
                break
            message = json.loads(rest[: int(length)])
            self.buffer = rest[int(length) + 1:]
            (self.events if message.get("event") else self.answers).append(message)

    def wait(self, kind, timeout=8):
        """The next event of this kind; those before it are dropped."""
        def found():
            self.read()
            kinds = [event["type"] for event in self.events]
            if kind not in kinds:
                return None
            event = self.events[kinds.index(kind)]
            del self.events[: kinds.index(kind) + 1]
            return event
        return wait_until(found, timeout, f"{kind} at {self.user}")

    def has_no_call(self):
        return "Active calls (0)" in self.command("listcalls")


def one_call(caller, callee, first_to_leave):
    caller.command("dial", f"sip:{callee.user}@example.test")
    incoming = callee.wait("CALL_INCOMING")
    check(f"{caller.user}@example.test" in incoming["peeruri"], f"the call came from {incoming['peeruri']}")
    caller.wait("CALL_RINGING")
    callee.command("accept")
    caller.wait("CALL_ESTABLISHED")
    callee.wait("CALL_ESTABLISHED")
    time.sleep(0.3)
    check("Active calls (1)" in caller.command("listcalls"), "the call did not last")
    first_to_leave.command("hangup")
    caller.wait("CALL_CLOSED")
    callee.wait("CALL_CLOSED")
    for client in (caller, callee):
        check(client.has_no_call(), f"{client.user} still has a call")


@story("baresip", "two clients register over TLS with digest and call both ways, caller and callee each hanging up")
def calls(context):
    alice, bob = Baresip(context, "alice"), Baresip(context, "bob")
    for caller, callee in ((alice, bob), (bob, alice)):
        for first_to_leave in (caller, callee):
            one_call(caller, callee, first_to_leave)


@story("baresip", "a refused call ends at both, and a caller that gives up stops the ringing")
def refused_and_given_up(context):
    alice, bob = Baresip(context, "alice"), Baresip(context, "bob")
    for who in (bob, alice):
        alice.command("dial", "sip:bob@example.test")
        bob.wait("CALL_INCOMING")
        alice.wait("CALL_RINGING")
        who.command("hangup")
        alice.wait("CALL_CLOSED")
        bob.wait("CALL_CLOSED")
        check(alice.has_no_call() and bob.has_no_call(), "a call is left")


@story("baresip", "a client on UDP and one on TLS call each other")
def mixed(context):
    alice, bob = Baresip(context, "alice", "udp"), Baresip(context, "bob", "tls")
    one_call(alice, bob, bob)
    one_call(bob, alice, bob)
