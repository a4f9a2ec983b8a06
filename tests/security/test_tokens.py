"""No token is accepted but ours: forged signatures, other algorithms, header tricks, wrong claims, wrong times."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from backend.app.errors import ConfigurationError, InvalidToken
from backend.app.utils.auth import TokenClaims, TokenSigner

SECRET = "a secret of the test suite, long enough"
NOW = 1_800_000_000
WEEK_MIN = 7 * 24 * 60
HEADER = {"alg": "HS256", "typ": "JWT"}
CLAIMS: dict[str, Any] = {"sub": "7", "exp": NOW + 3600, "iat": NOW, "typ": "access", "ver": 3}
DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def signer(at: float = NOW, *, secret: str = SECRET) -> TokenSigner:
    return TokenSigner(secret, WEEK_MIN, clock=lambda: at)


def b64(data: bytes | str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed(
    header: str | dict[str, Any] = HEADER,
    claims: str | bytes | dict[str, Any] | list[Any] = CLAIMS,
    *,
    secret: str | bytes = SECRET,
    digest: str = "HS256",
) -> str:
    """A token made without the code under test; text is signed as it stands."""
    head = header if isinstance(header, str) else json.dumps(header)
    body = claims if isinstance(claims, str | bytes) else json.dumps(claims)
    signing_input = f"{b64(head)}.{b64(body)}"
    key = secret.encode() if isinstance(secret, str) else secret
    return f"{signing_input}.{b64(hmac.digest(key, signing_input.encode(), DIGESTS[digest]))}"


def test_the_helper_makes_tokens_that_are_accepted() -> None:
    assert signer().verify(signed()) == TokenClaims(7, 3)


def test_an_issued_token_says_whose_it_is_and_for_how_long() -> None:
    token = signer().issue(42, 5)
    claims = json.loads(unb64(token.split(".")[1]))
    assert claims == {"sub": "42", "exp": NOW + WEEK_MIN * 60, "iat": NOW, "typ": "access", "ver": 5}
    assert signer().verify(token) == TokenClaims(42, 5)


def _unsigned(alg: object) -> str:
    return f"{b64(json.dumps({'alg': alg, 'typ': 'JWT'}))}.{b64(json.dumps(CLAIMS))}."


def _asymmetric(alg: str) -> str:
    signing_input = f"{b64(json.dumps({'alg': alg, 'typ': 'JWT'}))}.{b64(json.dumps(CLAIMS))}"
    if alg.startswith("RS"):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        signature = key.sign(signing_input.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = ec.generate_private_key(ec.SECP256R1()).sign(signing_input.encode(), ec.ECDSA(hashes.SHA256()))
    return f"{signing_input}.{b64(signature)}"


def _public_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _reencoded() -> str:
    head, _, signature = signed().split(".")
    return f"{head}.{b64(json.dumps(CLAIMS | {'sub': '8'}))}.{signature}"


def _parts() -> list[str]:
    return signed().split(".")


GOOD = signed()
HEAD, BODY, SIGNATURE = _parts()
FORGED: dict[str, str | Callable[[], str]] = {
    "alg none": _unsigned("none"),
    "alg None": _unsigned("None"),
    "alg NONE": _unsigned("NONE"),
    "alg nOnE": _unsigned("nOnE"),
    "alg empty": _unsigned(""),
    "alg null": _unsigned(None),
    "alg a list": _unsigned(["HS256"]),
    "alg an object": _unsigned({"HS256": 1}),
    "alg none with our signature": signed({"alg": "none", "typ": "JWT"}),
    "no alg": signed({"typ": "JWT"}),
    "HS384 with our key": signed({"alg": "HS384", "typ": "JWT"}, digest="HS384"),
    "HS512 with our key": signed({"alg": "HS512", "typ": "JWT"}, digest="HS512"),
    "says HS512, signed with HS256": signed({"alg": "HS512", "typ": "JWT"}),
    "says HS256, signed with HS512": signed(digest="HS512"),
    "hs256 in lower case": signed({"alg": "hs256", "typ": "JWT"}),
    "RS256": lambda: _asymmetric("RS256"),
    "ES256": lambda: _asymmetric("ES256"),
    "says RS256, signed with our key": signed({"alg": "RS256", "typ": "JWT"}),
    "a public key as the key": lambda: signed(secret=_public_key()),
    "another key": signed(secret="another secret, just as long as ours"),
    "an empty key": signed(secret=""),
    "our key without its last letter": signed(secret=SECRET[:-1]),
    "our key in base64": signed(secret=b64(SECRET)),
    "jwk in the header": signed(HEADER | {"jwk": {"kty": "oct", "k": b64("x" * 32)}}, secret="x" * 32),
    "jwk in the header, our key": signed(HEADER | {"jwk": {"kty": "oct", "k": b64(SECRET)}}),
    "jku": signed(HEADER | {"jku": "https://example.com/keys"}),
    "x5u": signed(HEADER | {"x5u": "https://example.com/cert"}),
    "x5c": signed(HEADER | {"x5c": ["MIIB"]}),
    "kid": signed(HEADER | {"kid": "../../dev/null"}),
    "kid, empty key": signed(HEADER | {"kid": "/dev/null"}, secret=""),
    "crit": signed(HEADER | {"crit": ["exp"]}),
    "crit empty": signed(HEADER | {"crit": []}),
    "crit b64": signed(HEADER | {"crit": ["b64"], "b64": False}),
    "zip": signed(HEADER | {"zip": "DEF"}),
    "cty": signed(HEADER | {"cty": "JWT"}),
    "typ of another kind": signed({"alg": "HS256", "typ": "at+jwt"}),
    "no typ": signed({"alg": "HS256"}),
    "alg twice": signed('{"alg":"HS256","typ":"JWT","alg":"none"}'),
    "header a list": signed('["alg","HS256","typ","JWT"]'),
    "header a string": signed('"HS256 and some more text"'),
    "header no JSON": signed("alg=HS256;typ=JWT;and more"),
    "encrypted, five parts": ".".join([b64('{"alg":"dir","enc":"A256GCM"}'), "", "AAAA", BODY, SIGNATURE]),
    "our parts and two more": f"{GOOD}.AAAA.AAAA",
    "four parts": f"{HEAD}.{BODY}.{BODY}.{SIGNATURE}",
    "nested": signed(HEADER, GOOD),
    "no signature": f"{HEAD}.{BODY}.",
    "no third part": f"{HEAD}.{BODY}",
    "only dots": "..",
    "empty": "",
    "other claims, our signature": _reencoded,
    "first letter of the signature changed": f"{HEAD}.{BODY}.{'A' if SIGNATURE[0] != 'A' else 'B'}{SIGNATURE[1:]}",
    "spare bits of the signature set": GOOD[:-1] + chr(ord(GOOD[-1]) + 1),
    "signature cut": GOOD[:-4],
    "signature padded": f"{GOOD}=",
    "ignored characters in the signature": f"{HEAD}.{BODY}.!{SIGNATURE}",
    "ignored characters in the claims": f"{HEAD}.!{BODY}.{SIGNATURE}",
    "a space before": f" {GOOD}",
    "a line break after": f"{GOOD}\n",
    "twice": GOOD + GOOD,
    "two with a comma": f"{GOOD},{GOOD}",
    "quoted": f'"{GOOD}"',
    "not ASCII": GOOD.replace("e", "е", 1),
    "a lone surrogate": f"{GOOD}\ud800",
    "a NUL": f"{GOOD}\0",
    "64 KB of letters": "A" * 65_536,
    "64 KB in three parts": f"{HEAD}.{'A' * 65_536}.{SIGNATURE}",
    "64 KB of dots": "." * 65_536,
    "64 KB, signed": lambda: signed(claims=CLAIMS | {"pad": "A" * 65_536}),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_refused(forged: str | Callable[[], str]) -> None:
    token = forged if isinstance(forged, str) else forged()
    with pytest.raises(InvalidToken):
        signer().verify(token)


def _without(name: str) -> dict[str, Any]:
    return {claim: value for claim, value in CLAIMS.items() if claim != name}


WRONG_SUBJECTS: list[object] = [
    7, 7.0, None, True, "", " ", "0", "-7", "+7", "07", "7 ", " 7", "7\n", "7.0", "1e3", "0x7", "1_000", "١", "７",
    "seven", "7;8", [7], ["7"], {"id": 7}, "2147483648", "9" * 11, "1" + "0" * 30, "7\u0000",
]  # fmt: skip
WRONG_EXPIRIES: list[object] = [
    None, "", str(NOW + 3600), NOW + 3600.5, 1e20, 10**20, 10**300, True, [NOW], -1, 0, NOW - 1, NOW,
    NOW + 400 * 86_400, 2**63,
]  # fmt: skip
WRONG_VALUES: dict[str, list[object]] = {
    "sub": WRONG_SUBJECTS,
    "exp": WRONG_EXPIRIES,
    "iat": [None, "", str(NOW), NOW + 0.5, 1e20, 10**20, True, -1, 0, NOW + 31, NOW + 7200],
    "typ": [None, "", "refresh", "ACCESS", "access ", 1, True, ["access"], {"access": 1}],
    "ver": [None, "3", 3.0, -1, True, [3], 2**31, 10**30],
}
WRONG_CLAIMS: dict[str, str | bytes | dict[str, Any] | list[Any]] = {
    **{f"no {name}": _without(name) for name in CLAIMS},
    **{f"{name} {value!r}": CLAIMS | {name: value} for name in WRONG_VALUES for value in WRONG_VALUES[name]},
    "nbf in the future": CLAIMS | {"nbf": NOW + 600},
    "another issuer": CLAIMS | {"iss": "https://example.com"},
    "another audience": CLAIMS | {"aud": "somebody else"},
    "a role": CLAIMS | {"role": "admin"},
    "sub twice": json.dumps(CLAIMS)[:-1] + ', "sub": "8"}',
    "exp twice": json.dumps(CLAIMS)[:-1] + f', "exp": {NOW + 7200}}}',
    "exp NaN": json.dumps(CLAIMS | {"exp": float("nan")}),
    "exp Infinity": json.dumps(CLAIMS | {"exp": float("inf")}),
    "exp of 5,000 digits": json.dumps(CLAIMS)[:-1] + ', "exp": ' + "9" * 5000 + "}",
    "a list": list(CLAIMS.values()),
    "a string": json.dumps("some text that is long enough"),
    "null": "null" + " " * 20,
    "no JSON": "sub=7&exp=1900000000",
    "not UTF-8": b"\xff\xfe" * 20,
    "deep": "[" * 150 + "]" * 150,
    "empty object": "{}" + " " * 20,
}


@pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
def test_wrong_claims_are_refused_even_with_our_own_signature(claims: str | bytes | dict[str, Any]) -> None:
    token = signed(claims=claims)
    with pytest.raises(InvalidToken):
        signer().verify(token)


def test_the_tables_are_as_large_as_promised() -> None:
    assert len(FORGED) >= 40
    assert len(WRONG_CLAIMS) >= 30


@pytest.mark.parametrize(("seconds", "valid"), [(-1, True), (-0.5, True), (0, False), (0.5, False), (1, False)])
def test_a_token_dies_at_the_second_it_says(seconds: float, valid: bool) -> None:
    token = signer().issue(7, 0)
    later = signer(NOW + WEEK_MIN * 60 + seconds)
    if valid:
        assert later.verify(token).user_id == 7
    else:
        with pytest.raises(InvalidToken):
            later.verify(token)


@pytest.mark.parametrize(("behind_s", "valid"), [(1, True), (30, True), (31, False), (120, False)])
def test_a_clock_up_to_thirty_seconds_behind_accepts_a_fresh_token(behind_s: int, valid: bool) -> None:
    token = signer().issue(7, 0)
    if valid:
        assert signer(NOW - behind_s).verify(token).user_id == 7
    else:
        with pytest.raises(InvalidToken):
            signer(NOW - behind_s).verify(token)


def test_ids_at_the_edges_of_the_column_survive() -> None:
    for user_id in (1, 9, 10, 2_147_483_647):
        assert signer().verify(signer().issue(user_id, 2_147_483_647)).user_id == user_id


@pytest.mark.parametrize("secret", ["", "short", "x" * 31, "ا" * 15])
def test_a_short_key_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        signer(secret=secret)
    assert "32 bytes" in refused.value.problems[0]


def test_a_certificate_is_no_key() -> None:
    pem = _public_key().decode()
    with pytest.raises(ConfigurationError) as refused:
        signer(secret=pem)
    assert pem[30:60] not in str(refused.value)


@pytest.mark.parametrize("minutes", [0, -1, 525_601])
def test_an_impossible_lifetime_is_refused_at_the_start(minutes: int) -> None:
    with pytest.raises(ConfigurationError):
        TokenSigner(SECRET, minutes)


def test_a_key_that_looks_like_a_key_set_is_only_a_key() -> None:
    key_set = json.dumps({"keys": [{"kty": "oct", "k": b64("chosen by somebody else, 32 bytes!")}]})
    with pytest.raises(InvalidToken):
        signer(secret=key_set).verify(signed(secret="chosen by somebody else, 32 bytes!"))
    assert signer(secret=key_set).verify(signed(secret=key_set)).user_id == 7
