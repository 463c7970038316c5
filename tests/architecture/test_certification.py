"""Each test case of part 6 for a CSMS, and each use case that 2.1 adds, is a story named by its id."""

from pathlib import Path

from cpo.management import certification

ROOT = Path(__file__).resolve().parents[2]


def test_every_test_case_of_a_certification_profile_is_a_story() -> None:
    names = certification.stories(ROOT)

    cases = sorted({case for case, _, _ in certification.cases(ROOT)})
    assert [case for case in cases if not certification.told_case(case, names)] == []


def test_every_use_case_of_the_newer_blocks_is_a_story() -> None:
    names = certification.stories(ROOT)

    assert [c for c in certification.use_cases(ROOT) if not certification.told_use_case(c, names)] == []


def test_the_certification_page_is_what_the_stories_say() -> None:
    assert (ROOT / certification.PAGE).read_text() == certification.page(ROOT)
