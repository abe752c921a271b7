"""The bank's database: an append-only ledger and the stored answers.

The ledger's rules are unique indexes, so they hold whatever the idempotency keys: one capture or void per
authorization, one refund per capture. All methods block. The server runs them on one dedicated thread, so
each method is a step that cannot interleave with others.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from bank.clock import HOUR
from bank.ficmart.answers import Refused
from bank.ficmart.cards import ISSUED, Card
from bank.ficmart.entries import Balance, Entry, Kind

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('AUTH_HOLD', 'CAPTURE', 'VOID', 'REFUND')),
    id TEXT NOT NULL UNIQUE,
    reference_id TEXT REFERENCES entries (id),
    card_last4 TEXT NOT NULL,
    amount_cents INTEGER NOT NULL CHECK (amount_cents >= 1),
    idempotency_key TEXT NOT NULL,
    created_at_ns INTEGER NOT NULL,
    expires_at_ns INTEGER,
    CHECK ((kind = 'AUTH_HOLD') = (reference_id IS NULL)),
    CHECK ((kind = 'AUTH_HOLD') = (expires_at_ns IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_capture_or_void_per_hold
    ON entries (reference_id) WHERE kind IN ('CAPTURE', 'VOID');
CREATE UNIQUE INDEX IF NOT EXISTS one_refund_per_capture
    ON entries (reference_id) WHERE kind = 'REFUND';
CREATE INDEX IF NOT EXISTS money_by_card ON entries (card_last4, kind, amount_cents);
CREATE TRIGGER IF NOT EXISTS entries_are_never_changed
    BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS entries_are_never_deleted
    BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TABLE IF NOT EXISTS stored_answers (
    idempotency_key TEXT NOT NULL,
    path TEXT NOT NULL,
    body BLOB NOT NULL,
    stored_at_ns INTEGER NOT NULL,
    PRIMARY KEY (idempotency_key, path)
) STRICT;
CREATE TABLE IF NOT EXISTS moved_clock (offset_ns INTEGER NOT NULL) STRICT;
"""
INSERT = "INSERT INTO entries VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)"
ALL = "SELECT * FROM entries ORDER BY sequence"
BY_ID = "SELECT * FROM entries WHERE kind = ? AND id = ?"
USE_OF_HOLD = "SELECT * FROM entries WHERE kind IN ('CAPTURE', 'VOID') AND reference_id = ?"
REFUND_OF_CAPTURE = "SELECT * FROM entries WHERE kind = 'REFUND' AND reference_id = ?"


class LedgerUnusable(Exception):
    """The ledger does not exist or cannot be opened. The message says which and why."""


