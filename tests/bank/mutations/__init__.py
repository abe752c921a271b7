"""Ways to break the simulated bank, at least one for each test of its contract.

A mutation replaces text in a copy of the bank's sources; where that text is no longer found exactly once,
the mutation is an error, not a success. `python -m tests.bank.mutants` runs them all.
"""

from tests.bank.mutations.database_down import DATABASE_DOWN
from tests.bank.mutations.endpoints import ENDPOINTS
from tests.bank.mutations.errors import ERRORS
from tests.bank.mutations.hang_ups import HANG_UPS
from tests.bank.mutations.idempotency import IDEMPOTENCY
from tests.bank.mutations.overlap import OVERLAP
from tests.bank.mutations.state import STATE
from tests.bank.mutations.statement import STATEMENT
from tests.bank.mutations.weather import WEATHER

MUTATIONS = (
    *ENDPOINTS,
    *ERRORS,
    *DATABASE_DOWN,
    *STATE,
    *IDEMPOTENCY,
    *OVERLAP,
    *HANG_UPS,
    *WEATHER,
    *STATEMENT,
)
