"""A node of a story's own with several workers, and what can be seen of it from outside: processes, sockets, Redis."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import servers


class Node(servers.Apus):
    """A server with so many workers and users; `redis`: a `Redis` of the story, or the node's own."""

    def __init__(self, folder, binaries, workers=2, users=(), redis=None, sections=None):
        super().__init__(folder, binaries)
        self.users, self.redis = list(users), redis
        self.sections = {
            "workers": workers,
            "domains": f"{{ {servers.DOMAIN}: {{ aliases: [localhost], users: fleet.yaml }} }}",
            "registrar": "{ expires_spread: 0 }",
            "authentication": "{ required: true, users: users.yaml, algorithms: [MD5], nonce_lifetime: 1h }",
            # All clients come from one address.
            "limits": "{ connections_per_address: 10000, handshakes_per_address: 512 }",
            "admin": "{ control_socket: control.sock }",
            **({"redis": redis.address} if redis else {}), **(sections or {}),
        }

    def prepare(self):
        realm, password = servers.DOMAIN, servers.PASSWORD
        lines = [f"{realm}:"]
        for user in self.users:
            secret = hashlib.md5(f"{user}:{realm}:{password}".encode()).hexdigest()
            lines += [f"  {user}:", f"    realm: {realm}", f'    MD5: "{secret}"']
        (self.folder / "fleet.yaml").write_text("\n".join(lines) + "\n")
        super().prepare()

    # Processes

    def workers(self):
        """Slot to process id of the workers that live."""
        found = {}
        for process in self.processes():
            words = command_line(process)
            if words and os.path.basename(words[0]) == "apus-worker":
                found[int(words[words.index("--slot") + 1])] = process
        return found

    def generations(self):
        """Slot to generation."""
        lines = {slot: command_line(process) for slot, process in self.workers().items()}
        return {slot: int(words[words.index("--generation") + 1]) for slot, words in lines.items() if words}

    def kill_worker(self, slot, how=signal.SIGKILL):
        process = self.workers()[slot]
        os.kill(process, how)
        return process

    def holders(self):
        """Port of a client's stream connection to the slot of the worker that has the other end."""
        ours = {f"{self.ports[name]:04X}" for name in ("tls", "tcp")}
        inodes = {}
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in pathlib.Path(table).read_text().splitlines()[1:]:
                words = line.split()
                if words[1].rpartition(":")[2] in ours and words[3] == "01":
                    inodes[words[9]] = int(words[2].rpartition(":")[2], 16)
        found = {}
        for slot, process in self.workers().items():
            for link in links(process):
                port = inodes.get(link.removeprefix("socket:[").removesuffix("]"))
                if port is not None:
                    found[port] = slot
        return found

    def holder(self, channel):
        """The slot of the worker that has the other end of one channel."""
        return self.holders().get(channel.local[1])

    def control(self, *words):
        """What `apus ctl` says, read as JSON."""
        done = subprocess.run(
            [self.binaries / "apus", "ctl", *(["--socket", self.folder / "control.sock"]), "--json", *words],
            text=True, timeout=10, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise AssertionError(f"apus ctl {' '.join(words)}: exit code {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def left_behind(self):
        """Sockets, and files that only a running node has, under the state directory."""
        state = self.folder / "state"
        kept = re.compile(r"cluster\.secret|redis/.*|.*\.aof.*|.*\.rdb")
        return sorted(str(path.relative_to(state)) for path in state.rglob("*")
                      if path.is_socket() or path.is_file() and not kept.fullmatch(str(path.relative_to(state))))


def command_line(process):
    try:
        return pathlib.Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


def links(process):
    """Where the descriptors of a process lead."""
    try:
        for entry in os.scandir(f"/proc/{process}/fd"):
            try:
                yield os.readlink(entry.path)
            except OSError:
                continue
    except OSError:
        return


class Redis:
    """A redis-server of a story, on a Unix socket, with an append-only file; and one connection to it."""

    def __init__(self):
        # A socket's name has room for about a hundred letters.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="apus-redis."))
        self.path, self.process, self.connection = self.folder / "redis.sock", None, None

    @property
    def address(self):
        return f"unix:{self.path}"

    def start(self, empty=False):
        if empty:
            for path in sorted(self.folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
        self.process = servers.spawn(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", self.folder, "--save", "",
             "--appendonly", "yes", "--appendfsync", "everysec"], self.folder / "redis.log")
        deadline = time.monotonic() + 10
        while True:
            try:
                self.connection = None
                if self.ask("PING") == "PONG":
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise servers.CannotStart("redis-server does not answer")
            time.sleep(0.02)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait(5)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            servers.stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    # A client of its own: RESP2, one command at a time.

    def ask(self, *words):
        if self.connection is None:
            raw = socket.socket(socket.AF_UNIX)
            raw.settimeout(5)
            raw.connect(str(self.path))
            self.connection = raw.makefile("rwb")
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.connection.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        self.connection.flush()
        return self.reply()

    def reply(self):
        line = self.connection.readline()
        if not line:
            raise OSError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise OSError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            data = self.connection.read(int(rest) + 2) if int(rest) >= 0 else None
            return data and data[:-2]
        return [self.reply() for _ in range(int(rest))]

    def keys(self, part):
        """Keys with some text in their name."""
        return {key for key in self.ask("KEYS", f"*{part}*")}

    def content(self, key):
        """All that a key holds, as octets in no particular order."""
        kind = self.ask("TYPE", key)
        if kind == "string":
            return self.ask("GET", key) or b""
        if kind == "hash":
            return b"".join(self.ask("HGETALL", key))
        return b""
