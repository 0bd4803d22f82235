"""The house rules that no linter knows: short files, exact derivations, a sentence for everything."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("derivations", "door", "empirical", "ledger", "studies", "tables", "gate")
FOLDERS = (*PACKAGES, "tests", "examples", "benchmarks", "docs")
FILES = {
    str(path.relative_to(ROOT)): path
    for path in sorted([*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))])
}
LONGEST = 400
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def within(*folders):
    """The names of the files in some folders."""
    return [name for name in FILES if name.split("/")[0] in folders]


def tree(name):
    """A file as a syntax tree."""
    return ast.parse(FILES[name].read_text(encoding="utf-8"))


def float_literals(syntax):
    """The lines that hold a float literal."""
    constants = [node for node in ast.walk(syntax) if isinstance(node, ast.Constant)]
    return [node.lineno for node in constants if isinstance(node.value, float)]


def bare_imports(syntax):
    """The lines that import a folder by its own name, as a second copy of every class."""
    found = []
    for node in ast.walk(syntax):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [str(node.module)]
        found += [node.lineno for name in names if name.split(".")[0] in PACKAGES]
    return found


def unspoken(syntax, place):
    """Test functions, wherever they are, and test files without a docstring."""
    tests = [node for node in ast.walk(syntax) if isinstance(node, DEFINITIONS) and node.name.startswith("test_")]
    found = [] if ast.get_docstring(syntax) else [place]
    return found + [f"{place}:{test.name}" for test in tests if not ast.get_docstring(test)]


def undocumented(node, place):
    """Public modules, classes, functions and methods without a docstring."""
    found = [] if ast.get_docstring(node) else [place]
    for child in node.body if isinstance(node, ast.Module | ast.ClassDef) else []:
        if isinstance(child, DEFINITIONS) and not child.name.startswith("_"):
            found += undocumented(child, f"{place}:{child.name}")
    return found


def test_no_file_is_too_long():
    """At most 400 lines: a second idea is a second file."""
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in FILES.items()}
    assert not {name: count for name, count in lines.items() if count > LONGEST}


def test_derivations_hold_no_float_literal():
    """Exact until measured: whole numbers, fractions and symbols only."""
    assert not {name: found for name in within("derivations") if (found := float_literals(tree(name)))}


def test_everything_public_says_what_it_is():
    """A docstring on each module, and on each class, function and method without a leading underscore."""
    assert not [place for name in within(*PACKAGES) for place in undocumented(tree(name), name)]


def test_every_test_is_a_sentence():
    """A docstring on each test file and each test function in it."""
    assert not [place for name in within("tests") for place in unspoken(tree(name), name)]


def test_no_folder_is_imported_by_its_bare_name():
    """derivations and empirical are powercount.derivations and powercount.empirical, everywhere."""
    assert not {name: found for name in FILES if (found := bare_imports(tree(name)))}


def test_the_readers_of_code_can_say_no():
    """Meta: each of them finds what it looks for, and finds it in real files."""
    assert float_literals(ast.parse("half = 1 / 2\nhalf = 0.5\nbig = 1e3\n")) == [2, 3]
    assert bare_imports(ast.parse("import derivations.scale\nfrom empirical import fit\nfrom .gate import x")) == [1, 2]
    assert undocumented(ast.parse("'''A page.'''\nclass A:\n    def b(self): ...\n    def _c(self): ..."), "m") == [
        "m:A",
        "m:A:b",
    ]
    assert unspoken(ast.parse("'''A page.'''\ndef test_a(): ...\ndef test_b():\n    '''B.'''"), "m") == ["m:test_a"]
    assert {"conftest.py", "gate/verdict.py", "tests/outside/test_house.py"} <= set(FILES)
