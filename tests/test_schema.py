"""The schema's words on names: what a dataset may be called, and how an environment variable says where it is."""

import re
import subprocess

import pytest

from ferdata.schema import is_dataset_name, root_variable


@pytest.mark.parametrize("name", ["ckplus", "my-set", "my set", "Ärger", "日本", "a.b", "2024", "a'b", "a$(b)", "a&b"])
def test_the_variable_of_any_legal_name_can_be_set_in_a_shell(name: str) -> None:
    assert is_dataset_name(name)
    variable = root_variable(name)
    assert re.fullmatch(r"FERDATA_ROOT_[A-Z0-9_]+", variable)
    done = subprocess.run(["sh", "-c", f"{variable}=/d; echo ${variable}"], capture_output=True, text=True, check=True)
    assert done.stdout == "/d\n"


def test_the_variable_of_a_plain_name_is_the_name_in_capitals() -> None:
    assert root_variable("fer2013") == "FERDATA_ROOT_FER2013"
    assert root_variable("my-set") == "FERDATA_ROOT_MY_SET"


@pytest.mark.parametrize("name", ["mine", "CK+48", "my faces", "gesichter-grün", "顔", "a.b", "x_1", "a" * 100])
def test_a_name_that_a_dataset_may_have(name: str) -> None:
    assert is_dataset_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "a\\b", "..", ".a", "a.", " a", "a ", "-a", "a:b", "a=b", "a,b", "a\nb", "a\0", "\ud800", "顔" * 40],
)
def test_a_name_that_no_dataset_may_have(name: str) -> None:
    assert not is_dataset_name(name)
