"""The pipeline of chunks in streams, against the textbook's formula and plain bounds."""

from itertools import pairwise

import pytest

from gpucourse.viz import explorers, pipeline


def total(*args):
    return max(bar.end for bar in pipeline.schedule(*args))


@pytest.mark.parametrize("chunks", [1, 2, 4, 16])
def test_one_stream_overlaps_nothing(chunks):
    assert total(chunks, 1, 12, 10, 8) == pytest.approx(30)


@pytest.mark.parametrize("chunks", [1, 2, 4, 8])
@pytest.mark.parametrize("stages", [(12, 10, 8), (4, 20, 4), (5, 5, 5), (1, 2, 9)])
def test_enough_streams_follow_the_formula_of_a_pipeline(chunks, stages):
    # the first chunk passes all stages, then the slowest stage sets the pace
    due = sum(stages) / chunks + (chunks - 1) * max(stages) / chunks
    assert total(chunks, chunks, *stages) == pytest.approx(due)


def test_no_engine_and_no_stream_does_two_things_at_once():
    bars = pipeline.schedule(8, 3, 12, 10, 8)
    for engine in pipeline.ENGINES:
        mine = [(bar.start, bar.end) for bar in bars if bar.row == engine]
        assert all(end <= start + 1e-9 for (_, end), (start, _) in pairwise(mine))
    for stream in range(3):
        mine = [bar for bar in bars if (int(bar.label) - 1) % 3 == stream]
        assert all(a.end <= b.start + 1e-9 for a, b in pairwise(mine))


def test_sentence_and_explorer():
    assert "16.5 ms instead of 30.0 ms" in pipeline.draw()[1]
    explorer = explorers.pipeline()
    explorer.set(streams=1)
    assert "30.0 ms instead of 30.0 ms" in explorer.sentence
