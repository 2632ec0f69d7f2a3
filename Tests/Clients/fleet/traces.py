"""What a client saw, without what differs from run to run: two servers that do the same leave the same traces."""

import re

#: In the order in which they apply.
PATTERNS = [
    # Our branch, not one of a client's, which say what they are.
    (re.compile(r"branch=z9hG4bK[\w-]{32}(?=[;,\s]|$)"), "branch=<ours>"),
    # Flow tokens: the user part of a Route or Record-Route.
    (re.compile(r"<(sips?):[\w-]{20,}@"), r"<\1:<token>@"),
    (re.compile(r";tag=apus[0-9a-f]+"), ";tag=<ours>"),
    (re.compile(r'(nonce|opaque)="[^"]*"'), r'\1="<\1>"'),
]
ADDRESS = re.compile(r"(127\.\d+\.\d+\.\d+):(\d+)")
RPORT = re.compile(r"rport=(\d+)")


class Names:
    """The words for the ports of a run: who has them."""

    def __init__(self, fleet, node):
        self.ports = {str(port): f"<{transport}>" for transport, port in node.ports.items()}
        for client in fleet.clients:
            self.ports[client.address.rpartition(":")[2]] = f"<{client.user}>"

    def plain(self, message):
        """A message's lines, sorted where order says nothing: the first line, then each field."""
        text = message.head.decode("utf-8", "replace")
        text = ADDRESS.sub(lambda found: f"{found[1]}:{self.ports.get(found[2], found[2])}", text)
        text = RPORT.sub(lambda found: f"rport={self.ports.get(found[1], found[1])}", text)
        for pattern, replacement in PATTERNS:
            text = pattern.sub(replacement, text)
        return text, message.body


def differences(first, second):
    """Operations, by name, that either side saw otherwise in two runs: `(name, side, one, other)`."""
    found = [(name, "both", "", "missing") for name in first.keys() ^ second.keys()]
    for name in sorted(first.keys() & second.keys()):
        for side in ("caller", "callee"):
            one, other = first[name][side], second[name][side]
            if one != other:
                found.append((name, side, one, other))
    return found
