"""Sets up `.venv` with the test tools and runs a benchmark: `python3 scripts/bench.py ask [--rounds 5]`."""

import sys

import _setup

BENCHMARKS = ("ask", "stream", "cached", "day")


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        _setup.fail(f"Name a benchmark: python3 scripts/bench.py {'|'.join(BENCHMARKS)}")
    _setup.prepare(tests=True)
    _setup.run(["-m", f"tests.benchmarks.{sys.argv[1]}", *sys.argv[2:]])


if __name__ == "__main__":
    main()
