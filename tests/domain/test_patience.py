"""How long a thread waits for a silent database, and that the bound ends with its block."""

import pytest

from payments.domain.patience import hurried, longest_silence, patient


class TestTheLongestSilence:
    def test_is_the_usual_one_unless_somebody_is_in_a_hurry_or_patient(self) -> None:
        assert longest_silence(10) == 10
        with hurried(0.5):
            assert longest_silence(10) == 0.5
            with patient():
                assert longest_silence(10) is None
            assert longest_silence(10) == 0.5
        assert longest_silence(10) == 10

    def test_is_the_usual_one_after_an_error_too(self) -> None:
        with pytest.raises(KeyError), hurried(0.5):
            raise KeyError
        assert longest_silence(10) == 10
