"""A client whose packets get lost without a word: its host sits in a network of its own, of which the cable is pulled."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import time

import servers
import sip
from harness import Skipped, check, story

#: Of the block that is meant for tests of networks.
HERE, THERE = "198.18.77.1", "198.18.77.2"
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Cable:
    """Two ends of a virtual cable: one here, the other in a network namespace."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Skipped("needs root, to make a network namespace")
        if not shutil.which("ip"):
            raise Skipped("needs `ip`: apt-get install iproute2")
        self.name, self.near, self.far = f"apus{os.getpid()}", f"apn{os.getpid()}", f"apf{os.getpid()}"

    def ip(self, *words, there=False):
        servers.checked(["ip", *(["-n", self.name] if there else []), *words])

    def __enter__(self):
        self.ip("netns", "add", self.name)
        self.ip("link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.name)
        self.ip("address", "add", f"{HERE}/30", "dev", self.near)
        self.ip("link", "set", self.near, "up")
        self.ip("address", "add", f"{THERE}/30", "dev", self.far, there=True)
        self.ip("link", "set", self.far, "up", there=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.name], check=False)
        subprocess.run(["ip", "link", "del", self.near], check=False, stderr=subprocess.DEVNULL)

    def pull(self):
        self.ip("link", "set", self.far, "down", there=True)

    def plug(self):
        self.ip("link", "set", self.far, "up", there=True)

    @contextlib.contextmanager
    def entered(self):
        """Sockets made within belong to the far end."""
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if LIBC.setns(there, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            LIBC.setns(here, CLONE_NEWNET)
            os.close(here)
            os.close(there)


class Reachable(servers.Apus):
    """A server that the far end reaches too."""

    def prepare(self):
        super().prepare()
        file = self.folder / "apus.yaml"
        more = f"listen:\n  - \"tls:{HERE}:{self.ports['tls']}\"\n"
        file.write_text(file.read_text().replace("listen:\n", more, 1))


@contextlib.contextmanager
def place(context):
    """A cable and a server at its near end."""
    with Cable() as cable:
        server = Reachable(context.folder / "server", context.server.binaries)
        server.start()
        try:
            yield cable, server
        finally:
            server.stop()


def agent(context, server, user, **options):
    made = sip.Agent(server, user, "tls", **options)
    context.agents.append(made)
    return made


def registered_far(context, cable, server, flow=1):
    with cable.entered():
        bob = agent(context, server, "bob", host=HERE)
    register(bob, "bob", flow)
    return bob


def register(bob, name, flow):
    contact = f"<{bob.contact}>;expires=600;reg-id={flow};+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-{name:0>12}>\""
    bob.register(contacts=[contact], headers=[("Supported", "path, outbound")])


def timed(alice, request):
    """The final response, and after how many seconds it came."""
    alice.authorize(request)
    began = time.monotonic()
    response = alice.exchange(request, 10)
    return response, time.monotonic() - began


def acquainted(context, server, bob):
    """A caller whose first message has been answered, challenge included."""
    alice = agent(context, server, "alice")
    alice.register()
    message = alice.request("MESSAGE", "sip:bob@example.test", body=b"are you there?")
    bob.reply(sip.deliver(alice, message, bob), 200)
    alice.expect_final(message)
    return alice


def check_given_up(alice, method):
    request = alice.invite("bob") if method == "INVITE" else alice.request(method, "sip:bob@example.test", body=b"hello")
    response, seconds = timed(alice, request)
    check(response.status == 480, f"{method} to a silent client got {response.first_line}")
    check(seconds < 4, f"{method} to a silent client was answered after {seconds:.1f} s")


@story("silent", "a client that vanished costs its caller less than 4 s, with INVITE and with MESSAGE, again and again", 60)
def vanished(context):
    with place(context) as (cable, server):
        bob = registered_far(context, cable, server)
        alice = acquainted(context, server, bob)
        cable.pull()
        for method in ("INVITE", "MESSAGE", "INVITE"):
            check_given_up(alice, method)


@story("silent", "a client that vanished is taken over by its other flow within 4 s, then at once", 60)
def second_flow(context):
    with place(context) as (cable, server):
        near = agent(context, server, "bob")
        register(near, "bob", 2)
        far = registered_far(context, cable, server, 1)
        alice = acquainted(context, server, far)
        cable.pull()
        for limit in (4, 1):
            invite = alice.invite("bob")
            alice.authorize(invite)
            began = time.monotonic()
            alice.send(invite)
            there = near.expect_request("INVITE", 10)
            seconds = time.monotonic() - began
            check(seconds < limit, f"the call took {seconds:.1f} s to the other flow")
            near.reply(there, 486, "Busy Here")
            response = alice.expect_final(invite)
            alice.send(alice.ack(invite, response))
            check(response.status == 486, f"the caller got {response.first_line}")


@story("silent", "a client that was away for a while keeps its connection and its binding", 60)
def back_again(context):
    with place(context) as (cable, server):
        bob = registered_far(context, cable, server)
        alice = acquainted(context, server, bob)
        cable.pull()
        check_given_up(alice, "MESSAGE")
        cable.plug()
        late = bob.expect_request("MESSAGE", 15)
        bob.reply(late, 200)
        message = alice.request("MESSAGE", "sip:bob@example.test", body=b"back?")
        bob.reply(sip.deliver(alice, message, bob), 200)
        response = alice.expect_final(message)
        check(response.status == 200, f"the caller got {response.first_line}")
