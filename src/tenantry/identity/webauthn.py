"""The ceremonies by py_webauthn. Loaded by name when a passkey is first made or shown, see `ceremonies.py`."""

from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from .ceremonies import CREDENTIAL_ID_BYTES_MAX, Credential, Made, Person, Signed, Site
from .errors import PasskeyRefused
from .queries.passkeys import HeldPasskey

TIMEOUT_MILLISECONDS = 4 * 60 * 1000
"""Less than a challenge lives, so that the device gives up first."""
PUBLIC_KEY_BYTES_MAX = 1200
"""RSA with 8192 bits; a larger key would make every sign-in slow."""
RSA_BITS_MIN = 2048
_NO_AAGUID = "00000000-0000-0000-0000-000000000000"


def creation_options(site: Site, challenge: str, person: Person, held: Sequence[HeldPasskey]) -> dict[str, Any]:
    options = generate_registration_options(
        rp_id=site.id,
        rp_name=site.name,
        user_id=person.handle,
        user_name=person.name,
        user_display_name=person.display_name,
        challenge=challenge.encode(),
        timeout=TIMEOUT_MILLISECONDS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[_descriptor(one) for one in held],
    )
    return options_to_json_dict(options)


def request_options(site: Site, challenge: str, allowed: Sequence[HeldPasskey]) -> dict[str, Any]:
    options = generate_authentication_options(
        rp_id=site.id,
        challenge=challenge.encode(),
        timeout=TIMEOUT_MILLISECONDS,
        allow_credentials=[_descriptor(one) for one in allowed],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def check_made(site: Site, challenge: str, credential: Credential) -> Made:
    try:
        parsed = parse_registration_credential_json(dict(credential))
        _refuse_framed(parsed.response.client_data_json)
        found = verify_registration_response(
            credential=parsed,
            expected_challenge=challenge.encode(),
            expected_rp_id=site.id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
        # A key that cannot be read would be noticed at the first sign-in only.
        key = decoded_public_key_to_cryptography(decode_credential_public_key(found.credential_public_key))
    # Everything: what a browser sends may be anything, and the library lets much of what goes wrong through.
    except Exception as error:
        raise _refused(error) from error
    if len(found.credential_id) > CREDENTIAL_ID_BYTES_MAX or len(found.credential_public_key) > PUBLIC_KEY_BYTES_MAX:
        raise PasskeyRefused(internal="the credential's id or key is too long")
    if isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS_MIN:
        raise PasskeyRefused(internal=f"an RSA key of {key.key_size} bits")
    return Made(
        credential_id=found.credential_id,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        transports=list(dict.fromkeys(one.value for one in parsed.response.transports or [])),
        aaguid=found.aaguid if found.aaguid != _NO_AAGUID else None,
        backed_up=found.credential_backed_up,
    )


def check_signed(site: Site, challenge: str, credential: Credential, public_key: bytes) -> Signed:
    try:
        parsed = parse_authentication_credential_json(dict(credential))
        _refuse_framed(parsed.response.client_data_json)
        found = verify_authentication_response(
            credential=parsed,
            expected_challenge=challenge.encode(),
            expected_rp_id=site.id,
            expected_origin=site.origin,
            credential_public_key=public_key,
            # The library looks at the counter before the signature: anybody could make it speak of clones.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:
        raise _refused(error) from error
    return Signed(parsed.response.user_handle, found.new_sign_count, found.credential_backed_up)


def _refuse_framed(client_data: bytes) -> None:
    # Our pages cannot be framed, so a ceremony inside a frame was not ours (7.1 and 7.2, `crossOrigin`).
    if parse_client_data_json(client_data).cross_origin:
        raise PasskeyRefused(internal="the ceremony took place in a frame of another site")


def _refused(error: Exception) -> PasskeyRefused:
    if isinstance(error, PasskeyRefused):
        return error
    return PasskeyRefused(internal=f"{type(error).__name__}: {error}"[:300])


def _descriptor(held: HeldPasskey) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(one) for one in held.transports]
    return PublicKeyCredentialDescriptor(id=held.credential_id, transports=transports or None)
