"""Digest credentials."""

import hashlib
import re

from .message import token


def challenge_of(response):
    values = response.all("WWW-Authenticate") + response.all("Proxy-Authenticate")
    if not values:
        raise AssertionError(f"{response.first_line} carries no challenge")
    return values[0]


def digest(challenge, user, password, request, count=1):
    """Credentials for an MD5 or SHA-256 challenge (RFC 7616 §3.4, RFC 8760 §2.4)."""
    fields = {key.lower(): quoted or plain for key, quoted, plain in
              re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))', challenge)}
    algorithm = fields.get("algorithm", "MD5")
    function = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm.upper()]

    def hashed(*parts):
        return function(":".join(parts).encode()).hexdigest()

    secret = hashed(user, fields["realm"], password)
    action = hashed(request.first_line.split(" ")[0], request.uri)
    text = (f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", '
            f'uri="{request.uri}", algorithm={algorithm}')
    if "qop" in fields:
        cnonce, number = token(), f"{count:08x}"
        answer = hashed(secret, fields["nonce"], number, cnonce, "auth", action)
        text += f', qop=auth, nc={number}, cnonce="{cnonce}"'
    else:
        answer = hashed(secret, fields["nonce"], action)
    if "opaque" in fields:
        text += f', opaque="{fields["opaque"]}"'
    return text + f', response="{answer}"'
