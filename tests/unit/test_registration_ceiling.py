"""The ceiling of clients that nobody registered: scope by setting or by open resources, and open resources only."""

from typing import Final

import pytest

from jeton.oauth.registration_ceiling import RegistrationCeiling, registration_ceiling, within_ceiling
from jeton.oauth.resources import Resource
from support.builders import client

PHOTOS: Final = Resource("https://photos.example", "Photos", frozenset({"read", "share"}), open=True)
MAIL: Final = Resource("https://mail.example", "Mail", frozenset({"mail"}), open=True)
PAYROLL: Final = Resource("https://payroll.example", "Payroll", frozenset({"pay"}))
ANY: Final = Resource("https://any.example", "Any scope", open=True)


@pytest.mark.requirement("RI06", "DR13")
@pytest.mark.parametrize(
    ("configured", "resources", "ceiling"),
    [
        pytest.param((), (), RegistrationCeiling(), id="nothing"),
        pytest.param((), (PAYROLL,), RegistrationCeiling(), id="closed"),
        pytest.param(
            (),
            (PHOTOS, MAIL, PAYROLL),
            RegistrationCeiling(frozenset({"read", "share", "mail"}), (PHOTOS, MAIL)),
            id="open",
        ),
        pytest.param((), (ANY,), RegistrationCeiling(frozenset(), (ANY,)), id="open, of any scope: that opens none"),
        pytest.param(
            ("read", "openid"),
            (PHOTOS, PAYROLL),
            RegistrationCeiling(frozenset({"read", "openid"}), (PHOTOS,)),
            id="set",
        ),
    ],
)
def test_ceiling(configured: tuple[str, ...], resources: tuple[Resource, ...], ceiling: RegistrationCeiling) -> None:
    assert registration_ceiling(frozenset(configured), resources) == ceiling


@pytest.mark.requirement("RI06", "DR13")
@pytest.mark.parametrize("registration", ["administrator", "metadata_document", "dynamic"])
def test_only_clients_of_an_administrator_have_what_they_are_registered_with(registration: str) -> None:
    registered = client(registration=registration, scope=frozenset({"read", "pay"}), resources=(PAYROLL.uri,))
    ceiling = registration_ceiling(frozenset(), (PHOTOS, PAYROLL))

    found = within_ceiling(registered, ceiling)

    if registration == "administrator":
        assert found == registered
    else:
        assert (found.scope, found.resources) == (frozenset({"read"}), (PHOTOS.uri,))
