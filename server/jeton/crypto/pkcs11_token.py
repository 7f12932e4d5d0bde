"""Access to a PKCS#11 token (an HSM, or a part of one): one session, which is opened again when it is lost.

python-pkcs11 initializes modules without thread support, and concurrent calls crash the process. So one lock serializes
all calls.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Final, TypeVar

import pkcs11
from pkcs11 import Attribute, ObjectClass, PKCS11Error, Session, SignMixin

from jeton.crypto.key_stores import KeyStoreError

T = TypeVar("T")

_PAUSE_SECONDS: Final = 1
_PIN_REFUSED: Final = (pkcs11.PinExpired, pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked)
# A module's state is global in the process, so the lock is too.
_LOCK: Final = Lock()


class LoggedIn:
    """A logged-in session, with a cache of the private keys that were found in it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._found: dict[bytes, SignMixin] = {}

    def find(self, identity: bytes) -> SignMixin:
        """Return the private key with this CKA_ID. Raise NoSuchKey if there is not exactly one."""
        if identity not in self._found:
            attributes = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: identity}
            found = [key for key in self.session.get_objects(attributes) if isinstance(key, SignMixin)]
            if len(found) != 1:
                raise pkcs11.NoSuchKey
            self._found[identity] = found[0]
        return self._found[identity]

    def destroy(self, identity: bytes) -> None:
        """Delete all objects of the key from the token."""
        for key in list(self.session.get_objects({Attribute.ID: identity})):
            key.destroy()
        self._found.pop(identity, None)


class Pkcs11Token:
    """The token with this label, through its vendor's module (a shared library)."""

    def __init__(self, module: str, label: str, pin: str) -> None:
        self._module, self._label, self._pin = module, label, pin
        self._logged_in: LoggedIn | None = None
        self._refused: PKCS11Error | None = None
        self._refused_at = 0.0

    def __repr__(self) -> str:
        return f"Pkcs11Token({self._label})"

    def use(self, work: Callable[[LoggedIn], T]) -> T:
        """Return the result of `work`. If it fails, log in again and retry once: the session may be lost.

        Raise KeyStoreError if the token cannot be reached, or the second attempt fails.
        """
        with _LOCK:
            try:
                if self._logged_in is not None:
                    # Vendors report a lost session by different errors: retry after any.
                    with suppress(PKCS11Error):
                        return work(self._logged_in)
                self._logged_in = None
                self._logged_in = self._log_in()
                return work(self._logged_in)
            except PKCS11Error as error:
                raise KeyStoreError(self._explained(error)) from error

    def _log_in(self) -> LoggedIn:
        if self._refused is not None and self._is_too_soon(self._refused):
            raise self._refused
        try:
            module = pkcs11.lib(self._module)
            with suppress(PKCS11Error):
                # Modules look for tokens only when initialized. This also ends the old session.
                module.finalize()
            module.initialize()
            session = module.get_token(token_label=self._label).open(rw=True, user_pin=self._pin)
        except PKCS11Error as error:
            self._refused, self._refused_at = error, time.monotonic()
            raise
        self._refused = None
        return LoggedIn(session)

    def _is_too_soon(self, refused: PKCS11Error) -> bool:
        """Return whether to fail without a login: a wrong PIN is never retried, other errors only after a pause.

        Tokens lock themselves after some wrong PINs. The pause keeps a queue of callers from waiting one by one.
        """
        return isinstance(refused, _PIN_REFUSED) or time.monotonic() - self._refused_at < _PAUSE_SECONDS

    def _explained(self, error: PKCS11Error) -> str:
        match error:
            case pkcs11.NoSuchToken():
                return (
                    f"no PKCS#11 token has the label {self._label!r}: see pkcs11.token_label, and the module's own tool"
                )
            case pkcs11.MultipleTokensReturned():
                return f"several PKCS#11 tokens have the label {self._label!r}: give the one for Jeton another label"
            case _ if isinstance(error, _PIN_REFUSED):
                return (
                    f"the PKCS#11 token {self._label!r} refused the PIN ({type(error).__name__}); the PIN is not "
                    "tried again, so that the token does not lock itself: correct pkcs11.pin and restart"
                )
            case pkcs11.NoSuchKey():
                return f"the PKCS#11 token {self._label!r} does not contain that key: restore it, or revoke the key"
        what = str(error) or type(error).__name__
        return f"the PKCS#11 token {self._label!r} cannot be used now: {what} (module {self._module})"
