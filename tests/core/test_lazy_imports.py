"""Modules that are imported late: nothing happens until something of them is used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tvb_nest_cosim.cosim_core.lazy_imports import lazily_imported

NAMES = ("slow_package", "slow_package.part")


@pytest.fixture(autouse=True)
def _packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that takes long to import, and modules that import it as such are written."""
    package = tmp_path / "slow_package"
    package.mkdir()
    (package / "__init__.py").write_text("value = 1\n")
    (package / "part.py").write_text("value = 2\n")
    (tmp_path / "hasty.py").write_text("from slow_package import value\n")
    (tmp_path / "inner.py").write_text(
        "import slow_package\nfrom slow_package.other import value\n"
    )
    (package / "other.py").write_text("value = 1\n")
    (tmp_path / "user.py").write_text(
        "try:\n"
        "    import slow_package as package\n"
        "    import slow_package.part as part\n"
        "except ImportError:\n"
        "    package = None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("user", "hasty", "inner", *NAMES, "slow_package.other"):
        sys.modules.pop(name, None)


def test_nothing_is_imported_until_something_is_used() -> None:
    with lazily_imported(*NAMES):
        user = importlib.import_module("user")
        # as whoever looks for the module of an object does
        assert [hasattr(module, "__file__") for module in list(sys.modules.values())]
    assert not any(name in sys.modules for name in NAMES)
    assert user.package.part.value == 2
    assert user.part.value == 2
    assert user.package.value == 1


def test_a_stand_in_serves_what_the_module_has() -> None:
    with lazily_imported(*NAMES):
        user = importlib.import_module("user")
    with pytest.raises(AttributeError, match="missing"):
        _ = user.part.missing
    real = importlib.import_module("slow_package.part")
    real.value = 5
    assert user.part.value == 5
    assert real.__file__


@pytest.mark.parametrize("name", ["hasty", "inner"])
def test_who_needs_something_at_once_gets_it(name: str) -> None:
    with lazily_imported(*NAMES):
        assert importlib.import_module(name).value == 1
    assert sys.modules["slow_package"].__file__


def test_what_is_not_installed_stays_missing(tmp_path: Path) -> None:
    text = (tmp_path / "user.py").read_text()
    (tmp_path / "user.py").write_text(text.replace("slow_package", "package_that_nobody_has"))
    with lazily_imported("package_that_nobody_has", "package_that_nobody_has.part"):
        assert importlib.import_module("user").package is None


def test_what_is_imported_already_is_left_alone() -> None:
    real = importlib.import_module("slow_package")
    with lazily_imported(*NAMES):
        user = importlib.import_module("user")
        assert sys.modules["slow_package"] is real
    assert user.package is real
    assert user.part.value == 2


def test_threads_that_import_meanwhile_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    class Importing(ModuleType):
        """While it is looked at, other threads import something and withdraw a module."""

        @property
        def __class__(self) -> type:  # type: ignore[override]
            sys.modules.pop(NAMES[0], None)
            for name in ("imported_meanwhile", "and_another"):
                sys.modules[name] = ModuleType(name)
            return ModuleType

        @__class__.setter
        def __class__(self, _: type) -> None: ...

    with lazily_imported(*NAMES):
        monkeypatch.setitem(sys.modules, "looked_at", Importing("looked_at"))
        # Behind it, as others that are imported later.
        sys.modules.update({name: sys.modules.pop(name) for name in NAMES})
    for name in ("imported_meanwhile", "and_another"):
        monkeypatch.delitem(sys.modules, name)
    assert not any(name in sys.modules for name in NAMES)
