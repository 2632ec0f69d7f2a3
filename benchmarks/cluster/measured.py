"""Servers for measurements, started afresh: nodes with several workers, and Kamailio beside them."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
BENCHMARKS = HERE.parent
ROOT = BENCHMARKS.parent


def children(process):
    """All processes below one."""
    found, position = [process], 0
    while position < len(found):
        for task in pathlib.Path(f"/proc/{found[position]}/task").glob("*/children"):
            found += [int(word) for word in task.read_text().split()]
        position += 1
    return found[1:]


def words(process):
    try:
        return pathlib.Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return [""]


def counting_worker(folder, binaries):
    """An executable that is the worker with `openssl.c` loaded into it."""
    library, wrapper = folder / "openssl.so", folder / "counting-worker"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, HERE / "openssl.c", "-lcrypto"], check=True)
    wrapper.write_text(f'#!/bin/sh\nLD_PRELOAD={library} exec {binaries / "apus-worker"} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


class Server:
    """A server that `benchmarks/NAME/start` starts in a folder of its own."""

    port = 26_000

    def __init__(self, name, folder, certificates, binaries, auth=False, **environment):
        Server.port += 3
        self.folder, self.tls, self.tcp = folder / "run", Server.port, Server.port + 1
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        words = [BENCHMARKS / name / "start", *(["--auth"] if auth else []), str(self.tls), certificates, self.folder]
        done = subprocess.run(words, text=True, stdout=subprocess.PIPE, timeout=120, env={
            **os.environ, "APUS": str(binaries / "apus"), "TCP_PORT": str(self.tcp),
            **{key: str(value) for key, value in environment.items()}})
        if done.returncode != 0:
            raise SystemExit(f"{name} did not start; see {self.folder}")
        self.process = int(done.stdout)
        # The sockets listen before the workers are ready.
        time.sleep(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.process, 15)
        for _ in range(150):
            if not pathlib.Path(f"/proc/{self.process}").exists():
                return
            time.sleep(0.1)
        for process in [self.process, *children(self.process)]:
            os.kill(process, 9)

    @property
    def workers(self):
        """Process ids of the workers."""
        return [process for process in children(self.process) if os.path.basename(words(process)[0]) == "apus-worker"]

    def openssl_memory(self):
        """Bytes of heap that OpenSSL holds in the workers, where `openssl.c` counts them."""
        log = self.folder / "apus.log"
        before = log.stat().st_size
        workers = self.workers
        for process in workers:
            os.kill(process, signal.SIGURG)
        for _ in range(100):
            time.sleep(0.02)
            found = re.findall(r"openssl holds (\d+) octets", log.read_text(errors="replace")[before:])
            if len(found) == len(workers):
                return sum(map(int, found))
        raise SystemExit(f"the workers do not say what OpenSSL holds; see {log}")

    def redis(self, *command):
        """What the private Redis says; None when the node has none."""
        sockets = [path for path in (self.folder / "state").rglob("*") if path.is_socket() and "redis" in str(path)]
        if not sockets:
            return None
        return subprocess.run(["redis-cli", "-s", sockets[0], *command], text=True, stdout=subprocess.PIPE,
                              timeout=20).stdout

    def redis_memory(self):
        """Bytes that Redis has for data; None without Redis."""
        text = self.redis("INFO", "memory")
        return int(re.search(r"used_memory:(\d+)", text)[1]) if text else None
