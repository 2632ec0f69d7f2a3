"""When operations begin."""

import random


class Closed:
    """So many at a time: the next begins when one has ended."""

    def __init__(self, operations, concurrency):
        self.operations, self.concurrency, self.is_over = iter(operations), concurrency, False

    def due(self, fleet):
        while not self.is_over and len(fleet.operations) < self.concurrency:
            operation = next(self.operations, None)
            if operation is None:
                self.is_over = True
                return
            yield operation

    def wait(self, fleet):
        return 1


class Open:
    """At a rate, whatever becomes of earlier ones: `make()` gives the next operation, or None to leave one out."""

    def __init__(self, make, rate, duration):
        self.make, self.rate, self.duration = make, rate, duration
        self.next, self.ends, self.skipped = None, None, 0

    @property
    def is_over(self):
        return self.ends is not None and self.next >= self.ends

    def end(self):
        """No more begin from now on."""
        self.ends = self.next

    def due(self, fleet):
        if self.next is None:
            self.next, self.ends = fleet.now, fleet.now + self.duration
        while self.next <= fleet.now and not self.is_over:
            self.next += random.expovariate(self.rate)
            operation = self.make()
            if operation is None:
                self.skipped += 1
            else:
                yield operation

    def wait(self, fleet):
        return 1 if self.is_over else max(0, self.next - fleet.now)
