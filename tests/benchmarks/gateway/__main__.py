"""`make bench`: what FicPay costs and how fast it is, as ratios to what this machine could do at best.

docs/benchmarks.md says what each figure means. `quick` as an argument is `make bench-quick`.
"""

import os
import signal
import sys
import time

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["FICPAY_LOG_LEVEL"] = "ERROR"
if sys.argv[1:] == ["quick"]:
    os.environ.setdefault("SECTIONS", "bare,authorize")
    os.environ.setdefault("CLIENTS", "32")
django.setup()

from tests.benchmarks.gateway import options, plot, tables  # noqa: E402
from tests.benchmarks.gateway.conditions import conditions  # noqa: E402
from tests.benchmarks.gateway.results import Results  # noqa: E402
from tests.benchmarks.gateway.sections import cold, growth, hot_path, overhead, recovery  # noqa: E402
from tests.benchmarks.gateway.stage.scene import postgres  # noqa: E402


def main() -> int:
    chosen = options.chosen()
    began = time.monotonic()
    with postgres():
        results = Results(conditions())
        if set(chosen) & set(hot_path.SECTIONS):
            print("Measuring the hot path ...", flush=True)
            hot_path.measure(results, chosen)
            write(results)
        for name, section in (("overhead", overhead), ("growth", growth), ("recovery", recovery)):
            if name in chosen:
                print(f"Measuring {name} ...", flush=True)
                section.measure(results)
                write(results)
    if "cold" in chosen:
        print("Measuring cold starts ...", flush=True)
        cold.measure(results)
    results.conditions["Took"] = f"{time.monotonic() - began:.0f} s"
    print(f"\n{write(results)}\nresults.json, results.md and results.png are in {options.OUT}.")
    return 0


def write(results: Results) -> str:
    """Keep what there is so far, and return it as a page."""
    page = tables.page(results)
    options.OUT.mkdir(parents=True, exist_ok=True)
    results.write_json(options.OUT / "results.json")
    (options.OUT / "results.md").write_text(page)
    plot.draw(results, options.OUT / "results.png")
    return page


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with it
    sys.exit(main())
