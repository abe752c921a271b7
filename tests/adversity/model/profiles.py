"""How many lives there are, and how long: `$HYPOTHESIS_PROFILE` is `ci` or `long`."""

import os

from hypothesis import HealthCheck, Phase, settings

_ALWAYS = settings(
    deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False, print_blob=False
)
_LIVES = {"ci": 3, "long": int(os.environ.get("MODEL_LIVES", "300"))}


def profile(steps: int = 22) -> settings:
    """With so many steps in a life; the long ones have twice as many."""
    name = os.environ.get("HYPOTHESIS_PROFILE", "ci")
    if name == "long":
        return settings(_ALWAYS, max_examples=_LIVES[name], stateful_step_count=2 * steps)
    return settings(
        _ALWAYS,
        max_examples=_LIVES[name],
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
    )
