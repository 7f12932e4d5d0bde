"""The document about the OpenID Foundation's suite names tests that exist, and all of them."""

import ast
import re

from support.checkout import ROOT

DOCUMENT = ROOT / "docs" / "openid-certification.md"


def test_each_module_in_the_document_has_its_test() -> None:
    rows = re.findall(
        r"^\| `(oidcc-[a-z0-9-]+)` \| `(\w+)` \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    tests = {
        node.name
        for file in (ROOT / "tests" / "interop").glob("test_openid_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_oidcc_")
    }

    modules = [module for module, _, _ in rows]
    assert len(modules) == len(set(modules)) > 30
    assert {test for _, test, _ in rows} == tests
