"""What measurements share: servers started afresh, loads, figures with their goals, and how they are written down."""
import argparse
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date

BENCHMARKS = pathlib.Path(__file__).resolve().parent
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
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, BENCHMARKS / "cluster/openssl.c", "-lcrypto"], check=True)
    wrapper.write_text(f'#!/bin/sh\nLD_PRELOAD={library} exec {binaries / "apus-worker"} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


class Server:
    """A server that `benchmarks/NAME/start` starts in a folder of its own."""

    port = 26_000

    def __init__(self, name, folder, certificates, binaries, auth=False, **environment):
        Server.port += 3
        self.binaries = binaries
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

    def control(self, *command):
        """The rows that `apus ctl` prints."""
        done = subprocess.run([self.binaries / "apus", "ctl", "--socket", self.folder / "state/control.sock", "--json",
                               *command], text=True, stdout=subprocess.PIPE, timeout=20, check=True)
        return json.loads(done.stdout)

    def counters(self, name):
        """A counter of each worker."""
        return self.control("stats.get", name)[0]["workers"]

    def worker_memory(self):
        """PSS of all workers in bytes."""
        texts = [pathlib.Path(f"/proc/{process}/smaps_rollup").read_text() for process in self.workers]
        return sum(int(re.search(r"Pss:\s+(\d+) kB", text)[1]) * 1024 for text in texts)

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


class Figure:
    """One line of the result: values of the rounds, and the most that they may be."""

    def __init__(self, what, unit, values, goal=None):
        self.what, self.unit, self.values, self.goal = what, unit, [v for v in values if v is not None], goal

    @property
    def median(self):
        return statistics.median(self.values) if self.values else None

    @property
    def is_missed(self):
        return self.goal is not None and (self.median is None or self.median > self.goal)

    def line(self):
        if not self.values:
            return f"| {self.what} | not measured | {self.goal if self.goal is not None else ''} | |"
        digits = 0 if self.median >= 1000 else 1 if self.median >= 20 else 2
        spread = f"{min(self.values):,.{digits}f} to {max(self.values):,.{digits}f}"
        verdict = "" if self.goal is None else "missed" if self.is_missed else "reached"
        goal = "" if self.goal is None else f"at most {self.goal:,}"
        return f"| {self.what} | {self.median:,.{digits}f} {self.unit} ({spread}) | {goal} | {verdict} |"


class Measurement:
    def __init__(self, options, folder):
        self.options, self.folder, self.figures, self.troubles = options, folder, [], []
        self.certificates = folder / "certificates"
        subprocess.run([BENCHMARKS / "certificates", self.certificates], check=True, stderr=subprocess.DEVNULL)

    def server(self, name="apus", **options):
        return Server(name, self.folder, self.certificates, self.options.binaries, **options)

    def load(self, server, *words, port=None, processes=None, patience=300, name="result"):
        """Runs apus-bench and returns its result, by way of a file of this name; what failed is noted."""
        file = self.folder / f"{name}.json"
        file.unlink(missing_ok=True)
        command = [self.options.binaries / "apus-bench", words[0], f"127.0.0.1:{port or server.tls}", *words[1:],
                   "--source", "127.1.0.0/24", "--server-pid", processes or str(server.process), "--json", file]
        done = subprocess.run([str(word) for word in command], text=True, timeout=patience, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if not file.exists():
            self.troubles.append(f"{' '.join(words)}: {done.stdout.strip().splitlines()[-1:]}")
            return None
        result = json.loads(file.read_text())
        if result["failed"]:
            self.troubles.append(f"{' '.join(map(str, words))}: {result['failed']:,} failed")
        if find(result, "generator.was_the_limit"):
            self.troubles.append(f"{' '.join(map(str, words))}: the generator was the limit")
        return result

    def cost(self, server, *words):
        """Microseconds of the server's processors for an operation."""
        return find(self.load(server, *words), "server.cpu_us_per_operation")

    def rounds(self):
        for number in range(1, self.options.rounds + 1):
            print(f"  round {number}", file=sys.stderr)
            yield number


def find(document, path):
    for part in path.split("."):
        if not isinstance(document, dict) or part not in document:
            return None
        document = document[part]
    return document


def ratios(first, second):
    return [one / two for one, two in zip(first, second) if one and two]


def differences(first, second):
    return [one - two for one, two in zip(first, second) if one and two]


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}"


def main(measurement_class, title, command, parts, needs=("apus", "apus-worker", "apus-bench")):
    """Measures the parts asked for, each a method that makes figures, and writes what was found. 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=f"Measures {title[0].lower()}{title[1:]}.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=parts, help="one part; may be given several times")
    parser.add_argument("--binaries", type=pathlib.Path, default=ROOT / ".build/release")
    parser.add_argument("--results", type=pathlib.Path, help="default: a file in benchmarks/results")
    options = parser.parse_args()
    options.binaries = options.binaries.resolve()
    name = pathlib.Path(command).parent.name
    missing = [product for product in needs if not (options.binaries / product).exists()]
    if missing:
        sys.exit(f"build first: {' '.join(f'swift build -c release --product {product};' for product in missing)}")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], text=True, stdout=subprocess.PIPE).stdout
    folder, missed = pathlib.Path(tempfile.mkdtemp(prefix="apus-benchmark.")), False
    lines = [f"# {title}, {date.today()}\n",
             f"- commit {commit.strip()}; {machine()}; load average at the beginning {os.getloadavg()[1]:.1f} (5 minutes)",
             f"- `{command}`: {options.rounds} rounds of {options.seconds} s; medians, lowest and highest in brackets",
             "- generator and servers share the machine; CPU is that of all the server's processes, Redis included\n"]
    try:
        for part in options.only or parts:
            print(part, file=sys.stderr)
            measurement = measurement_class(options, folder)
            getattr(measurement, part)()
            missed |= any(figure.is_missed for figure in measurement.figures)
            lines += [f"## {part}\n", getattr(measurement_class, part).__doc__ + "\n", "| | measured | goal | |",
                      "| --- | --- | --- | --- |"]
            lines += [figure.line() for figure in measurement.figures]
            lines += [""] + [f"- {trouble}" for trouble in dict.fromkeys(measurement.troubles)] + [""] * bool(measurement.troubles)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = "\n".join(lines)
    file = options.results or BENCHMARKS / "results" / f"{name}-{date.today()}.md"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    print(text)
    return 1 if missed else 0

