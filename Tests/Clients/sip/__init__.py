"""A small SIP user agent over TLS, TCP or UDP: it builds messages, reads framed ones and answers challenges.

It has its own reader on purpose: a mistake in the server's parser must not hide behind the same mistake here.
Every wait has a bound; what doesn't come in time is a `Missing`.
"""

from .agent import Agent, bindings_of, deliver, first_of
from .channel import Channel, Closed, Listener, Missing
from .dialog import Dialog, call, hang_up, in_dialog
from .digest import challenge_of
from .message import SDP, Message, long_name, token, uri_of
