"""SIPp, which has no TLS here: it speaks TCP to stunnel, and stunnel TLS to the server, whose name it checks."""

import pathlib
import socket

import servers
from harness import check, story, wait_until

SCENARIOS = pathlib.Path(__file__).resolve().parent.parent / "sipp"

STUNNEL = """\
foreground = yes
debug = notice
pid =
[sip]
client = yes
accept = 127.0.0.1:{accept}
connect = 127.0.0.1:{connect}
CAfile = {ca}
verifyChain = yes
checkHost = example.test
sni = example.test
"""


def block(text):
    """A message inside a scenario."""
    lines = "\n".join(line.strip() for line in text.strip().splitlines())
    return f"\n<![CDATA[\n{lines}\n\n]]>\n"


FIELDS = """\
From: <sip:[user]@example.test>;tag=[call_number]c
Call-ID: [call_id]
Max-Forwards: 70
"""
SECOND = "Via: SIP/2.0/[via] [local_ip]:[local_port];branch=z9hG4bK[pid]-[call_number]-second;rport"
SDP = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 40000 RTP/AVP 0\n"


def invite(via, number, credentials):
    head = f"""\
INVITE sip:[peer]@example.test SIP/2.0
{via}
To: <sip:[peer]@example.test>
{FIELDS}CSeq: {number} INVITE
Contact: <sip:[user]@[contact]>
{credentials}Content-Type: application/sdp
Content-Length: [len]
"""
    return f'<send retrans="500">\n<![CDATA[\n{head}\n{SDP}\n]]>\n</send>\n'


def ack(via, number):
    return block(f"""\
ACK sip:[peer]@example.test SIP/2.0
{via}
[last_To:]
{FIELDS}CSeq: {number} ACK
Content-Length: 0
""")


FIRST = SECOND.replace("second", "first")
PIECES = {
    # An INVITE, its challenge, the ACK to that, and the INVITE with credentials.
    "INVITE": invite(FIRST, 1, "")
    + '<recv response="100" optional="true"/>\n<recv response="401" auth="true" optional="true" next="challenged"/>\n'
    + '<recv response="407" auth="true"/>\n<label id="challenged"/>\n'
    + f"<send>{ack(FIRST, 1)}</send>\n" + invite(SECOND, 2, "[authentication]\n"),
    "ACK": ack(SECOND, 2),
    "RINGING": block("""\
SIP/2.0 180 Ringing
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[call_number]a
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[user]@[contact]>
Content-Length: 0
"""),
}
AWAIT_BYE = '<recv request="BYE"/>\n<send>' + block("""\
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0
""") + '</send>\n<pause milliseconds="50"><action><exec command="touch [user].ended"/></action></pause>\n'
SEND_BYE = {
    "caller": '<pause milliseconds="300"/>\n<send retrans="500">' + block("""\
BYE [next_url] SIP/2.0
Via: SIP/2.0/[via] [local_ip]:[local_port];branch=[branch];rport
[routes]
To: <sip:[peer]@example.test>[peer_tag_param]
From: <sip:[user]@example.test>;tag=[call_number]c
Call-ID: [call_id]
Max-Forwards: 70
CSeq: 3 BYE
Content-Length: 0
""") + '</send>\n<recv response="200"/>\n',
    "callee": '<send retrans="500">' + block("""\
BYE [next_url] SIP/2.0
Via: SIP/2.0/[via] [local_ip]:[local_port];branch=[branch];rport
[routes]
From:[$callee]
To:[$caller]
Call-ID: [call_id]
Max-Forwards: 70
CSeq: 1 BYE
Content-Length: 0
""") + '</send>\n<recv response="200"><action><exec command="touch [user].ended"/></action></recv>\n',
}


class SIPp:
    """The SIPp clients of one story."""

    def __init__(self, context):
        self.context = context
        self.tunnel = None

    def address(self, transport):
        """Where SIPp sends: to the server itself, or to the tunnel that leads there."""
        if transport != "tls":
            return self.context.server.ports[transport]
        if self.tunnel is None:
            self.tunnel = servers.free_port()
            path = self.context.folder / "stunnel.conf"
            path.write_text(STUNNEL.format(
                accept=self.tunnel, connect=self.context.server.ports["tls"], ca=self.context.server.ca))
            self.context.start("stunnel", ["stunnel", path])
            wait_until(self.tunnel_is_open, 5, "stunnel listens")
        return self.tunnel

    def tunnel_is_open(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.tunnel)) == 0

    def scenario(self, name, **pieces):
        text = (SCENARIOS / f"{name}.xml").read_text()
        for key, value in {**PIECES, **pieces}.items():
            text = text.replace(f"@{key}@", value)
        check("@" not in text.replace("@example", "").replace("@[contact]", ""), f"a gap is left in {name}.xml")
        path = self.context.folder / f"{name}.xml"
        path.write_text(text)
        return path

    def start(self, user, scenario, transport="tls", via=None, contact=None, outside=None, **keys):
        """Starts one SIPp; `outside` is the scenario for calls that come to it."""
        port = servers.free_port()
        suffix = "" if transport == "udp" else ";transport=tcp"
        keys = {"user": user, "via": via or ("UDP" if transport == "udp" else "TCP"), "expires": 600,
                "contact": contact or f"127.0.0.1:{port}{suffix}", **keys}
        command = ["sipp", f"127.0.0.1:{self.address(transport)}", "-t", "u1" if transport == "udp" else "t1",
                   "-i", "127.0.0.1", "-p", port, "-sf", scenario, "-m", 1, "-au", user, "-ap", "secret", "-nostdin", "-timeout", 50, "-timeout_error",
                   "-trace_msg", "-message_file", f"{user}.messages", "-trace_err", "-error_file", f"{user}.errors"]
        command += ["-oocsf", outside] if outside else []
        for key, value in keys.items():
            command += ["-key", key, value]
        return self.context.start(f"sipp-{user}", command)

    def callee(self, user, outside, transport="tls", **options):
        process = self.start(user, self.scenario("register", STAY="30000"), transport, outside=outside, **options)
        self.marked(user, "registered", process)
        return process

    def marked(self, user, what, process=None):
        """Waits for the mark that a scenario of `user` leaves."""
        def there():
            if process is not None and process.poll() not in (None, 0):
                raise AssertionError(f"SIPp of {user} ended with {process.poll()}: {self.errors(user)}")
            return (self.context.folder / f"{user}.{what}").exists()
        wait_until(there, 8, f"{user} is {what}")

    def errors(self, user):
        try:
            return (self.context.folder / f"{user}.errors").read_text(errors="replace")[-600:]
        except OSError:
            return "no errors noted"

    def passes(self, user, scenario, transport="tls", timeout=15, **options):
        process = self.start(user, scenario, transport, **options)
        code = self.context.finish(process, timeout, f"SIPp of {user}")
        check(code == 0, f"SIPp of {user} ended with {code}: {self.errors(user)}")


