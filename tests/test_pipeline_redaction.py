from pathlib import Path

import pytest
from conftest import CONFIG

from filters.redaction import DEFAULT_REGIONS, TYPES
from pipeline.errors import UsageError
from pipeline.recipe import load_recipe
from pipeline.redaction import Redaction


def test_all_types_are_replaced_by_tags_unless_said_otherwise() -> None:
    assert Redaction() == Redaction(
        types=list(TYPES),
        replace="tag",
        key=None,
        regions=list(DEFAULT_REGIONS),
        spelled_out_emails=False,
        private_addresses=False,
        names=[],
        names_model="en_core_web_lg",
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("types=[emial]", r"redaction\.types\.0: unknown emial; did you mean email\?"),
        ("types=[ip, zzz]", r"redaction\.types\.1: unknown zzz; expected one of .*email, iban"),
        ("regions=[US, us]", r"redaction\.regions\.1: unknown us; did you mean US\?"),
        ("regions=[UK]", r"unknown UK; expected an ISO 3166 code such as US or GB"),
        (
            "names=[people]",
            r"redaction\.names\.0: unknown people; expected one of person, location",
        ),
        ("replace=tags", "redaction.replace: expected 'tag', 'stand_in' or 'digest'"),
        ("replace=digest", r"replace: digest needs key, a file .* head -c 32 /dev/urandom > "),
        ("key=secret", "only replace: digest has a use for key"),
        ("spelled_out_emails=7", "redaction.spelled_out_emails: "),
        ("privat_addresses=true", r"did you mean private_addresses\?"),
    ],
)
def test_mistakes_are_told_with_their_place(setting: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_recipe("raw", CONFIG, [f"redaction.{setting}"])
    key, value = setting.split("=")
    assert caught.value.message.startswith(f"--set redaction.{key}: ")
    path = tmp_path / "mine.yaml"
    path.write_text(f"mine:\n  redaction:\n    {key}: {value}\n")
    with pytest.raises(UsageError, match=message) as caught:
        load_recipe("mine", path)
    assert caught.value.message.startswith((f"{path}:3:", f"{path}:2:3: redaction: "))


def test_valid_settings_are_taken() -> None:
    recipe = load_recipe(
        "raw",
        CONFIG,
        [
            "redaction.types=[email, phone]",
            "redaction.replace=digest",
            "redaction.key=a/file",
            "redaction.regions=[JP, US]",
            "redaction.private_addresses=true",
            "redaction.names=[person]",
            "redaction.names_model=a/model",
        ],
    )
    assert recipe.redaction == Redaction(
        types=["email", "phone"],
        replace="digest",
        key="a/file",
        regions=["JP", "US"],
        private_addresses=True,
        names=["person"],
        names_model="a/model",
    )
