import pickle
import traceback

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import (
    InternalError,
    UsageError,
    UserError,
    VerificationError,
    WorkerError,
    from_worker,
    place_of,
    trace,
    without_user_info,
)

CLASSES = [UserError, UsageError, VerificationError]
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


def same(one: UserError | None, other: UserError) -> bool:
    return (
        type(one) is type(other)
        and one is not None
        and (one.message, one.hint) == (other.message, other.hint)
    )


def test_an_error_reads_as_message_and_hint():
    assert str(UserError("what")) == "what"
    assert str(UserError("what", "do this")) == "what\ndo this"


def test_exit_codes():
    assert [cls("x").exit_code for cls in CLASSES] == [1, 2, 3]


@given(st.sampled_from(CLASSES), TEXT, TEXT)
@example(UserError, 'line\n"quoted" }gristmill-end \\', "}")
@example(UsageError, "gristmill-error:00:", "")
def test_an_error_survives_the_texts_that_runners_make_of_it(cls, message, hint):
    error = cls(message, hint)
    text = str(WorkerError(error))
    for carried in (text, repr(text), repr(repr(text)), f"{text} [while running 'mill']\n{text}"):
        assert same(from_worker(RuntimeError(f"Traceback ...\nWorkerError: {carried}")), error)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_survives_pickling(cls):
    error = cls("what \n é", "hint")
    assert same(pickle.loads(pickle.dumps(error)), error)
    assert same(from_worker(pickle.loads(pickle.dumps(WorkerError(error)))), error)


def test_an_error_survives_its_traceback():
    try:
        try:
            raise UsageError("what", "hint")
        except UserError as error:
            raise WorkerError(error) from None
    except WorkerError as failure:
        text = "".join(traceback.format_exception(failure))
    assert same(from_worker(RuntimeError(text)), UsageError("what", "hint"))


def test_a_traceback_can_be_read_without_decoding():
    assert str(WorkerError(UserError("the disk is full", "Free some."))).startswith(
        "the disk is full\nFree some.\n"
    )


def test_a_user_error_is_itself():
    error = VerificationError("what")
    assert from_worker(error) is error


@pytest.mark.parametrize(
    "text", ["", "division by zero", "gristmill-error", "gristmill-error:xyz:"]
)
def test_another_failure_carries_no_error(text):
    assert from_worker(RuntimeError(text)) is None


SECRET = "the text of a document"


def failure() -> Exception:
    try:
        try:
            raise LookupError(SECRET)
        except LookupError as error:
            raise ValueError(SECRET) from error
    except ValueError as error:
        return error


def test_a_failure_that_nobody_foresaw_leaves_a_worker_without_its_message():
    text = str(WorkerError(failure()))
    assert SECRET not in text
    assert text.startswith("internal error: ValueError in test_pipeline_errors:")
    carried = from_worker(RuntimeError(repr(f"Traceback ... {text} [while running 'mill']")))
    assert isinstance(carried, InternalError)
    assert carried.name == "ValueError"
    assert place_of(carried) == place_of(failure())
    assert trace(carried) == trace(failure())


def test_a_traceback_has_every_place_and_no_message():
    written = trace(failure())
    assert SECRET not in written
    assert "LookupError (its message is left out" in written
    assert written.index("LookupError") < written.index("ValueError")
    assert "in failure" in written


def test_a_traceback_has_the_message_of_a_user_error():
    try:
        raise UserError("cannot read x", "do y") from OSError(SECRET)
    except UserError as error:
        written = trace(error)
    assert "cannot read x\ndo y" in written
    assert SECRET not in written


@pytest.mark.parametrize(
    ("url", "without"),
    [
        ("https://user:pass@host:1/x?y#z", "https://host:1/x?y#z"),
        ("https://token@host/x", "https://host/x"),
        ("cannot read 'ftp://u:p@ss@host/x'", "cannot read 'ftp://host/x'"),
        ("http://a:b@c, http://d:e@f", "http://c, http://f"),
        ("abfs://container@account/x", "abfs://container@account/x"),
        ("https://host/a@b?c:d@e", "https://host/a@b?c:d@e"),
        ("https://host, or write to a@b.org", "https://host, or write to a@b.org"),
    ],
)
def test_names_and_passwords_in_urls(url, without):
    assert without_user_info(url) == without
    assert without_user_info({"k": [url, 5, None], url: True}) == {
        "k": [without, 5, None],
        without: True,
    }
    assert (UserError(url, url).message, UserError(url, url).hint) == (without, without)
