"""The server under test: one process group on loopback, on ports of its own, with three users.

`Apus` is what the stories are for. `Kamailio` stands in for it when a story itself is in doubt.
"""

import ctypes
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import time

DOMAIN = "example.test"
NAMES = [DOMAIN, "sip.example.test", "localhost", "127.0.0.1"]
USERS = ["alice", "bob", "carol"]
PASSWORD = "secret"
MAX_CONTACTS = 10
#: Seconds for a first message, a whole message and a blocked send, shorter than a node's defaults.
PATIENCE = 4
PR_SET_PDEATHSIG = 1
HERE = pathlib.Path(__file__).resolve().parent


class CannotStart(Exception):
    pass


def free_port(count=1):
    """The first of `count` ports in a row that are free for TCP and UDP on 127.0.0.1 right now.

    They lie below the range from which the kernel takes ports for outgoing connections, so that none is taken
    before its owner binds it.
    """
    for _ in range(200):
        first = random.randrange(20_000, 32_000)
        try:
            for port in range(first, first + count):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    with socket.socket(type=kind) as probe:
                        probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise CannotStart("no port is free for both TCP and UDP")


def checked(command, input=None, cwd=None):
    """Runs a command to its end; its output is part of the error when it fails."""
    done = subprocess.run(
        [str(word) for word in command], input=input, cwd=cwd, text=True, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise CannotStart(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def spawn(command, log, **options):
    """Starts a process in a process group of its own; it gets TERM should we end before it."""
    libc = ctypes.CDLL(None)
    with open(log, "ab") as output:
        return subprocess.Popen(
            [str(word) for word in command], stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM), **{"stdin": subprocess.DEVNULL, **options})


def stop(process, patience=10):
    """Ends a process that was started in a process group of its own."""
    if process is None:
        return
    try:
        if process.poll() is None:
            process.terminate()
            process.wait(patience)
    except subprocess.TimeoutExpired:
        pass
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        process.wait(5)


def make_certificates(folder, names=NAMES):
    """A CA and a server certificate with each name as `URI:sip:` and as DNS, made by openssl."""
    folder.mkdir(parents=True, exist_ok=True)
    alternatives = ",".join(f"URI:sip:{name},DNS:{name}" for name in names)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    checked(["openssl", "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
             "-subj", "/CN=Client stories CA"], cwd=folder)
    checked(["openssl", "req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", f"/CN={names[0]}"],
            cwd=folder)
    (folder / "server.ext").write_text(f"subjectAltName={alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n")
    checked(["openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
             "-CAcreateserial", "-out", "server.pem", "-days", "30", "-extfile", "server.ext"], cwd=folder)


class Server:
    """Common to both: folder, ports, CA, life of the process."""

    name = ""
    #: Stories and groups of stories that this server is known to fail, with the reason; `--all` runs them even so.
    differs = {}
    #: Variables of its process beside, or in place of, our own.
    environment = {}

    def __init__(self, folder, binaries=None):
        self.folder = pathlib.Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.binaries = binaries
        self.ports = {"tls": free_port(), "tcp": free_port(), "udp": free_port()}
        #: Sections of the settings, as YAML, that a server of a story's own has in place of ours or beside them.
        self.sections = {}
        self.process = None
        self.log = self.folder / "server.log"

    @property
    def ca(self):
        return self.folder / "ca.pem"

    def prepare(self):
        """Writes certificates, users and configuration."""
        raise NotImplementedError

    def command(self):
        """The words that start the server in the foreground."""
        raise NotImplementedError

    def start(self):
        self.prepare()
        self.process = spawn(
            self.command(), self.log, cwd=self.folder,
            env={**os.environ, "SWIFT_BACKTRACE": "enable=no", **self.environment})
        deadline = time.monotonic() + 15
        while not self.accepts():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(f"{self.name} does not answer; its log ends:\n{self.tail()}")
            time.sleep(0.05)

    def accepts(self):
        """Whether a TLS handshake, checked against the CA, succeeds."""
        context = ssl.create_default_context(cafile=str(self.ca))
        try:
            with socket.create_connection(("127.0.0.1", self.ports["tls"]), timeout=2) as raw:
                with context.wrap_socket(raw, server_hostname=DOMAIN):
                    return True
        except ssl.SSLCertVerificationError as error:
            raise CannotStart(f"the server's certificate does not hold for {DOMAIN}: {error}") from None
        except OSError:
            return False

    def processes(self):
        """The ids of the server's process and all below it."""
        parents = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1])
        found = {self.process.pid} if self.process.poll() is None else set()
        grew = True
        while grew:
            more = {child for child, parent in parents.items() if parent in found} - found
            grew = bool(more)
            found |= more
        return found

    def stop(self):
        stop(self.process)

    def tail(self, lines=20):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class Apus(Server):
    name = "apus"
    differs = {
        "a branch that is given up since another took the call learns so from Reason; after 6xx as well":
            "a CANCEL of our own has no Reason",
        "identities that a client claims never reach the callee: the one that it proved does, or none": "not yet",
        "claims in the requests of a dialog, and in answers of a callee, go as well": "not yet",
        "Privacy: id: no asserted identity leaves us for a callee, alone or beside other wishes": "not yet",
        "a gateway that we trust is not challenged, and what it says of its callers reaches our users": "not yet",
        "to a trusted gateway users carry the identity that they proved, and Privacy: id does not hide it": "not yet",
        "fields that are ours or listed go from what clients send; with assert: no, no identity is added": "not yet",
    }

    def prepare(self):
        apus = self.binaries / "apus"
        if not apus.exists():
            raise CannotStart(f"{apus} is missing: swift build -c release -static-stdlib")
        checked([apus, "cert", "ca", "--dir", self.folder])
        checked([apus, "cert", "server", "--dir", self.folder, *[w for name in NAMES for w in ("--name", name)]])
        users = self.folder / "users.yaml"
        for user in USERS:
            self.add_user(users, DOMAIN, user, PASSWORD)
        (self.folder / "state").mkdir(exist_ok=True)
        sections = {
            "domains": f"[{DOMAIN}, localhost]",
            "registrar": f"{{ max_contacts: {MAX_CONTACTS} }}",
            "timeouts": f"{{ first_message: {PATIENCE}s, message: {PATIENCE}s, send: {PATIENCE}s }}",
            "authentication": "{ required: true, users: users.yaml, algorithms: [MD5] }",
            "tls": "{ server: { default: { certificate: server.pem, private_key: server.key, ca_list: ca.pem } }, "
                   "client: { default: { ca_list: ca.pem } } }",
            **self.sections,
        }
        (self.folder / "apus.yaml").write_text(f"""\
node: stories
advertise: 127.0.0.1
listen:
  - "tls:127.0.0.1:{self.ports['tls']}"
  - "tcp:127.0.0.1:{self.ports['tcp']}"
  - "udp:127.0.0.1:{self.ports['udp']}"
  - {{ address: "tls:[::1]:{self.ports['tls']}", advertise: "[::1]" }}
  - {{ address: "udp:[::1]:{self.ports['udp']}", advertise: "[::1]" }}
state_directory: state
""" + "".join(f"{name}: {value}\n" for name, value in sections.items()))
        checked([apus, "check", "--config", self.folder / "apus.yaml"])

    def add_user(self, file, domain, user, password, realm=None):
        extra = ["--realm", realm] if realm else []
        checked([self.binaries / "apus", "user", "add", "--file", file, "--domain", domain, *extra, user],
                input=password + "\n")

    def command(self):
        return [self.binaries / "apus", "serve", "--config", self.folder / "apus.yaml"]


