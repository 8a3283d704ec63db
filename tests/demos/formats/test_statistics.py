import numpy as np

from trailkit.demos.formats import statistics


def test_pictures_have_the_statistics_of_their_pixels():
    pictures = np.random.default_rng(0).integers(20, 200, (7, 8, 9, 3), np.uint8)
    pixels = pictures.reshape(-1, 3) / 255
    found = statistics.of_pictures(statistics.histogram(pictures), 7)
    for name, expected in {
        "min": pixels.min(axis=0),
        "max": pixels.max(axis=0),
        "mean": pixels.mean(axis=0),
        "std": pixels.std(axis=0),
        "q10": np.quantile(pixels, 0.1, axis=0, method="inverted_cdf"),
        "q99": np.quantile(pixels, 0.99, axis=0, method="inverted_cdf"),
    }.items():
        assert found[name].shape == (3, 1, 1)
        np.testing.assert_allclose(found[name].ravel(), expected)
    assert found["count"].tolist() == [7]


def test_numbers_keep_their_kind_at_the_extremes():
    found = statistics.of_numbers(np.array([[False], [True], [True]]))
    assert (found["min"].tolist(), found["max"].tolist(), found["count"].tolist()) == ([False], [True], [3])
    np.testing.assert_allclose(found["mean"], 2 / 3)
    assert found["q50"].tolist() == [1.0]
