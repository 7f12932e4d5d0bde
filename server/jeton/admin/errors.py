"""Errors of administration. The text of each is a sentence that says what is wrong and what to do."""


class AdminError(Exception):
    """The operation contradicts what is stored, or its input. Nothing was changed."""


class NotFoundError(AdminError):
    """There is no such user, client or session. `kind` says which of them."""

    def __init__(self, kind: str, identifier: str) -> None:
        super().__init__(f"there is no {kind} {identifier}")
        self.kind = kind


class AlreadyExistsError(AdminError):
    """A client or user with this identifier, name or e-mail address exists."""
