"""The report inside a cell of a notebook, in a real browser."""

import pytest

import instashap


@pytest.fixture(scope="module")
def small():
    import numpy as np
    import pandas as pd

    X = pd.DataFrame(np.random.default_rng(0).normal(size=(150, 2)), columns=["a'b", "<c>"])
    explainer = instashap.Explainer(order=1).fit(X, outputs=pd.Series(2 * X.iloc[:, 0] - X.iloc[:, 1], name="price"))
    return explainer, X


def test_the_frame_holds_the_live_explorer_alone_and_needs_no_connection(small, browser, tmp_path):
    view = instashap.show_report(*small, title="Two 'columns'")
    path = tmp_path / "cell.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><body>{view._repr_html_()}", encoding="utf-8")
    page = browser.new_page()
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    frame = page.frames[1]
    frame.wait_for_function("document.getElementById('prediction').textContent !== ''")
    visible = frame.eval_on_selector_all("section", "all => all.filter(each => each.offsetHeight > 0).map(each => each.id)")
    assert visible == ["explorer"]
    assert not frame.is_visible("#permalink")
    before = float(frame.inner_text("#prediction").replace("−", "-"))
    slider = frame.locator("#controls input[type=range]").first
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    frame.wait_for_function(f"Number(document.getElementById('prediction').textContent.replace('−', '-')) !== {before}")
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "about:"))] == []
    page.close()


def test_the_whole_report_and_what_cannot_be_shown(small):
    view = instashap.show_report(*small, part="all", height=300)
    assert "section:not(#explorer)" not in view.page
    assert "height:300px" in view._repr_html_()
    assert repr(view).startswith("ReportView of 'Model report': ")
    assert len(repr(view)) < 120
    with pytest.raises(ValueError, match="part"):
        instashap.show_report(*small, part="shapes")
    with pytest.raises(ValueError, match="height=20 shows nothing"):
        instashap.show_report(*small, height=20)
