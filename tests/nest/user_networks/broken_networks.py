"""A user's module that fails on import."""

import a_package_that_nobody_has  # noqa: F401
