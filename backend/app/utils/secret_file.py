"""The signing key of a development machine: made once, kept beside the data, readable by its owner only.

Knows a file, not what the key signs. Production never comes here: it must be given its key.
"""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from backend.app.errors import ConfigurationError
from backend.app.utils.setting_checks import check_secret_key

FILE_NAME = "secret_key"


def new_secret() -> SecretStr:
    """A fresh random key of 64 characters."""
    return SecretStr(secrets.token_urlsafe(48))


def read_or_create_secret(data_dir: Path) -> SecretStr:
    """The key in `data_dir`/secret_key; processes that start together end up with the same one.

    Raises:
        ConfigurationError: the folder cannot be written, or the file holds something else.
    """
    path = data_dir / FILE_NAME
    try:
        if not path.exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            _create(path)
        return check_secret_key(SecretStr(path.read_text("ascii").strip()))
    except OSError as error:
        problem = f"DATA_DIR cannot be used: {error.strerror or 'error'}. Choose a folder this user may write to."
    except ValueError:
        problem = "The generated key DATA_DIR/secret_key is damaged. Delete it (logins end), or set SECRET_KEY."
    raise ConfigurationError([problem])


def _create(path: Path) -> None:
    """Write a whole new file beside `path` and link it there: atomic, and the first of several processes wins."""
    draft = path.with_name(f"{FILE_NAME}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(new_secret().get_secret_value())
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its key counts
    except OSError:  # a file system without hard links
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
