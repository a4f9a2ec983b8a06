"""`python -m backend`: see `backend.app.cli`."""

import sys

if __name__ == "__main__":
    try:
        from backend.app.cli import main

        main()
    except KeyboardInterrupt:  # also while modules are being loaded
        sys.exit(130)
