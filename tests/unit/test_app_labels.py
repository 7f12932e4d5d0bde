"""Labels of clients on pages: a name that only the client claims is not shown alone."""

import pytest

from jeton.endpoints.app_labels import app_label
from jeton.pages.content import AppLabel
from support.builders import client

DOCUMENT, CALLBACK = "https://app.example/client.json", "https://app.example:444/callback"


@pytest.mark.requirement("DR08")
@pytest.mark.parametrize(
    ("registration", "client_id", "redirect_uri", "expected"),
    [
        ("administrator", "app", CALLBACK, AppLabel("Bank", "app.example:444")),
        ("dynamic", "dcr_1", CALLBACK, AppLabel("app.example:444", "app.example:444", own_name="Bank")),
        ("dynamic", "dcr_1", "http://127.0.0.1:5000/", AppLabel("", None, own_name="Bank")),
        ("metadata_document", DOCUMENT, CALLBACK, AppLabel("app.example", "app.example:444", own_name="Bank")),
        ("metadata_document", DOCUMENT, "com.example://[x", AppLabel("app.example", None, own_name="Bank")),
    ],
)
def test_label_has_name_and_host_by_kind_of_registration(
    registration: str, client_id: str, redirect_uri: str, expected: AppLabel
) -> None:
    described = client(client_id, registration=registration, name="Bank", redirect_uris=frozenset({redirect_uri}))

    assert app_label(described, redirect_uri) == app_label(described) == expected
