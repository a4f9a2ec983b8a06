"""Accounts as the API shows them, and what is asked of an e-mail address and of a password."""

import unicodedata
from typing import Annotated, Any, Literal

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from backend.app.models.domain import Hardware, Level, Reader
from backend.app.models.text import SafeText, TrimmedText
from backend.app.utils.auth import is_common_password

MIN_PASSWORD_CHARACTERS = 8  # OWASP ASVS 5.0, 6.2.1
MAX_PASSWORD_CHARACTERS = 128  # at most 512 bytes; ASVS 6.2.9 asks for 64 or more
_MAX_EMAIL_CHARACTERS = 255


def normalise_email(text: str) -> str:
    """One spelling for each address: compatibility forms composed, the domain in lower case and in Unicode.

    The local part keeps its case where it is ASCII (the database compares without case) and is case-folded
    where it is not (the database's lower() need not know those letters). Nothing is looked up in DNS.
    Raises ValueError.
    """
    candidate = unicodedata.normalize("NFKC", text.strip())
    try:
        address = validate_email(candidate, check_deliverability=False)
    except EmailNotValidError:
        raise ValueError("Not a valid e-mail address.") from None
    local = address.local_part
    if not local.isascii():
        local = unicodedata.normalize("NFKC", local.casefold())
    email = f"{local}@{address.domain.lower()}"
    if len(email) > _MAX_EMAIL_CHARACTERS:
        raise ValueError(f"Use an e-mail address of at most {_MAX_EMAIL_CHARACTERS} characters.")
    return email


def password_weakness(password: str, email: str) -> str | None:
    """Why this reader may not use this password; None when it is fine. No rule asks for kinds of characters."""
    if len(password) < MIN_PASSWORD_CHARACTERS:
        return f"Use at least {MIN_PASSWORD_CHARACTERS} characters."
    if len(password) > MAX_PASSWORD_CHARACTERS:
        return f"Use at most {MAX_PASSWORD_CHARACTERS} characters."
    if is_common_password(password):
        return "Choose a less common password: this one is among the first that attackers try."
    own_names = {email.casefold(), email.rpartition("@")[0].casefold()}
    if unicodedata.normalize("NFKC", password).casefold() in own_names:
        return "Choose a password that is not your e-mail address."
    return None


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


Email = Annotated[SafeText, Field(max_length=320), AfterValidator(normalise_email)]
TypedPassword = Annotated[SafeText, Field(max_length=512, repr=False)]
NewPassword = Annotated[
    SafeText,
    Field(
        repr=False,
        description="Any script, taken exactly as typed.",
        json_schema_extra={"minLength": MIN_PASSWORD_CHARACTERS, "maxLength": MAX_PASSWORD_CHARACTERS},
    ),
]
Name = Annotated[TrimmedText, Field(max_length=255)]
ProgrammingLevel = Annotated[Level, BeforeValidator(_lower)]
OwnedHardware = Annotated[Hardware, BeforeValidator(_lower)]


class Signup(BaseModel):
    """A new account. Fields that are not listed here are ignored."""

    email: Email
    password: NewPassword
    name: Name = ""
    programming_level: ProgrammingLevel = "beginner"
    hardware: OwnedHardware = "none"

    @field_validator("password")
    @classmethod
    def _is_strong_enough(cls, password: str, info: ValidationInfo) -> str:
        weakness = password_weakness(password, str(info.data.get("email", "")))
        if weakness:
            raise ValueError(weakness)
        return password


class Login(BaseModel):
    """What login compares."""

    email: Email
    password: TypedPassword


class PasswordChange(BaseModel):
    """The password of now and the one to come; the latter is judged together with the reader's address."""

    current_password: TypedPassword
    new_password: NewPassword


class SettingsChange(BaseModel):
    """What is missing or null stays as it is."""

    name: Name | None = None
    programming_level: ProgrammingLevel | None = None
    hardware: OwnedHardware | None = None


class Profile(BaseModel):
    """What a reader sees of the own account."""

    id: int
    email: str
    name: str
    programming_level: Level
    hardware: Hardware

    @classmethod
    def of(cls, reader: Reader) -> "Profile":
        """From the domain's shape."""
        return cls(**_fields(reader))


class AccessToken(BaseModel):
    """Send it as `Authorization: Bearer <access_token>`."""

    access_token: str = Field(repr=False)
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a scheme


class SignedIn(Profile, AccessToken):
    """A token and whose it is."""

    @classmethod
    def with_token(cls, reader: Reader, token: str) -> "SignedIn":
        """From the domain's shape and a fresh token."""
        return cls(access_token=token, **_fields(reader))


class Message(BaseModel):
    """A sentence for the reader."""

    message: str


def _fields(reader: Reader) -> dict[str, Any]:
    return {
        "id": reader.user_id,
        "email": reader.email,
        "name": reader.name,
        "programming_level": reader.level,
        "hardware": reader.hardware,
    }
