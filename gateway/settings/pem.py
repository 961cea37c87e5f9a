"""Public keys in PEM: what is wrong with one, and whether it is one for an algorithm."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_EDWARDS = ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
_KINDS = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | _EDWARDS
_RSA_BITS = 2048


def fault_of(pem: str) -> str | None:
    """What is wrong with it, as the end of a sentence; ``None``: it is a public key that can be used."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return "is not a PEM public key; ${file:/path/key.pem} reads one from a file"
    if not isinstance(key, _KINDS):
        return "must be an RSA, an EC or an Ed25519 key"
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _RSA_BITS:
        return f"must have at least {_RSA_BITS} bits"  # RFC 7518, 3.3
    return None


def mismatch(algorithm: str, pem: str) -> str | None:
    """Why a key that can be used cannot be used for ``algorithm``."""
    key = load_pem_public_key(pem.encode())
    if algorithm in _CURVES:
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == _CURVES[algorithm]:
            return None
        return f"{algorithm} needs an EC key on {_CURVES[algorithm]}"
    if algorithm == "EdDSA":
        return None if isinstance(key, _EDWARDS) else "EdDSA needs an Ed25519 or Ed448 key"
    return None if isinstance(key, rsa.RSAPublicKey) else f"{algorithm} needs an RSA key"
