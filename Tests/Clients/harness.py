"""Stories: one function each, named by the sentence that it proves, run one after another against one server."""

import shutil
import signal
import subprocess
import time

import servers
import sip

STORIES = []


class Story:
    def __init__(self, group, sentence, function, limit, suite):
        self.group, self.sentence, self.function, self.limit, self.suite = group, sentence, function, limit, suite


def story(group, sentence, limit=30, suite="clients"):
    """Makes a function a story. `limit`: seconds after which it counts as failed; `suite`: the run that it is part of."""
    def add(function):
        STORIES.append(Story(group, sentence, function, limit, suite))
        return function
    return add


class Skipped(Exception):
    """This host lacks what the story needs; says what."""


class TookTooLong(AssertionError):
    pass


def check(condition, complaint):
    """Fails the story with a sentence."""
    if not condition:
        raise AssertionError(complaint)


def wait_until(condition, timeout, what):
    """Waits until `condition()` is true and returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {timeout} s")
        time.sleep(0.05)


class Context:
    """What a story gets: the server, a folder of its own, and ways to start clients that end with the story."""

    def __init__(self, server, folder, thorough=False):
        self.server, self.folder, self.thorough = server, folder, thorough
        self.started, self.agents, self.servers, self.notes = [], [], [], []
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def start(self, name, command, **options):
        """Starts a client in a process group of its own; its output goes to NAME.log."""
        process = servers.spawn(command, self.folder / f"{name}.log", **{"cwd": self.folder, **options})
        self.started.append(process)
        return process

    def finish(self, process, timeout, what):
        """Waits for the end of a client; its exit code."""
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{what} had not ended after {timeout} s") from None

    def note(self, text):
        """Keeps a figure to be printed below the story."""
        self.notes.append(text)

    def log(self, name):
        try:
            return (self.folder / f"{name}.log").read_text(errors="replace")
        except OSError:
            return ""

    def own_server(self, sections, prepare=None):
        """A server for this story alone, with other sections in its settings: name to YAML; `prepare` gets it first."""
        server = type(self.server)(self.folder / "server", self.server.binaries)
        server.sections = sections
        if prepare:
            prepare(server)
        self.servers.append(server)
        server.start()
        return server

    def agent(self, user, transport="tls", server=None, **options):
        agent = sip.Agent(server or self.server, user, transport, **options)
        self.agents.append(agent)
        return agent

    def registered(self, user, transport="tls", **options):
        agent = self.agent(user, transport, **options)
        agent.register()
        return agent

    def channel(self, transport="tls", **options):
        channel = sip.Channel(self.server, transport, **options)
        self.agents.append(channel)
        return channel

    def clear(self):
        """No user has a binding when a story begins."""
        for user in servers.USERS:
            agent = sip.Agent(self.server, user, "tcp")
            try:
                agent.clear()
            finally:
                agent.close()

    def end(self):
        for agent in self.agents:
            agent.close()
        for server in self.servers:
            server.stop()
        for process in reversed(self.started):
            servers.stop(process, patience=2)


def run(story, context):
    """Runs one story; None when it passed, else the reason."""
    def late(*_):
        raise TookTooLong(f"not done after {story.limit} s")

    server, folder = context.server, context.folder
    signal.signal(signal.SIGALRM, late)
    signal.alarm(story.limit)
    try:
        context.clear()
        story.function(context)
        check(server.process.poll() is None, f"the server ended with exit code {server.process.poll()}")
        return None
    except (AssertionError, OSError, servers.CannotStart) as error:
        return f"{type(error).__name__}: {error}" if not isinstance(error, AssertionError) else str(error)
    except Skipped:
        raise
    except Exception as error:  # a story with a mistake must not end the others
        import traceback
        (folder / "traceback.log").write_text(traceback.format_exc())
        return f"{type(error).__name__}: {error} (traceback.log)"
    finally:
        signal.alarm(0)
        context.end()
