"""Sets up `.venv` and starts the backend: `python3 scripts/run.py [--port 8000] [--host 127.0.0.1]`."""

import argparse

import _setup


def main() -> None:
    parser = argparse.ArgumentParser(description="Set up the virtual environment and start the backend.")
    parser.add_argument("--port", help="port to listen on (default: the setting PORT, or 8000)")
    parser.add_argument("--host", help="address to listen on (default: the setting HOST, or 127.0.0.1)")
    options = parser.parse_args()
    _setup.prepare()
    arguments = ["-m", "backend", "serve"]
    for name, value in (("--port", options.port), ("--host", options.host)):
        arguments += [name, value] if value is not None else []
    _setup.run(arguments)


if __name__ == "__main__":
    main()
