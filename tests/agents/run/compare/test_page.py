"""The page of a comparison in a browser: from the disk, without a server, at a desk and on a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import browser
from playwright.sync_api import Page

from trailkit.agents.run.cli import main

_ENV = ["env=reach", "env.height=32", "env.width=32", "env.episode_steps=20", "env.trial_steps=5"]
_TRAINING = ["threads=1", "steps=300", "agent.batch_size=8", "evaluation.every=150", "evaluation.episodes=3"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two small runs of TRAIL and of behaviour cloning, with a video of each."""
    folder = tmp_path_factory.mktemp("report")
    demos = f"demos={folder / 'demos'}"
    main(["record", "device=scripted", *_ENV, "keep_failures=true", "episodes=3", f"out={folder / 'demos'}"])
    runs = {method: f"{folder / method}" for method in ("trail", "bc")}
    for method, run in runs.items():
        main(["train", f"method={method}", demos, *_ENV, *_TRAINING, "replay=memory", f"out={run}"])
        main(["render", f"run={run}", "episodes=1", "height=48", "width=64"])
    out = folder / "made" / "report.html"
    main(["compare", *runs.values(), f"out={out}"])
    return out


@pytest.fixture(scope="module", params=[(1280, 800), (390, 844)], ids=["desk", "phone"])
def opened(report: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Page, list[str]]]:
    """The page, and what it complained of."""
    width, height = request.param
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": width, "height": height})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: request.url.startswith("http") and complaints.append(request.url))
        page.goto(report.as_uri())
        yield page, complaints


def test_nothing_is_complained_of_or_fetched_and_nothing_overflows(opened: tuple[Page, list[str]]) -> None:
    page, complaints = opened
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_pictures_are_there_and_videos_play(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    assert page.evaluate("[...document.images].map(each => each.naturalWidth > 1000)") == [True, True, True]
    played = page.evaluate(
        """async () => {
            const videos = [...document.querySelectorAll("video")];
            await Promise.all(videos.map(each => each.play()));
            await new Promise(done => setTimeout(done, 600));
            return videos.map(each => [each.videoWidth, each.videoHeight, each.currentTime > 0, each.error]);
        }"""
    )
    assert played == [[64, 56, True, None]] * 2  # 8 rows below the picture tell the time


def test_it_says_what_it_comes_to_first(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    assert page.title() == "bc on reach, trail on reach"
    first = page.locator("p").first
    assert first.inner_text().startswith("reach: ")
    assert first.is_visible()
    headings = page.locator("h2").all_inner_texts()
    assert headings == [
        "Results",
        "reach: success",
        "reach: what tells why",
        "reach: what the discriminator says of frames: above 0 they are the expert's",
        "Videos",
        "What the runs differ by",
    ]