def whole_call(context, here, there, hangs_up, via=None):
    sipp = SIPp(context)
    callee_bye = ('<recv request="ACK"><action><ereg regexp=".*" search_in="hdr" header="From:" assign_to="caller"/>'
                  '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="callee"/>'
                  '<exec command="touch [user].acknowledged"/></action></recv>\n<pause milliseconds="200"/>\n')
    take_ack = '<recv request="ACK"><action><exec command="touch [user].acknowledged"/></action></recv>\n'
    if hangs_up == "caller":
        outside = sipp.scenario("answer", AFTER=take_ack + AWAIT_BYE)
        caller = sipp.scenario("call", HANGUP=SEND_BYE["caller"])
    else:
        outside = sipp.scenario("answer", AFTER=callee_bye + SEND_BYE["callee"])
        caller = sipp.scenario("call", HANGUP=AWAIT_BYE)
    process = sipp.callee("bob", outside, there, via=via)
    sipp.passes("alice", caller, here, via=via, peer="bob")
    sipp.marked("bob", "acknowledged", process)
    sipp.marked("bob", "ended", process)


@story("sipp", "it registers with digest behind stunnel, over TCP and over UDP")
def register(context):
    for transport in ("tls", "tcp", "udp"):
        SIPp(context).passes("alice", SIPp(context).scenario("register", STAY="10"), transport)
    SIPp(context).passes("alice", SIPp(context).scenario("register", STAY="10"), "tls", via="TLS")


@story("sipp", "a call behind stunnel goes from INVITE to BYE along the route set")
def call(context):
    whole_call(context, "tls", "tls", "caller")


@story("sipp", "the callee says BYE")
def callee_bye(context):
    whole_call(context, "tls", "tls", "callee")


@story("sipp", "a call behind stunnel with TLS in its Via")
def call_with_tls_via(context):
    whole_call(context, "tls", "tls", "callee", via="TLS")


@story("sipp", "a client on TLS calls one on UDP")
def tls_to_udp(context):
    whole_call(context, "tls", "udp", "callee")


@story("sipp", "a client on UDP calls one on TLS")
def udp_to_tls(context):
    whole_call(context, "udp", "tls", "caller")


@story("sipp", "a client on TCP calls one on TCP")
def tcp_to_tcp(context):
    whole_call(context, "tcp", "tcp", "caller")


@story("sipp", "CANCEL reaches the callee and the caller gets 487")
def cancel(context):
    sipp = SIPp(context)
    process = sipp.callee("bob", sipp.scenario("ring"))
    sipp.passes("alice", sipp.scenario("cancel"), peer="bob")
    sipp.marked("bob", "cancelled", process)
    sipp.marked("bob", "acknowledged", process)


def refusals(*statuses):
    """Receives one of these; the last is the one that must come if no other did."""
    optional = [f'<recv response="{status}" optional="true" next="refused"/>' for status in statuses[:-1]]
    return "\n".join(optional + [f'<recv response="{statuses[-1]}"/>'])


@story("sipp", "a busy callee: the caller gets 486")
def busy(context):
    sipp = SIPp(context)
    process = sipp.callee("bob", sipp.scenario("busy"))
    sipp.passes("alice", sipp.scenario("refused", REFUSALS=refusals(486)), peer="bob")
    sipp.marked("bob", "acknowledged", process)


@story("sipp", "an unknown user: the caller gets 404")
def unknown(context):
    sipp = SIPp(context)
    sipp.passes("alice", sipp.scenario("refused", REFUSALS=refusals(404)), peer="nobody")


@story("sipp", "a callee that closed its connection: the caller gets a final error, no hang")
def closed_connection(context):
    sipp = SIPp(context)
    sipp.passes("bob", sipp.scenario("register", STAY="10"))
    sipp.passes("alice", sipp.scenario("refused", REFUSALS=refusals(480, 408, 500, 503, 404)), timeout=35, peer="bob")


@story("sipp", "a callee whose contact is a dead port: the caller gets a final error within 35 s", limit=60)
def dead_port(context):
    sipp = SIPp(context)
    sipp.passes("bob", sipp.scenario("register", STAY="10"), "udp", contact=f"127.0.0.1:{servers.free_port()}")
    sipp.passes("alice", sipp.scenario("refused", REFUSALS=refusals(480, 408, 500, 503)), timeout=35, peer="bob")