class Ledger:
    """One SQLite file. It survives a killed process (WAL); `synchronous=NORMAL` saves an fsync each."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _open(path)
        except (OSError, sqlite3.Error) as error:
            raise LedgerUnusable(f"Cannot open the ledger in {path}: {error}.") from None
        self._purged_at = 0

    def close(self) -> None:
        self._connection.close()

    # Instructions. Each commits one statement, or raises Refused and changes nothing.

    def place_hold(self, card: Card, amount_cents: int, *, key: str, now: int, expires_at: int) -> Entry:
        """Block the cardholder's funds. Expired holds count, too: only a void releases their funds."""
        if self.balance(card).available < amount_cents:
            raise Refused("insufficient_funds")
        hold = Entry(Kind.HOLD, str(uuid4()), None, card.last4, amount_cents, key, now, expires_at)
        return self._append(hold)

    def capture(self, hold_id: str, amount_cents: int, *, key: str, now: int) -> Entry:
        """Take a hold's money. This is the only instruction that fails if the hold has expired."""
        hold = self._unused_hold(hold_id)
        if hold.expires_at_ns is not None and now >= hold.expires_at_ns:
            raise Refused("authorization_expired")
        if amount_cents != hold.amount_cents:
            raise Refused("amount_mismatch")
        return self._append_to(hold, Kind.CAPTURE, key=key, now=now)

    def void(self, hold_id: str, *, key: str, now: int) -> Entry:
        """Release a hold's funds, even if it has expired."""
        return self._append_to(self._unused_hold(hold_id), Kind.VOID, key=key, now=now)

    def refund(self, capture_id: str, amount_cents: int, *, key: str, now: int) -> Entry:
        """Give a capture's money back."""
        capture = self.entry(Kind.CAPTURE, capture_id)
        if capture is None:
            raise Refused("capture_not_found")
        if self._exists(REFUND_OF_CAPTURE, capture.id):
            raise Refused("already_refunded")
        if amount_cents != capture.amount_cents:
            raise Refused("amount_mismatch")
        return self._append_to(capture, Kind.REFUND, key=key, now=now)

    # Reads.

    def entry(self, kind: Kind, entry_id: str) -> Entry | None:
        return next(self._entries(BY_ID, kind, entry_id), None)

    def entries(self) -> list[Entry]:
        return list(self._entries(ALL))

    def balance(self, card: Card) -> Balance:
        """Captures reduce the total and refunds add to it. Holds block money until captured or voided."""
        by_kind = dict.fromkeys(Kind, 0) | dict(
            self._connection.execute(
                "SELECT kind, SUM(amount_cents) FROM entries WHERE card_last4 = ? GROUP BY kind",
                (card.last4,),
            ).fetchall()
        )
        return Balance(
            total=card.balance_cents - by_kind[Kind.CAPTURE] + by_kind[Kind.REFUND],
            held=by_kind[Kind.HOLD] - by_kind[Kind.CAPTURE] - by_kind[Kind.VOID],
        )

    def balances(self) -> dict[str, Balance]:
        return {card.last4: self.balance(card) for card in ISSUED.values()}

    # Stored answers.

    def stored_answer(self, key: str, path: str, *, now: int) -> bytes | None:
        """The answer stored under this key and path, unless the hourly purge has deleted it."""
        self._purge(now)
        row = self._connection.execute(
            "SELECT body FROM stored_answers WHERE idempotency_key = ? AND path = ?", (key, path)
        ).fetchone()
        return bytes(row[0]) if row else None

    def store_answer(self, key: str, path: str, body: bytes, *, now: int) -> None:
        """Store a 2xx answer. If overlapping requests with one key have several, the first one is kept."""
        self._connection.execute(
            "INSERT OR IGNORE INTO stored_answers VALUES (?, ?, ?, ?)", (key, path, body, now)
        )

    def _purge(self, now: int) -> None:
        """At every full hour, delete answers older than 24 hours, so each is kept for 24 to 25 hours."""
        full_hour = now - now % HOUR
        if full_hour != self._purged_at:
            self._connection.execute(
                "DELETE FROM stored_answers WHERE stored_at_ns <= ?", (full_hour - 24 * HOUR,)
            )
            self._purged_at = full_hour

    # For the control plane only.

    def clock_offset(self) -> int:
        row = self._connection.execute("SELECT offset_ns FROM moved_clock").fetchone()
        return int(row[0]) if row else 0

    def remember_clock_offset(self, offset_ns: int) -> None:
        """Keep the offset, so that a restarted bank does not go back in time."""
        self._connection.execute("DELETE FROM moved_clock")
        self._connection.execute("INSERT INTO moved_clock VALUES (?)", (offset_ns,))

    def erase(self) -> None:
        """Delete everything."""
        self._connection.executescript(
            f"BEGIN; DROP TABLE entries; DROP TABLE stored_answers; DROP TABLE moved_clock; {SCHEMA} COMMIT;"
        )

    # Internals.

    def _unused_hold(self, hold_id: str) -> Entry:
        hold = self.entry(Kind.HOLD, hold_id)
        if hold is None:
            raise Refused("authorization_not_found")
        if self._exists(USE_OF_HOLD, hold.id):
            raise Refused("authorization_already_used")
        return hold

    def _append_to(self, earlier: Entry, kind: Kind, *, key: str, now: int) -> Entry:
        entry = Entry(kind, str(uuid4()), earlier.id, earlier.card_last4, earlier.amount_cents, key, now)
        return self._append(entry)

    def _append(self, entry: Entry) -> Entry:
        self._connection.execute(
            INSERT,
            (
                entry.kind,
                entry.id,
                entry.reference_id,
                entry.card_last4,
                entry.amount_cents,
                entry.idempotency_key,
                entry.created_at_ns,
                entry.expires_at_ns,
            ),
        )
        return entry

    def _exists(self, query: str, reference_id: str) -> bool:
        return next(self._entries(query, reference_id), None) is not None

    def _entries(self, query: str, *values: str) -> Iterator[Entry]:
        for _sequence, kind, *rest in self._connection.execute(query, values):
            yield Entry(Kind(kind), *rest)


def _open(path: Path) -> sqlite3.Connection:
    """The thread that starts the bank opens the connection; after that only the ledger's thread uses it."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(SCHEMA)
    return connection
