"""`python -m backend` on a clock that runs fast, so that a day of limits fits into minutes. Only what asks for the
time of day sees it: waits, deadlines and the database keep their own time.

    python -m tests.benchmarks.fast_clock 240 serve --port 8000
"""

import sys
import time


def main() -> None:
    speed, began, real_time = float(sys.argv[1]), time.time(), time.time
    time.time = lambda: began + (real_time() - began) * speed  # before anything is imported that keeps the function
    sys.argv = ["backend", *sys.argv[2:]]
    from backend.app.cli import main as command

    command()


if __name__ == "__main__":
    main()
