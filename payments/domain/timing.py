"""How long things may take. Every bound is derived here, and they are checked against each other.

A read that is given up while the bank commits is what makes a hold nobody knows of, so attempts are
long and their starts are few.
"""

from dataclasses import dataclass
from datetime import timedelta

# How evidence has to be spaced to count: not two glimpses of one bad moment.
CONTRADICTIONS_APART = timedelta(seconds=30)
NEGATIVE_PROBES_APART = timedelta(minutes=10)
# When an authorize that was found not executed is probed again, from that moment on, at a bank that can be.
LATE_LOOKS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=22))
# How many attempts of an authorize may carry the card and stay silent: each may be a hold of its own.
SILENT_ATTEMPTS_WITH_CARD = 2
# How long a merchant's retry finds the first request's answer; what was asked and answered is kept as long.
IDEMPOTENCY_KEYS_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Timing:
    """Bounds of one operation, in seconds. Raises ValueError when they do not fit each other."""

    connect: float = 2.0  # a bank that does not pick up within this has not been asked
    read: float = 30.0  # the real bank answers within 15 s or never
    attempt: float = 35.0  # hard bound of one attempt, held against peers that dribble
    start_window: float = 5.0  # later attempts start only this soon after the intent
    client_wait: float = 20.0  # then the client is told 202 and the bank thread carries on
    lease_margin: float = 10.0  # what an attempt's end may take to be judged and recorded
    backoff_base: float = 0.1  # first pause between attempts, doubled each time, full jitter
    backoff_cap: float = 2.0
    due_base: float = 30.0  # how long an operation left in doubt rests, doubled each time
    due_cap: float = 240.0  # after an outage everything is asked about within minutes
    # What is still in doubt then has outlived every outage so far: a day old, it rests for an hour.
    rest_of_age: float = 1 / 24
    longest_rest: float = 3600.0

    def __post_init__(self) -> None:
        if not (self.connect > 0 and self.read > 0):
            raise ValueError("Waiting for a bank takes time.")
        if not self.connect + self.read < self.attempt:
            raise ValueError("An attempt must outlast a connect and a read, or it would be cut short.")
        if not self.start_window < self.client_wait:
            raise ValueError("The client must wait longer than attempts may start.")
        if not 0 < self.backoff_base <= self.backoff_cap <= self.start_window:
            raise ValueError("A pause between attempts must fit into the time in which they may start.")
        if not self.lease_margin > 0:
            raise ValueError("A lease must outlast an attempt, or a second sender could start beside it.")
        if not 0 < self.due_base <= self.due_cap <= self.longest_rest:
            raise ValueError("An operation in doubt must rest before it is asked about again.")
        if not 0 < self.rest_of_age < 1:
            raise ValueError("A rest must be a part of the time for which the doubt has lasted.")

    @property
    def health(self) -> float:
        """Hard bound of asking a bank for its health: the lease must outlast it and the record, too."""
        return min(2.0, self.lease_margin / 2)

    @property
    def lease(self) -> float:
        """How long a sender owns an operation; renewed for each attempt."""
        return self.attempt + self.lease_margin

    def pause_after(self, times: int, age: timedelta = timedelta(0)) -> float:
        """How long an operation of that age rests that has been left in doubt so many times.

        Doubled each time up to some minutes, then by its age: about 90 attempts on the first day, 24 on each
        later one.
        """
        doubled = min(self.due_cap, self.due_base * 2.0 ** min(times - 1, 20))
        return max(doubled, min(self.longest_rest, age.total_seconds() * self.rest_of_age))


@dataclass(frozen=True)
class DatabaseTiming:
    """How long one step at the database may take, in seconds. Raises ValueError when they do not fit.

    Together they end before a client's patience does: a connection is made, a statement is sent, and what
    has not answered by then is given up.
    """

    client_wait: float = Timing.client_wait
    connect: float = 3.0  # to each of the host's addresses
    lock: float = 1.0  # a statement waits this long for a row that somebody else has locked
    statement: float = 8.0
    silence: float = 10.0  # a server that stands still cannot end a statement itself: we hang up
    idle_in_transaction: float = 10.0  # nobody's thread sleeps in a transaction
    pool: float = 5.0  # what a request waits for one of the pool's connections
    keepalive_idle: float = 5.0
    keepalive_interval: float = 2.0
    keepalive_count: int = 3
    unacknowledged: float = 10.0  # a peer that takes nothing any more

    def __post_init__(self) -> None:
        if not 0 < self.lock < self.statement < self.silence:
            raise ValueError("The server must have the time to say why it gives a statement up.")
        # `localhost` has two addresses.
        if not 0 < self.connect <= self.silence + 2 * self.connect < self.client_wait:
            raise ValueError("A statement and a new connection must end before the client's patience does.")
        if not 0 < self.pool + self.silence < self.client_wait:
            raise ValueError("A wait for the pool and a statement must end before a client's patience.")
        if not 0 < self.idle_in_transaction < self.client_wait:
            raise ValueError("A transaction that nobody goes on with must end before a client's patience.")
        if not 0 < self.keepalive_idle + self.keepalive_interval * self.keepalive_count < self.client_wait:
            raise ValueError("A dead connection must be found before the client's patience ends.")
        if not 0 < self.unacknowledged < self.client_wait:
            raise ValueError("A dead connection must be found before the client's patience ends.")
