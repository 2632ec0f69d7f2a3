"""Many user agents at once: one loop over their sockets, operations under way between any of them, and what came of each.

Where `sip` is for one story step by step, this is for hundreds of connections, loads at a rate, and connections that
break in the middle. It has a reader of its own, a plain one.
"""

from .client import Client
from .fleet import Fleet
from .load import Closed, Open
from .operations import Call, Message, Register
from .presence import Presence, Traffic, summary
from .traces import Names, differences

__all__ = ["Call", "Client", "Closed", "Fleet", "Message", "Names", "Open", "Presence", "Register", "Traffic",
           "differences", "summary"]
