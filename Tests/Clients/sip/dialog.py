"""Dialogs: tags, route set, remote target; and a whole call from them."""

import copy
import random
import re

from .agent import Agent, deliver
from .message import SDP, Message, uri_of


class Dialog:
    """One side of a dialog: its tags, route set and remote target (RFC 3261 §12.1)."""

    def __init__(self, agent, request, response, is_caller):
        self.agent, self.call_id = agent, request.get("Call-ID")
        mine, theirs = ("From", "To") if is_caller else ("To", "From")
        self.local, self.remote = response.get(mine), response.get(theirs)
        routes = (response if is_caller else request).values("Record-Route")
        self.routes = routes[::-1] if is_caller else routes
        self.target = uri_of((response if is_caller else request).get("Contact"))
        self.sequence = int(request.get("CSeq").split()[0]) if is_caller else random.randint(1, 1000)

    def request(self, method, headers=(), body=b"", sequence=None):
        if sequence is None:
            sequence = self.sequence = self.sequence + 1
        fields = [("Via", self.agent.via()), ("Max-Forwards", "70")]
        fields += [("Route", route) for route in self.routes]
        fields += [("From", self.local), ("To", self.remote), ("Call-ID", self.call_id),
                   ("CSeq", f"{sequence} {method}"), ("Contact", f"<{self.agent.contact}>")]
        return Message(f"{method} {self.target} SIP/2.0", fields + list(headers), body)

    def follow(self):
        """This side on a new socket to where its first Route value leads: RFC 3263 §4 for address literals."""
        uri = uri_of(self.routes[0])
        match = re.fullmatch(r"(sips?):(?:[^@]*@)?(\[[^]]*\]|[^:;]+)(?::(\d+))?((?:;[^;]+)*)", uri)
        if not match:
            raise AssertionError(f"the Route {uri} can't be read")
        scheme, host, port, parameters = match.groups()
        transport = re.search(r";transport=(\w+)", parameters)
        transport = "tls" if scheme == "sips" else transport.group(1).lower() if transport else "udp"
        mine = self.agent.channel.local[0]
        literal = re.fullmatch(r"[\d.]+", host) or host.startswith("[")
        if literal and (":" in mine) != host.startswith("["):
            raise AssertionError(f"the Route {uri} is of another family than {mine}")
        agent = Agent(self.agent.server, self.agent.user, transport, host=host.strip("[]") if literal else mine,
                      port=int(port) if port else {"tls": 5061}.get(transport, 5060))
        agent.fixed_contact = self.agent.contact
        copy_of = copy.copy(self)
        copy_of.agent = agent
        return copy_of

    def ack(self, invite):
        return self.request("ACK", sequence=int(invite.get("CSeq").split()[0]))


def call(caller, callee, body=SDP, answer_body=SDP):
    """A whole call set-up; returns both sides' dialogs once the ACK has arrived."""
    invite = caller.invite(callee.user, body)
    received = deliver(caller, invite, callee)
    callee.reply(received, 180, "Ringing")
    caller.expect_response(invite, status=180)
    accepted = callee.reply(received, 200, "OK", [("Content-Type", "application/sdp")], answer_body)
    response = caller.expect_final(invite)
    if response.status != 200:
        raise AssertionError(f"the call got {response.first_line}")
    dialog = Dialog(caller, invite, response, is_caller=True)
    caller.send(dialog.ack(invite))
    callee.expect_request("ACK")
    return dialog, Dialog(callee, received, accepted, is_caller=False)


def in_dialog(method, dialog, other, headers=(), body=b""):
    """A request within the dialog, answered 200 by the other side; returns what that side got."""
    request = dialog.request(method, headers, body)
    received = deliver(dialog.agent, request, other.agent)
    dialog.sequence = int(request.get("CSeq").split()[0])
    other.agent.reply(received, 200, "OK")
    response = dialog.agent.expect_final(request)
    if response.status != 200:
        raise AssertionError(f"{method} got {response.first_line}")
    return received


def hang_up(dialog, other):
    """BYE from one side, answered by the other."""
    return in_dialog("BYE", dialog, other)
