from __future__ import annotations

import pytest

from detreduce.dataset.paths.path_variables import expand

PATH = "${DETREDUCE_DATA:-../../shared/data}/aquarium"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "../../shared/data/aquarium"),
        ({"DETREDUCE_DATA": "/mine"}, "/mine/aquarium"),
        ({"DETREDUCE_SHARED": "/material"}, "/material/data/aquarium"),
        ({"DETREDUCE_DATA": "/mine", "DETREDUCE_SHARED": "/material"}, "/mine/aquarium"),
    ],
)
def test_one_variable_names_the_folder_of_all_datasets(
    given: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DETREDUCE_DATA", "DETREDUCE_SHARED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert expand(PATH) == expected