class Kamailio(Server):
    name = "kamailio"
    differs = {
        "a request without Content-Length over a stream gets 400, then the connection closes": "closes without a word",
        "Content-Length that is no number, negative, doubled or huge gets an error or a closed connection": "waits on",
        "required fields that are missing, and another SIP version, get an error in our version": "ignores SIP/7.0",
        "half a message and a connection that says nothing are closed in time": "waits for 120 s",
        "a callee that stops reading loses its connection, and nobody else waits": "keeps the connection",
        "a replayed digest answer is refused": "our stand-in does not count uses of a nonce",
        "a call over IPv6": "our stand-in has no IPv6 listener",
        "a call to a sips URI reaches a callee on TLS": "our stand-in does not know sips bindings",
        "connections without a handshake are gone within 11 s: silent, half a ClientHello, one octet a second":
            "waits for 120 s",
        "garbage on one connection leaves a call on others alone": "keeps such connections",
    }

    def prepare(self):
        make_certificates(self.folder)
        (self.folder / "tls.cfg").write_text(f"""\
[server:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
private_key = {self.folder}/server.key
certificate = {self.folder}/server.pem
ca_list = {self.folder}/ca.pem
""")
        text = (HERE / "kamailio.cfg").read_text()
        values = {"PASSWORD": PASSWORD, "TLS_CFG": self.folder / "tls.cfg",
                  **{f"{name.upper()}_PORT": port for name, port in self.ports.items()}}
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        (self.folder / "kamailio.cfg").write_text(text)

    def command(self):
        # -Y: where its sockets go; -m and -M: megabytes.
        return ["kamailio", "-DD", "-E", "-f", self.folder / "kamailio.cfg", "-Y", self.folder, "-m", "64", "-M", "8"]


SERVERS = {server.name: server for server in (Apus, Kamailio)}
