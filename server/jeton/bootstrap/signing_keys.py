"""Key stores, timings and rotation of signing keys, as configured."""

from jeton.config.settings import Settings
from jeton.config.sources import ConfigError
from jeton.crypto.key_stores import KeyStores
from jeton.crypto.master_key import MasterKeys
from jeton.crypto.sealed_keys import SealedKeys
from jeton.keys.key_rotation import KeyRotation
from jeton.oauth.backchannel_logout import TOKEN_SECONDS as LOGOUT_TOKEN_SECONDS
from jeton.oauth.token_status_list import LIST_SECONDS
from jeton.rules.key_lifecycle import KeyTimings
from jeton.rules.key_series import KeyTypes
from jeton.storage.clock import Clock
from jeton.storage.database import Database


def key_stores(settings: Settings, master_keys: MasterKeys) -> KeyStores:
    """Return the stores of private keys, first the one that creates new keys.

    Keys in the other store sign until they are replaced. Raise ConfigError if a library is missing.
    """
    sealed, hsm = SealedKeys(master_keys), settings.pkcs11
    if not hsm.module:
        return KeyStores(sealed)
    try:
        # An optional dependency, needed with an HSM only.
        from jeton.crypto.pkcs11_keys import Pkcs11Keys
        from jeton.crypto.pkcs11_token import Pkcs11Token
    except ImportError:
        raise ConfigError("pkcs11.module is set, and python-pkcs11 is missing: pip install 'jeton[pkcs11]'") from None
    on_token = Pkcs11Keys(Pkcs11Token(hsm.module, hsm.token_label, hsm.pin))
    return KeyStores(on_token, sealed) if settings.keys.store == on_token.name else KeyStores(sealed, on_token)


def key_times(settings: Settings) -> KeyTimings:
    """Return the times at which signing keys change."""
    keys = settings.keys
    return KeyTimings(keys.publish_ahead_seconds, keys.jwks_max_age_seconds, keys.rotate_seconds)


def key_rotation(settings: Settings, database: Database, clock: Clock, stores: KeyStores) -> KeyRotation:
    """Return what rotates signing keys. It is given the longest lifetime of any token that this process signs."""
    tokens = settings.tokens
    longest_seconds = max(tokens.access_seconds, LOGOUT_TOKEN_SECONDS, LIST_SECONDS if tokens.status_list else 0)
    key_types = KeyTypes(settings.keys.algorithm, settings.keys.rsa_bits, stores.default_store)
    return KeyRotation(database, clock, stores, key_times(settings), key_types, longest_seconds=longest_seconds)
