"""A PKCS#11 token (an HSM, or a part of one) as this process speaks with it: one session, opened again when it is lost.

By python-pkcs11. It initialises a module without telling it of threads, and a module that two threads enter crashes the
process: whoever speaks with one waits for the others.
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
# A module's state belongs to the process: there is one lock, whatever is configured.
_ONE_AT_A_TIME: Final = Lock()


class LoggedIn:
    """A session that has given the PIN, and the private keys that it has found so far."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._found: dict[bytes, SignMixin] = {}

    def find(self, identity: bytes) -> SignMixin:
        """The private key with this CKA_ID; raises NoSuchKey."""
        if identity not in self._found:
            attributes = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: identity}
            found = [key for key in self.session.get_objects(attributes) if isinstance(key, SignMixin)]
            if len(found) != 1:
                raise pkcs11.NoSuchKey
            self._found[identity] = found[0]
        return self._found[identity]

    def destroy(self, identity: bytes) -> None:
        """Nothing of that key is left on the token."""
        for key in list(self.session.get_objects({Attribute.ID: identity})):
            key.destroy()
        self._found.pop(identity, None)


class Pkcs11Token:
    """The token with this label, reached through the module (a shared library) that its maker provides."""

    def __init__(self, module: str, label: str, pin: str) -> None:
        self._module, self._label, self._pin = module, label, pin
        self._logged_in: LoggedIn | None = None
        self._refused: PKCS11Error | None = None
        self._refused_at = 0.0

    def __repr__(self) -> str:
        return f"Pkcs11Token({self._label})"

    def use(self, work: Callable[[LoggedIn], T]) -> T:
        """What `work` gives; it is begun anew, once, where the session turns out to be lost.

        KeyStoreError where the token cannot be reached, or does not do it.
        """
        with _ONE_AT_A_TIME:
            try:
                if self._logged_in is not None:
                    # Makers disagree about what a lost session is called: after any error a new one is tried.
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
                # Modules look for tokens once, when they begin; and it ends what is left of the old session.
                module.finalize()
            module.initialize()
            session = module.get_token(token_label=self._label).open(rw=True, user_pin=self._pin)
        except PKCS11Error as error:
            self._refused, self._refused_at = error, time.monotonic()
            raise
        self._refused = None
        return LoggedIn(session)

    def _is_too_soon(self, refused: PKCS11Error) -> bool:
        """A wrong PIN is never given twice, because tokens lock themselves; and a queue must not wait one by one."""
        return isinstance(refused, _PIN_REFUSED) or time.monotonic() - self._refused_at < _PAUSE_SECONDS

    def _explained(self, error: PKCS11Error) -> str:
        match error:
            case pkcs11.NoSuchToken():
                return (
                    f"no PKCS#11 token is labelled {self._label!r}: see pkcs11.token_label, and the module's own tool"
                )
            case pkcs11.MultipleTokensReturned():
                return f"several PKCS#11 tokens are labelled {self._label!r}: give the one for Jeton another label"
            case _ if isinstance(error, _PIN_REFUSED):
                return (
                    f"the PKCS#11 token {self._label!r} refused the PIN ({type(error).__name__}); it is not tried "
                    "again, so that the token does not lock itself: correct pkcs11.pin and restart"
                )
            case pkcs11.NoSuchKey():
                return f"the PKCS#11 token {self._label!r} does not hold that key: restore it, or revoke the key"
        what = str(error) or type(error).__name__
        return f"the PKCS#11 token {self._label!r} cannot be used now: {what} (module {self._module})"
