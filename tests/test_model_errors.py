from model.errors import TrainingError


def test_text_holds_message_and_hint() -> None:
    assert str(TrainingError("it broke", "mend it")) == "it broke\nmend it"
    assert str(TrainingError("it broke")) == "it broke"
