"""`python -m backend`: see `backend.app.cli`."""

from backend.app.cli import main

if __name__ == "__main__":
    main()
