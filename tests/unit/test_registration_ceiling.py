"""The ceiling of unregistered clients: scope by setting or by open resources, and open resources only."""

from typing import Final

import pytest

from jeton.frozen import replace
from jeton.oauth.registration_ceiling import (
    RegistrationCeiling,
    registration_ceiling,
    scope_without_resource,
    within_ceiling,
)
from jeton.oauth.resources import Resource
from support.builders import client

PHOTOS: Final = Resource("https://photos.example", "Photos", frozenset({"read", "share"}), open=True)
MAIL: Final = Resource("https://mail.example", "Mail", frozenset({"mail"}), open=True)
PAYROLL: Final = Resource("https://payroll.example", "Payroll", frozenset({"pay"}))
ANY: Final = Resource("https://any.example", "Any scope", open=True)


ISSUER: Final = "https://login.example"
SIGN_IN: Final = frozenset({"openid", "profile", "offline_access"})
ALL: Final = SIGN_IN | {"read", "share", "mail"}
SET: Final = frozenset({"read", "openid"})


@pytest.mark.requirement("RI06", "DR13", "MC17")
@pytest.mark.parametrize(
    ("configured", "resources", "ceiling"),
    [
        pytest.param((), (), RegistrationCeiling(SIGN_IN, (), (ISSUER,)), id="nothing"),
        pytest.param((), (PAYROLL,), RegistrationCeiling(SIGN_IN, (), (ISSUER,)), id="closed"),
        pytest.param((), (PHOTOS, PAYROLL), RegistrationCeiling(SIGN_IN | {"read", "share"}, (PHOTOS,)), id="one open"),
        pytest.param((), (PHOTOS, MAIL), RegistrationCeiling(ALL, (PHOTOS, MAIL), (ISSUER,)), id="open"),
        pytest.param((), (ANY,), RegistrationCeiling(SIGN_IN, (ANY,)), id="open, of any scope: none is opened by that"),
        pytest.param(tuple(SET), (PHOTOS, PAYROLL), RegistrationCeiling(SET, (PHOTOS,)), id="set"),
    ],
)
def test_ceiling_follows_settings_and_open_resources(
    configured: tuple[str, ...], resources: tuple[Resource, ...], ceiling: RegistrationCeiling
) -> None:
    assert registration_ceiling(frozenset(configured), resources, ISSUER) == ceiling


@pytest.mark.requirement("RI06", "DR13")
def test_only_clients_of_an_administrator_have_what_they_are_registered_with() -> None:
    ceiling = registration_ceiling(frozenset(), (PHOTOS, MAIL, PAYROLL), ISSUER)
    added = client(scope=frozenset({"openid", "read", "pay"}), resources=(PAYROLL.uri,))
    assert within_ceiling(added, ceiling) == added
    assert scope_without_resource(added, added.scope) == added.scope

    for registration in ("metadata_document", "dynamic"):
        found = within_ceiling(replace(added, registration=registration), ceiling)
        assert (found.scope, found.resources) == (frozenset({"openid", "read"}), (PHOTOS.uri, MAIL.uri))
        assert (found.default_scope, found.audience) == (frozenset({"read"}), (ISSUER,))
        assert scope_without_resource(found, found.scope) == frozenset({"openid"})
