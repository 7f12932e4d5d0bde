"""Origins of browser apps: which can be registered, and the messages for the others (RFC 6454, URL standard)."""

import pytest

from jeton.oauth.origins import origin_rejection_reason

EXTENSION = "abcdefghijklmnopabcdefghijklmnop"
UUID = "1f3b6c1e-8f0e-4c9a-9d6b-0a1b2c3d4e5f"


VALID = f"""
https://app.example https://app.example:8443 https://my_app.example https://xn--bcher-kva.example https://192.0.2.1
https://[2001:db8::1] http://localhost:5173 http://127.0.0.1 http://[::1]:8080 https://localhost http://tauri.localhost
https://tauri.localhost tauri://localhost capacitor://localhost ionic://localhost wails://wails.localhost:34115
app://obsidian.md app://. chrome-extension://{EXTENSION} moz-extension://{UUID} safari-web-extension://{UUID.upper()}
vscode-webview://{UUID} com.example.app://home
""".split()
INVALID = f"""
* null app.example //app.example https:// https:app.example https://app.example/path https://app.example?x
https://app.example#x https://user@app.example https://*.example https://app.example: https://app.example:x
https://app.example:0 https://app.example:99999 https://1.2.3 https://256.1.1.1 https://[::1 https://[::g]
https://.example https://app.example. https://\u2603\ufe0f.example http://app.example http://localhost.example
http://192.0.2.1 file:// file:/// file://localhost data://x blob://app.example content://app ftp://app.example
wss://app.example capacitor:// app://caf\u00e9 chrome-extension://{EXTENSION}/page.html
""".split()


@pytest.mark.requirement("O12")
def test_only_origins_of_pages_and_of_packaged_apps_can_be_registered() -> None:
    invalid = [*INVALID, "", "https://app.example evil", "https://app.example\n", "app://a b"]

    assert {origin: reason for origin in VALID if (reason := origin_rejection_reason(origin))} == {}
    reasons = {origin: origin_rejection_reason(origin) or "" for origin in invalid}
    assert [origin for origin, reason in reasons.items() if not reason.startswith(f"{origin} ")] == []


SPELLINGS = {
    "https://app.example/": "https://app.example",
    "https://app.example:443": "https://app.example",
    "https://app.example:08443": "https://app.example:8443",
    "http://localhost:80": "http://localhost",
    "HTTPS://APP.example": "https://app.example",
    "https://b\u00fccher.example": "https://xn--bcher-kva.example",
    "https://B\u00dcCHER.example:443/": "https://xn--bcher-kva.example",
    "https://[2001:DB8:0:0::1]": "https://[2001:db8::1]",
    "capacitor://localhost/": "capacitor://localhost",
    "Chrome-Extension://" + EXTENSION: "chrome-extension://" + EXTENSION,
}


@pytest.mark.requirement("O12")
def test_noncanonical_origin_is_rejected_with_the_canonical_form() -> None:
    advice = "is not the form that browsers send: write"

    assert {it: origin_rejection_reason(it) for it in SPELLINGS} == {
        origin: f"{origin} {advice} {spelling}" for origin, spelling in SPELLINGS.items()
    }
    assert {it for it in SPELLINGS.values() if origin_rejection_reason(it)} == set()
