#!/usr/bin/env python3
"""A certification authority made by openssl: roots, intermediates, leaves, CRLs, OCSP responses.

    Tests/Clients/authority.py DIR        makes the set that TLSEngineTests read
"""

import pathlib
import subprocess
import sys

EXTENSIONS = {
    "authority": "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n",
    "both": "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=serverAuth,clientAuth\n",
    "server": "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n",
    "client": "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth\n",
    # RFC 5924: id-kp-sipDomain.
    "sip": "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=1.3.6.1.5.5.7.3.20\n",
    "mail": "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=emailProtection\n",
    "responder": "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                 "extendedKeyUsage=OCSPSigning\nnoCheck=ignored\n",
}


def openssl(*words, cwd=None):
    done = subprocess.run(["openssl", *map(str, words)], cwd=cwd, timeout=30, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(map(str, words))}: {done.stdout.decode(errors='replace')}")
    return done.stdout


def new_key(folder, name, subject, kind="ec"):
    """A key and a request for it; `kind`: ec or rsa."""
    size = "ec_paramgen_curve:P-256" if kind == "ec" else "rsa_keygen_bits:2048"
    openssl("req", "-new", "-newkey", kind, "-pkeyopt", size, "-nodes", "-keyout", f"{name}.key",
            "-out", f"{name}.csr", "-subj", f"/CN={subject}", cwd=folder)


def kind_of(name):
    """A subject alternative name with its type."""
    kind = "URI" if name.startswith("sip:") else "IP" if name[0].isdigit() else "DNS"
    return f"{kind}:{name}"


class Authority:
    """Its files lie in a folder of its name below `folder`; `parent`: who issues its certificate, else itself."""

    def __init__(self, folder, name, parent=None):
        self.folder, self.name, self.parent = pathlib.Path(folder) / name, name, parent
        self.folder.mkdir(parents=True)
        (self.folder / "index.txt").write_text("")
        (self.folder / "index.txt.attr").write_text("unique_subject = no\n")
        (self.folder / "crlnumber").write_text("01\n")
        (self.folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nnew_certs_dir=.\ncertificate={name}.pem\n"
            f"private_key={name}.key\nrand_serial=yes\ncrlnumber=crlnumber\ndefault_md=sha256\npolicy=any\n"
            "unique_subject=no\ndefault_crl_days=30\n[any]\ncommonName=supplied\n")
        if parent:
            self.pem, self.key = parent.issue(name, f"{name} authority", use="authority", chain=False)
            for path in (self.pem, self.key):
                (self.folder / path.name).write_bytes(path.read_bytes())
            self.pem = self.folder / f"{name}.pem"
        else:
            (self.folder / "root.ext").write_text(EXTENSIONS["authority"])
            new_key(self.folder, name, f"{name} authority")
            openssl("x509", "-req", "-in", f"{name}.csr", "-signkey", f"{name}.key", "-out", f"{name}.pem", "-days", "30",
                    "-extfile", "root.ext", cwd=self.folder)
            self.pem = self.folder / f"{name}.pem"

    def issue(self, name, subject=None, names=(), use="both", responder=None, must_staple=False, chain=True,
              key="ec", times=None):
        """A certificate, with the intermediate behind it if there is one, and its key: two paths. `times`: from and
        until, as 20260101000000Z."""
        extensions = EXTENSIONS[use]
        if names:
            extensions += "subjectAltName=" + ",".join(map(kind_of, names)) + "\n"
        if responder:
            extensions += f"authorityInfoAccess=OCSP;URI:{responder}\n"
        if must_staple:
            extensions += "tlsfeature=status_request\n"
        (self.folder / f"{name}.ext").write_text(extensions)
        new_key(self.folder, name, subject or name, key)
        when = ["-startdate", times[0], "-enddate", times[1]] if times else ["-days", "20"]
        openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-in", f"{name}.csr", "-out", f"{name}.pem", *when,
                "-extfile", f"{name}.ext", cwd=self.folder)
        pem = self.folder / f"{name}.pem"
        (self.folder / f"{name}.leaf").write_bytes(pem.read_bytes())
        if chain and self.parent:
            pem.write_bytes(pem.read_bytes() + self.pem.read_bytes())
        return pem, self.folder / f"{name}.key"

    def revoke(self, name):
        self.name_revoked(f"{name}.leaf")

    def name_revoked(self, path):
        """Has its lists name a certificate, whoever issued it."""
        openssl("ca", "-batch", "-config", "ca.cnf", "-revoke", path, cwd=self.folder)

    def crl(self, path, start=None, end=None, der=False):
        """Writes its list in one step; `start` and `end` as 20260101000000Z."""
        times = ["-crl_lastupdate", start, "-crl_nextupdate", end] if start else []
        openssl("ca", "-config", "ca.cnf", "-gencrl", *times, "-out", "new.crl", cwd=self.folder)
        if der:
            openssl("crl", "-in", "new.crl", "-outform", "DER", "-out", "new.crl", cwd=self.folder)
        fresh = pathlib.Path(path).with_name("." + pathlib.Path(path).name)
        fresh.write_bytes((self.folder / "new.crl").read_bytes())
        fresh.rename(path)
        return pathlib.Path(path)

    def respond(self, request, response, signer=None, key=None, minutes=5):
        """Answers an OCSP request in a file as its responder would, by openssl's own."""
        when = ["-nmin", minutes] if minutes else []
        openssl("ocsp", "-index", "index.txt", "-CA", self.pem, "-rsigner", signer or self.pem, "-rkey",
                key or self.folder / f"{self.name}.key", "-reqin", request, "-respout", response, *when, cwd=self.folder)


def make_set(folder):
    """root, an intermediate of it, leaves of that, and another root of the same name."""
    folder = pathlib.Path(folder)
    root = Authority(folder, "root")
    middle = Authority(folder, "middle", root)
    url = "http://127.0.0.1:1/ocsp"
    for name in ("good", "revoked"):
        middle.issue(name, names=["example.test"], responder=url)
    middle.issue("stapled", names=["example.test"], responder=url, must_staple=True)
    middle.issue("responder", use="responder", chain=False)
    middle.issue("elsewhere", use="both", chain=False)
    root.crl(folder / "root.crl")
    middle.crl(folder / "empty.crl", der=True)
    middle.revoke("revoked")
    middle.crl(folder / "middle.crl")
    middle.crl(folder / "expired.crl", "20200101000000Z", "20200102000000Z")
    # An authority of the same name with another key: what it signs must count for nothing.
    other = Authority(folder / "other", "middle")
    other.name_revoked((middle.folder / "good.leaf").resolve())
    other.crl(folder / "forged.crl")
    root.revoke("middle")
    root.crl(folder / "root-revokes.crl")


if __name__ == "__main__":
    make_set(sys.argv[1])
