"""That the contract suite is still proven: a part here, all of it by `make bank-mutants`."""

import shutil
from pathlib import Path

import pytest

from tests.banks.simulated.mutants import contract_tests, judge
from tests.banks.simulated.mutations import MUTATIONS
from tests.support.simulated_bank import PROJECT


class TestMutations:
    def test_each_still_finds_the_text_it_replaces(self, tmp_path: Path) -> None:
        for mutation in MUTATIONS:
            files = {file for file, _text, _other in mutation.changes}
            for file in files:
                (tmp_path / file).parent.mkdir(exist_ok=True)
                shutil.copy(PROJECT / "bank" / file, tmp_path / file)
            mutation.apply(tmp_path)
            for file in files:
                compile((tmp_path / file).read_text(), file, "exec")

    def test_each_test_of_the_contract_is_proven_by_one(self) -> None:
        assert {test for mutation in MUTATIONS for test in mutation.caught_by} == contract_tests()

    def test_no_two_break_the_same_sentence(self) -> None:
        sentences = [mutation.sentence for mutation in MUTATIONS]
        assert len(sentences) == len(set(sentences))

    @pytest.mark.parametrize(
        "sentence", ["same key + same path returns the stored answer", "a void of an expired hold succeeds"]
    )
    def test_a_broken_sentence_is_caught(self, sentence: str) -> None:
        [mutation] = [one for one in MUTATIONS if one.sentence == sentence]
        verdict = judge(mutation)
        assert verdict.caught, verdict
