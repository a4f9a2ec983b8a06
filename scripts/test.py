"""Sets up `.venv` with the test tools and runs the tests: `python3 scripts/test.py [pytest arguments]`."""

import sys

import _setup


def main() -> None:
    _setup.prepare(tests=True)
    _setup.run(["-m", "pytest", *sys.argv[1:]])


if __name__ == "__main__":
    main()
