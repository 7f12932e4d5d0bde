"""Pages: languages, catalogues, branding, escaping, and what each page weighs."""

import re
import time
from pathlib import Path

import pytest

from jeton import pages
from jeton.pages.account_content import PROFILE_FIELDS, Notice
from jeton.pages.branding import Branding, BrandingError, image_uri, read_logo
from jeton.pages.catalogues import CatalogueError, load_catalogues, parse_catalogue
from jeton.pages.content import SCOPE_TEXTS, AppLabel, Consent, ErrorPage, Fault, Problem, ScopeItem, SignedOut, SignIn
from jeton.pages.devices import device_name
from jeton.pages.languages import choose_language
from jeton.pages.rendering import PageRenderer
from jeton.rules.password_policy import PasswordRule

PAGES = Path(pages.__file__).parent
ISSUER = "https://id.example.com"
APP = AppLabel("<b>App</b>", "app.example")
PNG = b"\x89PNG\r\n\x1a\n"


def rendered(branding: Branding | None = None, issuer: str = ISSUER, language: str = "en") -> str:
    _, body = PageRenderer(issuer, branding or Branding()).render(SignIn("sealed", APP), (language,), "")
    return body.decode()


@pytest.mark.requirement("PG12")
def test_language_is_the_first_requested_one_that_exists() -> None:
    chosen: dict[tuple[tuple[str, ...], str], str] = {
        ((), ""): "en",
        ((), "de"): "de",
        ((), "de-CH, en;q=0.5"): "de",
        ((), "fr, de;q=0.2, en;q=0.9"): "en",
        ((), "fr;q=x, de;q=0, *"): "en",
        (("fr", "de-AT"), "en"): "de",
        (("fr",), "de"): "de",
        (("DE_de",), ""): "de",
    }

    assert {it: choose_language(("en", "de"), *it) for it in chosen} == chosen


@pytest.mark.requirement("O16")
def test_choice_of_a_language_takes_time_in_proportion_to_the_length_of_a_tag() -> None:
    def seconds(subtags: int) -> float:
        began = time.thread_time()
        choose_language(("en", "de"), (), "-".join("x" * subtags))
        return time.thread_time() - began

    assert seconds(16_000) < 64 * max(min(seconds(1_000) for _ in range(5)), 50e-6)


@pytest.mark.requirement("PG12")
def test_every_text_of_a_page_is_in_every_catalogue() -> None:
    texts = {text.value for texts in (Problem, Fault, Notice) for text in texts} | set(SCOPE_TEXTS.values())
    texts |= {rule.sentence for rule in PasswordRule}
    texts |= {text for it in PROFILE_FIELDS.values() for text in (it.label, it.hint) if text}
    for template in (PAGES / "templates").glob("*.html"):
        texts |= {a or b for a, b in re.findall(r"""_\((?:"([^"]+)"|'([^']+)')\)""", template.read_text("utf-8"))}
    for language, catalogue in load_catalogues().items():
        if language != "en":
            assert texts - catalogue.messages.keys() == set(), language


def test_catalogue_joins_lines_and_refuses_what_it_does_not_understand() -> None:
    text = 'msgid ""\nmsgstr "header"\n\n# comment\nmsgid "a "\n"b"\nmsgstr "c"\n'
    assert parse_catalogue(text, "xx.po") == {"a b": "c"}
    for wrong in ('msgid "a"\nmsgid_plural "b"', "msgid a", 'msgctxt "x"'):
        with pytest.raises(CatalogueError, match="line"):
            parse_catalogue(wrong, "xx.po")


@pytest.mark.requirement("DR08")
def test_app_on_the_device_is_not_shown_by_the_name_it_claims() -> None:
    page = Consent("sealed", AppLabel("", None, own_name="Your bank"), "alice")
    text = PageRenderer(ISSUER, Branding()).render(page, ("en",), "")[1].decode()
    assert "<title>Allow access? · An app on your device: Your bank · " in text
    assert "<strong>An app on your device</strong>" in text
    assert "calls itself <q>Your bank</q>" in text


@pytest.mark.requirement("PG03", "PG13", "RA24")
def test_page_names_the_operator_and_the_host_and_everything_from_outside_is_escaped() -> None:
    page = rendered(Branding("Example ID"))
    assert "<title>Sign in · Example ID</title>" in page
    assert "<span>id.example.com</span>" in page
    assert "&lt;b&gt;App&lt;/b&gt;" in page
    assert "<b>" not in page
    below = rendered(issuer="https://example.com/auth")
    assert 'action="/auth/sign-in"' in below
    assert 'href="/auth/pages/style.' in below


@pytest.mark.requirement("PG01", "PG06")
@pytest.mark.parametrize("content", [SignIn("x", APP), SignedOut(), ErrorPage(Fault.FAILED, "A-B")])
def test_page_has_nothing_inline_and_nothing_from_elsewhere(content: SignIn | SignedOut | ErrorPage) -> None:
    _, body = PageRenderer(ISSUER, Branding()).render(content, (), "en")
    page = body.decode()
    assert not re.search(r"<style|style=|<script(?! src=)|\son\w+=|https?://", page)
    assert len(body) < 50_000


def test_text_on_the_accent_has_the_higher_contrast() -> None:
    texts = {"#2457c5": "#ffffff", "#ffd400": "#000000", "#777777": "#000000"}

    assert {it: Branding(accent=it).on_accent for it in texts} == texts


def test_support_is_a_link_only_if_it_is_an_address() -> None:
    links = {
        "help@example.com": "mailto:help@example.com",
        "https://example.com/help": "https://example.com/help",
        "Room 12": "",
        "javascript:alert(1)": "",
    }

    assert {it: Branding(support=it).support_uri for it in links} == links


def test_logo_is_an_image_of_limited_size(tmp_path: Path) -> None:
    file = tmp_path / "logo"
    file.write_bytes(PNG)
    assert read_logo(str(file)).startswith("data:image/png;base64,")
    for content in (b"<svg/>", PNG + b"x" * 65536):
        with pytest.raises(BrandingError):
            image_uri(content)
    with pytest.raises(BrandingError):
        read_logo(str(tmp_path / "missing"))


def test_operator_replaces_a_template_and_describes_scopes(tmp_path: Path) -> None:
    (tmp_path / "signed_out.html").write_text("<p>Bye</p>", encoding="utf-8")
    renderer = PageRenderer(ISSUER, Branding(), str(tmp_path))
    assert renderer.render(SignedOut(), (), "")[1] == b"<p>Bye</p>"
    scopes = [ScopeItem("photos", {"en": "See your photos", "de": "Ihre Fotos sehen"}), ScopeItem("bare")]
    page = renderer.render(Consent("x", APP, "alice", scopes), ("de",), "")[1].decode()
    assert "Ihre Fotos sehen" in page
    assert "<li>bare</li>" in page


def test_device_is_named_by_browser_and_system() -> None:
    names = {
        "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0": ("Firefox", "Linux"),
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0 Safari/537.36 Edg/156.0": ("Edge", "Windows"),
        "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1": ("Safari", "iPhone"),
        "my-tool/1.0": ("my-tool/1.0", ""),
        None: ("", ""),
    }

    assert {it: device_name(it) for it in names} == names
