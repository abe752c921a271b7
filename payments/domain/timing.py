"""Time limits. All are derived here and checked against each other.

A read given up while the bank commits leaves a hold that nobody knows of. So attempts are long and few.
"""

from dataclasses import dataclass
from datetime import timedelta

# Repeated evidence counts only when so far apart: twice within one bad moment is once.
CONTRADICTIONS_APART = timedelta(seconds=30)
NEGATIVE_PROBES_APART = timedelta(minutes=10)
# When an authorize found not executed is probed again, counted from that finding; at a bank with probes.
LATE_LOOKS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=22))
# How many silent attempts of an authorize may carry the card: each may be a hold of its own.
SILENT_ATTEMPTS_WITH_CARD = 2
# How long a merchant's retry gets the stored response; the log of requests is kept as long.
IDEMPOTENCY_KEYS_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Timing:
    """Time limits of one operation, in seconds. Raises ValueError when they do not fit each other."""

    connect: float = 2.0  # a bank that has not accepted the connection by then was not asked
    read: float = 30.0  # FicMart's bank replies within 15 s or never
    attempt: float = 35.0  # hard limit of one attempt, also for a peer that dribbles
    start_window: float = 5.0  # later attempts start only this soon after the intent
    client_wait: float = 20.0  # then the client gets a 202 and the bank thread carries on
    lease_margin: float = 10.0  # for judging and recording an attempt's end
    backoff_base: float = 0.1  # first pause between attempts, doubled each time, full jitter
    backoff_cap: float = 2.0
    due_base: float = 30.0  # how long an operation left in doubt rests, doubled each time
    due_cap: float = 240.0  # so that after an outage every doubt is taken up within minutes
    # An old doubt rests for this part of its age: after a day, an hour.
    rest_of_age: float = 1 / 24
    longest_rest: float = 3600.0

    def __post_init__(self) -> None:
        if not (self.connect > 0 and self.read > 0):
            raise ValueError("The connect and read timeouts must be positive.")
        if not self.connect + self.read < self.attempt:
            raise ValueError("An attempt must last longer than a connect and a read, or it is cut short.")
        if not self.start_window < self.client_wait:
            raise ValueError("The client must wait longer than attempts may start.")
        if not 0 < self.backoff_base <= self.backoff_cap <= self.start_window:
            raise ValueError("A pause between attempts must fit into their start window.")
        if not self.lease_margin > 0:
            raise ValueError("A lease must outlast an attempt, or a second sender could start meanwhile.")
        if not 0 < self.due_base <= self.due_cap <= self.longest_rest:
            raise ValueError("The rests of an operation in doubt must be positive and grow.")
        if not 0 < self.rest_of_age < 1:
            raise ValueError("A rest must be a fraction of the doubt's age.")

    @property
    def health(self) -> float:
        """Hard limit of a health check: the lease must outlast it and the recording."""
        return min(2.0, self.lease_margin / 2)

    @property
    def lease(self) -> float:
        """How long a sender owns an operation; renewed for each attempt."""
        return self.attempt + self.lease_margin

    def pause_after(self, times: int, age: timedelta = timedelta(0)) -> float:
        """Seconds that an operation of this age rests after it was left in doubt `times` times.

        Doubled each time up to some minutes, then by age: about 90 attempts on the first day, then 24 a day.
        """
        doubled = min(self.due_cap, self.due_base * 2.0 ** min(times - 1, 20))
        return max(doubled, min(self.longest_rest, age.total_seconds() * self.rest_of_age))


@dataclass(frozen=True)
class DatabaseTiming:
    """Time limits of a step at the database, in seconds. Raises ValueError when they do not fit each other.

    A connect and a statement together end before the client stops waiting.
    """

    client_wait: float = Timing.client_wait
    connect: float = 3.0  # to each of the host's addresses
    lock: float = 1.0  # how long a statement waits for a locked row
    statement: float = 8.0
    silence: float = 10.0  # then we hang up: a stalled server cannot end a statement itself
    idle_in_transaction: float = 10.0  # no thread sleeps in a transaction
    pool: float = 5.0  # how long a request waits for one of the pool's connections
    keepalive_idle: float = 5.0
    keepalive_interval: float = 2.0
    keepalive_count: int = 3
    unacknowledged: float = 10.0  # TCP user timeout: the peer acknowledges nothing

    def __post_init__(self) -> None:
        if not 0 < self.lock < self.statement < self.silence:
            raise ValueError("The server must time out before we hang up, or it cannot report why.")
        # `localhost` has two addresses.
        if not 0 < self.connect <= self.silence + 2 * self.connect < self.client_wait:
            raise ValueError("A statement and a new connection must end before the client stops waiting.")
        if not 0 < self.pool + self.silence < self.client_wait:
            raise ValueError("A wait for the pool and a statement must end before the client stops waiting.")
        if not 0 < self.idle_in_transaction < self.client_wait:
            raise ValueError("An abandoned transaction must end before the client stops waiting.")
        if not 0 < self.keepalive_idle + self.keepalive_interval * self.keepalive_count < self.client_wait:
            raise ValueError("A dead connection must be found before the client stops waiting.")
        if not 0 < self.unacknowledged < self.client_wait:
            raise ValueError("A dead connection must be found before the client stops waiting.")
