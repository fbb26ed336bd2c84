"""These tests take seconds each, and a browser that is there: nothing is downloaded."""

import pytest
from headless import missing


def pytest_collection_modifyitems(items):
    absent = missing()
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.slow)
            if absent:
                item.add_marker(pytest.mark.skip(reason=f"not installed: {absent}"))
