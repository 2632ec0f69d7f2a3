"""Programs on the disk that are replaced while everybody talks to everybody, and take over: workers first, then the supervisor."""

import os
import shutil
import signal

from harness import check, story, wait_until
from .rolling import Crowd, is_settled, processes

UPGRADES = 2


class Programs:
    """A folder with the programs of a node, which are replaced as a package manager does it: by other files of the same names."""

    def __init__(self, context):
        self.origin, self.folder = context.server.binaries, context.folder / "programs"
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("apus", "apus-worker", "apus-admin"):
            self.put(name)

    def put(self, name, text=None):
        fresh = self.folder / f"{name}.new"
        if text is None:
            shutil.copy2(self.origin / name, fresh)
        else:
            fresh.write_text(text)
            fresh.chmod(0o755)
        os.replace(fresh, self.folder / name)


def program(process):
    """The file that a process runs; `(deleted)` behind it when another has its name."""
    return os.readlink(f"/proc/{process}/exe")


def is_new(node, programs):
    """Whether supervisor and workers run the files that are there."""
    running = [node.process.pid, *(process for *_, process in processes(node))]
    try:
        return all(not program(process).endswith(" (deleted)") for process in running)
    except FileNotFoundError:
        return False


def redis_process(node):
    return next((row["pid"] for row in node.control("core.ps") if row["role"] == "redis"), None)


def upgraded(crowd, programs, order):
    for name in ("apus", "apus-worker", "apus-admin"):
        programs.put(name)
    check(not is_new(crowd.node, programs), "the old programs can't be told from the new ones")
    order()
    crowd.until(lambda: is_settled(crowd.node) and is_new(crowd.node, programs), 40, "the new programs")


@story("upgrading", "supervisor and workers go on as the programs on the disk, again and again, and no client notices", limit=150,
       suite="cluster")
def upgrading(context):
    programs = Programs(context)
    crowd = Crowd(context, binaries=programs.folder)
    node = crowd.node
    crowd.rest(0.5)
    redis, generations = redis_process(node), node.generations()
    for number in range(UPGRADES):
        # By signal the last time.
        signalled = number == UPGRADES - 1
        upgraded(crowd, programs,
                 lambda: node.process.send_signal(signal.SIGUSR2) if signalled else node.control("upgrade"))
        check(redis_process(node) == redis, "redis-server is another process")
        check(min(node.generations().values()) == min(generations.values()) + number + 1,
              f"generations are {node.generations()}")
    node.control("reload")
    done = crowd.finish()
    context.note(f"{len(done)} operations over {UPGRADES} upgrades")
    failed = [operation for operation in done if operation.status != 200]
    check(not crowd.lost, f"{len(crowd.lost)} connections were lost: {crowd.lost[:5]}")
    check(not failed, f"{len(failed)} of {len(done)} operations failed: {failed[:5]}")
    # What the supervisor holds it still watches over.
    before = node.workers()[1]
    os.kill(before, signal.SIGKILL)
    crowd.group.run(until=lambda: is_settled(node) and node.workers().get(1) not in (None, before), limit=10)
    crowd.group.run(until=crowd.presence.all_up, limit=10)
    crowd.reach_all()
    crowd.close()


@story("upgrading", "programs that can't go on leave the node as it is, and the log says why", limit=60, suite="cluster")
def unfit(context):
    programs = Programs(context)
    crowd = Crowd(context, binaries=programs.folder, users=["r001", "r002"])
    node, before = crowd.node, processes(crowd.node)
    # Whoever asks has a program that works.
    node.binaries = programs.origin
    programs.put("apus", "#!/bin/sh\nexit 7\n")
    try:
        node.control("upgrade")
        check(False, "a program that ends with 7 was taken")
    except AssertionError as error:
        check("run for a trial" in str(error), f"apus ctl says {error}")
    check(processes(node) == before, "workers were replaced")
    programs.put("apus")
    programs.put("apus-worker", "#!/bin/sh\nexit 7\n")
    node.control("upgrade")
    wait_until(lambda: "the node goes on as it is" in node.log.read_text(), 20, "the end of the upgrade")
    check(processes(node) == before, "workers were replaced")
    check(program(node.process.pid).endswith(" (deleted)"), "the supervisor was replaced")
    check(not crowd.lost, f"connections were lost: {crowd.lost}")
    programs.put("apus-worker")
    node.control("upgrade")
    crowd.until(lambda: is_settled(node) and is_new(node, programs), 40, "the new programs")
    crowd.finish()
    crowd.reach_all()
    crowd.close()


@story("upgrading", "the redis-server of a node stays when none is installed any more, and is started again once one is", limit=90,
       suite="cluster")
def without_redis_server(context):
    programs, path = Programs(context), context.folder / "path"
    path.mkdir()
    redis_server = path / "redis-server"
    redis_server.symlink_to(shutil.which("redis-server"))
    crowd = Crowd(context, binaries=programs.folder, users=["r001", "r002"], environment={"PATH": str(path)})
    node = crowd.node
    before = redis_process(node)
    redis_server.unlink()
    upgraded(crowd, programs, lambda: node.control("upgrade"))
    check(redis_process(node) == before, "redis-server is another process")
    os.kill(before, signal.SIGKILL)
    crowd.until(lambda: "there is no redis-server in PATH" in node.log.read_text(), 10, "the complaint")
    redis_server.symlink_to(shutil.which("redis-server"))
    crowd.until(lambda: redis_process(node) not in (None, before), 20, "another redis-server")
    upgraded(crowd, programs, lambda: node.control("upgrade"))
    done = crowd.finish()
    failed = [operation for operation in done if operation.status != 200]
    check(not crowd.lost, f"connections were lost: {crowd.lost}")
    check(not failed, f"{len(failed)} of {len(done)} operations failed: {failed[:5]}")
    crowd.reach_all()
    crowd.close()
