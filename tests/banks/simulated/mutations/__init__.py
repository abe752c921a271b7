"""Ways to break the simulated bank, at least one for each test of its contract.

A mutation replaces text in a copy of the bank's sources; where that text is no longer found exactly once,
the mutation is an error, not a success. `python -m tests.banks.simulated.mutants` runs them all.
"""

from tests.banks.simulated.mutations.database_down import DATABASE_DOWN
from tests.banks.simulated.mutations.endpoints import ENDPOINTS
from tests.banks.simulated.mutations.errors import ERRORS
from tests.banks.simulated.mutations.hang_ups import HANG_UPS
from tests.banks.simulated.mutations.idempotency import IDEMPOTENCY
from tests.banks.simulated.mutations.overlap import OVERLAP
from tests.banks.simulated.mutations.state import STATE
from tests.banks.simulated.mutations.statement import STATEMENT
from tests.banks.simulated.mutations.weather import WEATHER

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
