"""The Kubernetes manifests are valid, and fit one another and the services."""

from pathlib import Path

import pytest

from tests.deploy.manifests import KUBERNETES, VERSIONS, folders, render, schema_error
from tests.deploy.rules import broken

pytestmark = pytest.mark.programs


def name_of(folder: Path) -> str:
    return str(folder.relative_to(KUBERNETES))


@pytest.mark.parametrize("folder", folders(), ids=name_of)
def test_a_folder_can_be_applied_by_itself(folder: Path) -> None:
    manifests = render(folder)

    errors = {schema_error(each, version) for each in manifests for version in VERSIONS}

    assert manifests
    assert errors == {None}


@pytest.mark.parametrize("folder", folders(), ids=name_of)
def test_the_manifests_of_a_folder_fit_one_another(folder: Path) -> None:
    assert broken(render(folder)) == []
