"""The gateway's page in a browser: headless Chromium, driven by Playwright, against the gateway as it is."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from expofmt import ConsistencyError, GroupingKey, GroupStore
from expofmt.gateway import Gateway, make_wsgi_app

playwright = pytest.importorskip("playwright.sync_api", reason="peer playwright is not installed")
expect = playwright.expect

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="peer chromium is not installed")

# 26 November 2026, 12:00 UTC.
NOW_NS = 1_795_694_400 * 10**9
MINUTE_NS = 60 * 10**9
SCREENSHOT_BYTES = 150_000

BACKUP = b"""\
# HELP backup_last_success_timestamp_seconds When a backup was last whole.
# TYPE backup_last_success_timestamp_seconds gauge
backup_last_success_timestamp_seconds 1795687200
# HELP backup_bytes How much was written, by volume.
# TYPE backup_bytes gauge
backup_bytes{volume="home"} 734003200
backup_bytes{volume="mail"} 52428800
# HELP backup_file_seconds How long a file took.
# TYPE backup_file_seconds histogram
backup_file_seconds_bucket{le="0.01"} 412
backup_file_seconds_bucket{le="0.05"} 1630
backup_file_seconds_bucket{le="0.1"} 2204
backup_file_seconds_bucket{le="0.5"} 2391
backup_file_seconds_bucket{le="1"} 2410
backup_file_seconds_bucket{le="+Inf"} 2417
backup_file_seconds_sum 187.25
backup_file_seconds_count 2417
# HELP backup_upload_seconds How long an upload took.
# TYPE backup_upload_seconds summary
backup_upload_seconds{quantile="0.5"} 1.25
backup_upload_seconds{quantile="0.9"} 3.5
backup_upload_seconds{quantile="0.99"} 8.75
backup_upload_seconds_sum 4012.5
backup_upload_seconds_count 2417
"""


class ThreadingServer(ThreadingMixIn, WSGIServer):
    """One thread for each connection of the browser."""

    daemon_threads = True


class SilentHandler(WSGIRequestHandler):
    """Says nothing of the requests."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Served:
    """A gateway that listens, and its store, whose clock the test sets."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS
        self.url = ""
        self.store = GroupStore(clock=self.now)

    def now(self) -> int:
        return self.now_ns

    def push(self, body: bytes = b"a 1\n", *, job: str = "backup", minutes_ago: float = 0, **labels: str) -> None:
        now = self.now_ns
        self.now_ns = now - int(minutes_ago * MINUTE_NS)
        try:
            self.store.put(GroupingKey(job, labels), body)
        finally:
            self.now_ns = now

    def jobs(self) -> list[str]:
        return [key.job for key in self.store.groups]


Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts gateways, with options of theirs."""
    with ExitStack() as stack:

        def start(*, below: str = "", **options: Any) -> Served:
            served = Served()
            gateway = Gateway(served.store, clock=served.now, **options)
            server = make_server("127.0.0.1", 0, make_wsgi_app(gateway), ThreadingServer, SilentHandler)
            thread = Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            stack.callback(server.server_close)
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            served.url = f"http://127.0.0.1:{server.server_port}{below}/"
            return served

        yield start


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        # In a container there is no user that a sandbox could be made for; only our own page is opened.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A window. What a script of the page throws, or what the Content-Security-Policy forbids it, fails the test."""
    context = browser.new_context(viewport={"width": 1100, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(15_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.extend([message.text] if message.type == "error" else []))
    yield page
    context.close()
    # A browser also says so when an answer is an error, as some tests want it to be.
    assert [fault for fault in faults if not fault.startswith("Failed to load resource")] == []


def rows(page: Any) -> Any:
    return page.locator(".group")


def row(page: Any, text: str) -> Any:
    return rows(page).filter(has_text=text)


def open_row(page: Any, text: str) -> Any:
    row(page, text).locator("button.disclosure").click()
    return row(page, text).locator(".group-body")


def test_groups_families_and_values(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(BACKUP, instance="db1", minutes_ago=12)
    page.goto(served.url)
    expect(page.locator("#count")).to_have_text("1 group")
    group = row(page, 'job="backup"')
    expect(group).to_contain_text('instance="db1"')
    expect(group.locator("time")).to_have_text("12 min ago")
    expect(group.locator("time")).to_have_attribute("title", "2026-11-26T11:48:00.000Z")
    expect(group).to_contain_text("4 families · 16 samples")
    body = open_row(page, "backup")
    family = body.locator("[data-name=backup_bytes]")
    expect(family).to_contain_text("How much was written, by volume.")
    expect(family).to_contain_text("gauge")
    expect(family.locator("tbody tr")).to_have_text(['volume="home"734003200', 'volume="mail"52428800'])
    expect(family.locator("td.value").first).to_have_attribute("title", "7.340032e+08")
    success = body.locator("[data-name=backup_last_success_timestamp_seconds] .value")
    expect(success).to_contain_text("1795687200")
    expect(success.locator("time")).to_have_text("2 h ago")


def test_ages_go_on(serve: Serve, page: Any) -> None:
    served = serve()
    served.push()
    page.clock.install()
    page.goto(served.url)
    age = rows(page).locator(".age time")
    expect(age).to_have_text("just now")
    page.clock.run_for(40_000)
    expect(age).to_have_text(re.compile(r"^[34]\d s ago$"))


def test_histograms_and_summaries_are_drawn_and_told(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(BACKUP)
    page.goto(served.url)
    body = open_row(page, "backup")
    histogram = body.locator("[data-name=backup_file_seconds]")
    chart = histogram.get_by_role("img", name="Histogram of 6 buckets. Most, 1,218, are above 0.01, at most 0.05.")
    expect(chart).to_be_visible()
    heights = [float(bar.get_attribute("height")) for bar in chart.locator("rect").all()]
    assert len(heights) == 6
    # As high as there are observations in each: 412, 1218, 574, 187, 19 and 7.
    assert [round(height / max(heights) * 1218) for height in heights] == [412, 1218, 574, 187, 19, 7]
    expect(histogram).to_contain_text("count 2417")
    expect(histogram).to_contain_text("mean 0.07747")
    histogram.get_by_text("As a table").click()
    expect(histogram.locator("tbody tr").nth(1)).to_have_text("≤ 0.051630")
    summary = body.locator("[data-name=backup_upload_seconds]")
    chart = summary.get_by_role("img", name="Quantiles: 0.5 is 1.25, 0.9 is 3.5, 0.99 is 8.75.")
    expect(chart).to_be_visible()
    widths = [float(bar.get_attribute("width")) for bar in chart.locator("rect").all()]
    assert [round(width / max(widths) * 8.75, 6) for width in widths] == [1.25, 3.5, 8.75]


def test_charts_of_what_has_no_numbers(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(
        b'# TYPE s summary\ns{quantile="0.5"} NaN\ns_sum 0\ns_count 0\n'
        b'# TYPE h histogram\nh_bucket{le="+Inf"} 0\nh_sum 0\nh_count 0\n'
    )
    page.goto(served.url)
    body = open_row(page, "backup")
    expect(body.get_by_role("img", name="Quantiles: 0.5 is NaN.")).to_be_visible()
    expect(body.get_by_role("img", name="Histogram of 1 bucket. No observations.")).to_be_visible()
    assert "NaN" not in "".join(bar.evaluate("bar => bar.outerHTML") for bar in body.locator("rect").all())


def test_numbers_of_any_size_have_room(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(
        b'# TYPE s summary\ns{quantile="0.5"} 1e300\ns{quantile="0.9"} 1e20\ns{quantile="0.99"} 1e-12\n'
        b'# TYPE h histogram\nh_bucket{le="1e-09"} 3\nh_bucket{le="1e+20"} 2.5e18\nh_bucket{le="+Inf"} 2.5e18\n'
    )
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto(served.url)
    body = open_row(page, "backup")
    expect(body.locator("[data-name=s] .figure")).to_have_text(["1e+300", "1e+20", "1e-12"])
    expect(body.locator("[data-name=h] svg text:not(.figure)")).to_have_text(["1e-9", "1e+20", "+Inf"])
    expect(body.locator("[data-name=h] .figure")).to_have_text("2.5e+18")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [320, 1100])
def test_a_histogram_of_very_many_buckets_is_scrolled(serve: Serve, page: Any, width: int) -> None:
    served = serve()
    bounds = [*map(str, range(1, 300)), "+Inf"]
    lines = (f'h_bucket{{le="{bound}"}} {number}\n' for number, bound in enumerate(bounds))
    served.push(f"# TYPE h histogram\n{''.join(lines)}".encode())
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(served.url)
    chart = open_row(page, "backup").locator(".chart")
    expect(chart).to_be_visible()
    assert chart.evaluate("chart => chart.getBoundingClientRect().height") == 110
    frame = page.locator(".chart-frame")
    assert frame.evaluate("frame => frame.scrollWidth > 2 * frame.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    last = chart.locator("text", has_text="+Inf")
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()


ODD = "db1\u202e1bd\u200b\x00\t\u00a0é"
SHOWN = r"db1\u202e1bd\u200b\x00\t\u00a0é"


def test_what_is_not_seen_as_itself_is_escaped(serve: Serve, page: Any) -> None:
    """Above all where it is asked which group to delete."""
    served = serve()
    served.push(f'# HELP a {ODD}\n# TYPE a gauge\na{{b="{ODD}"}} 1\na{{b="c"}} 1\n'.encode(), instance=ODD)
    served.push(b"o 1\n", job="other")
    page.goto(served.url)
    body = open_row(page, "backup")
    expect(rows(page).first.locator(".label").nth(1)).to_have_text(f'instance="{SHOWN}"')
    expect(body.locator("tbody .label").nth(1)).to_have_text(f'b="{SHOWN}"')
    expect(body.locator(".help")).to_have_text(SHOWN)
    # Both what is shown and what was pushed can be searched for.
    for query in (r"1bd\u200b", "1bd\u200b"):
        page.fill("#search", query)
        expect(page.locator("#count")).to_have_text("1 of 2 groups")
    button = rows(page).get_by_role("button", name=re.compile("^Delete"))
    assert button.get_attribute("aria-label") == f'Delete the group job="backup", instance="{SHOWN}"'
    button.click()
    expect(page.get_by_role("dialog").locator(".label").nth(1)).to_have_text(f'instance="{SHOWN}"')
    page.get_by_role("button", name="Delete group").click()
    expect(page.locator("#notice")).to_have_text(f'Deleted the group job="backup", instance="{SHOWN}".')
    assert served.jobs() == ["other"]


def test_text_from_right_to_left_stays_in_its_place(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(instance="אבג", zone="12 דה")
    page.goto(served.url)
    boxes = [chip.bounding_box() for chip in rows(page).locator(".label").all()]
    assert [box["x"] for box in boxes] == sorted(box["x"] for box in boxes)
    assert "בג" in rows(page).locator(".label").nth(1).inner_text()


def test_long_texts_are_cut_in_lists_and_whole_where_they_are_opened(serve: Serve, page: Any) -> None:
    served = serve()
    long = "x" * 3000
    name = "n" * 2000
    text = f'# HELP a {long}\n# TYPE a gauge\na{{b="{long}"}} 1\na{{b="c"}} 1\n{name} 1\n'
    others: dict[str, Any] = {f"l{number}": "y" * 150 for number in range(50)}
    served.push(text.encode(), instance=f"{long}end", **others)
    served.push(b"o 1\n", job="other")
    page.goto(served.url)
    head = rows(page).first.locator(".group-head")
    assert head.evaluate("head => head.clientHeight") < 200
    page.fill("#search", "xend")
    expect(page.locator("#count")).to_have_text("1 of 2 groups")
    body = open_row(page, "backup")
    expect(body.locator("div.whole .label", has_text="instance=")).to_have_text(f'instance="{long}end"')
    # The whole can be selected, as the text of a button cannot.
    assert body.locator("div.whole").evaluate("node => getComputedStyle(node).userSelect") != "none"
    family = body.locator("[data-name=a]")
    expect(family.locator("p.whole")).to_have_text(long)
    assert len(family.locator(".help").inner_text()) == 200
    label = family.locator("tbody .label").filter(has_text="characters")
    expect(label).to_contain_text("3,004 characters")
    assert label.evaluate("label => label.clientHeight") < 200
    label.locator("summary").click()
    expect(label).to_contain_text(f'b="{long}"')
    single = body.locator(f"[data-name={name}] .family-name")
    single.locator("summary").click()
    expect(single).to_contain_text(name)
    rows(page).get_by_role("button", name=re.compile("^Delete")).click()
    expect(page.get_by_role("dialog")).to_contain_text(f'instance="{long}end"')
    expect(page.get_by_role("button", name="Delete group")).to_be_in_viewport()


def test_two_thousand_groups_show_as_many_as_are_looked_at(serve: Serve, page: Any) -> None:
    served = serve()
    bodies = [b"a_bytes 1\nb_bytes 2\n", b"c_seconds 1\n"]
    for number in range(2000):
        served.push(bodies[number % 2], instance=f"host-{number:04}")
    page.goto(served.url)
    expect(page.locator("#count")).to_have_text("2,000 groups")
    shown = rows(page).count()
    assert 10 <= shown <= 120
    page.mouse.wheel(0, 10**6)
    expect(rows(page).nth(shown)).to_be_attached()
    assert rows(page).count() <= 4 * shown
    page.fill("#search", "c_sec host-19")
    expect(page.locator("#count")).to_have_text("50 of 2,000 groups")
    expect(rows(page)).to_have_count(50)
    expect(rows(page).first).to_contain_text("Has c_seconds")
    page.fill("#search", 'instance="host-1234"')
    expect(rows(page)).to_have_count(1)
    page.fill("#search", "nobody is called so")
    expect(page.locator("#count")).to_have_text("0 of 2,000 groups")
    expect(page.locator("#group-list")).to_have_text("No group is like that.")
    page.fill("#search", "")
    expect(page.locator("#count")).to_have_text("2,000 groups")
    assert rows(page).count() <= 120


def test_the_next_groups_come_by_keyboard_as_well(serve: Serve, page: Any) -> None:
    served = serve()
    for number in range(300):
        served.push(instance=f"host-{number:04}")
    page.goto(served.url)
    expect(page.locator("#count")).to_have_text("300 groups")
    shown = rows(page).count()
    button = page.get_by_role("button", name="more of")
    button.press("Enter")
    expect(rows(page).nth(shown)).to_be_attached()
    expect(rows(page).nth(shown).locator("button.disclosure")).to_be_focused()


def test_a_group_of_very_many_series_tells_what_is_not_shown(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(b"".join(b'a{n="%d"} 1\n' % number for number in range(6000)))
    page.goto(served.url)
    family = open_row(page, "backup").locator("[data-name=a]")
    expect(family.locator("summary")).to_contain_text("6,000 metrics")
    family.locator("summary").click()
    expect(family.locator("tbody tr")).to_have_count(100)
    expect(family).to_contain_text("1,000 more lines of this family not shown")
    family.get_by_role("button", name="Show 100 more of 4,900").click()
    expect(family.locator("tbody tr")).to_have_count(200)
    with page.expect_navigation():
        family.get_by_role("link", name="all of this family").click()
    assert page.inner_text("body").count('job="backup"') == 6000


def test_failures_stand_out_by_words_and_picture(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(job="fine", minutes_ago=9)
    served.push(job="torn", minutes_ago=8)
    with pytest.raises(ConsistencyError):
        served.push(b"a 1 1000\n", job="torn", minutes_ago=3)
    page.goto(served.url)
    expect(page.locator("#count")).to_have_text("2 groups, 1 failing")
    badge = row(page, "torn").locator(".badge")
    expect(badge).to_have_text("Last push failed 3 min ago")
    expect(badge.locator("svg")).to_be_visible()
    expect(row(page, "fine").locator(".badge")).to_have_count(0)
    page.check("#failing-only")
    expect(rows(page)).to_have_count(1)
    page.uncheck("#failing-only")
    page.select_option("#order", "failing")
    expect(rows(page).first).to_contain_text("torn")
    page.select_option("#order", "oldest")
    expect(rows(page).first).to_contain_text("fine")
    # What has the focus keeps it where it is moved.
    disclosure = row(page, "torn").locator("button.disclosure")
    disclosure.focus()
    served.push(job="fine")
    page.evaluate("document.querySelector('#refresh').click()")
    expect(rows(page).first).to_contain_text("torn")
    expect(disclosure).to_be_focused()


@pytest.mark.parametrize("labels", [{"instance": "a"}, {"path": "/a b/c", "empty": "", "dots": "..", "sign": 'a"<&%+'}])
@pytest.mark.parametrize("options", [{}, {"below": "/push/gate", "route_prefix": "/push/gate"}])
def test_delete_asks_first(serve: Serve, page: Any, labels: dict[str, Any], options: dict[str, str]) -> None:
    served = serve(**options)
    served.push(job="a/b", **labels)
    served.push(job="kept")
    page.goto(served.url)
    button = row(page, "a/b").get_by_role("button", name=re.compile("^Delete the group"))
    button.click()
    dialog = page.get_by_role("dialog", name="Delete this group?")
    expect(dialog).to_contain_text('job="a/b"')
    expect(dialog).to_contain_text("1 family with 1 sample will be gone")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    assert sorted(served.jobs()) == ["a/b", "kept"]
    button.click()
    dialog.get_by_role("button", name="Delete group").click()
    expect(row(page, "a/b")).to_have_count(0)
    expect(page.locator("#notice")).to_contain_text('Deleted the group job="a/b"')
    assert served.jobs() == ["kept"]
    # Who deletes by keyboard goes on with the next group.
    expect(row(page, "kept").locator("button.disclosure")).to_be_focused()


def test_an_external_path_that_a_proxy_cuts_off_stands_before_all_links(serve: Serve, page: Any) -> None:
    served = serve(route_prefix="/", external_path="/outside")
    served.push(job="kept")
    served.push(job="gone")

    def proxy(route: Any) -> None:
        route.continue_(url=route.request.url.replace("/outside/", "/"))

    page.route("**/outside/**", proxy)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served.url + "outside/")
    expect(rows(page)).to_have_count(2)
    open_row(page, "kept")
    row(page, "gone").get_by_role("button", name=re.compile("^Delete")).click()
    page.get_by_role("button", name="Delete group").click()
    expect(rows(page)).to_have_count(1)
    page.get_by_role("link", name="Status").click()
    expect(page.get_by_role("heading", name="Status")).to_be_visible()
    assert page.url.endswith("/outside/status")
    assert [url for url in asked if "/outside/" not in url] == []
    assert served.jobs() == ["kept"]


def test_all_can_be_deleted_only_where_the_admin_api_is_on(serve: Serve, page: Any) -> None:
    served = serve()
    served.push()
    page.goto(served.url)
    expect(rows(page)).to_have_count(1)
    expect(page.locator("#wipe")).to_be_hidden()
    served = serve(enable_admin_api=True)
    served.push(job="a")
    served.push(job="b")
    page.goto(served.url)
    page.get_by_role("button", name="Delete all 2 groups").click()
    page.get_by_role("button", name="Cancel").click()
    expect(rows(page)).to_have_count(2)
    page.get_by_role("button", name="Delete all 2 groups").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete all").click()
    expect(page.locator("#group-list")).to_have_text("No group has been pushed yet.")
    expect(page.locator("#wipe")).to_be_disabled()
    assert served.jobs() == []


def test_what_was_pushed_is_text_and_never_markup(serve: Serve, page: Any) -> None:
    served = serve()
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    told = evil.replace('"', '\\"')
    served.push(f'# HELP a {evil}\n# TYPE a gauge\na{{b="{told}"}} 1\na{{b="c"}} 1\n'.encode(), job=evil, instance=evil)
    page.goto(served.url)
    body = open_row(page, "onerror")
    expect(body.locator("tbody tr").first).to_contain_text(told)
    expect(body.locator(".help")).to_have_text(evil)
    expect(rows(page).locator("h2")).to_contain_text(told)
    rows(page).get_by_role("button", name=re.compile("^Delete")).click()
    expect(page.get_by_role("dialog")).to_contain_text(told)
    assert page.locator("main img, main script, dialog img, dialog script").count() == 0
    assert page.title() == "expofmt gateway"


def test_the_address_says_what_is_searched_and_open(serve: Serve, page: Any, browser: Any) -> None:
    served = serve()
    for number in range(200):
        served.push(instance=f"host-{number:04}")
    served.push(BACKUP, job="nightly", path="/srv/a b")
    page.goto(served.url)
    page.fill("#search", "nightly")
    expect(rows(page)).to_have_count(1)
    expect(open_row(page, "nightly").locator("[data-name=backup_bytes]")).to_be_visible()
    address = page.url
    assert "q=nightly" in address
    assert "group=job/nightly/path@base64/" in address.replace("%40", "@")
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator("#search")).to_have_value("nightly")
    expect(row(page, "nightly").locator("[data-name=backup_bytes]")).to_be_visible()
    # That it is refreshed by itself is kept as well.
    page.check("#automatic")
    assert "automatic=yes" in page.url
    page.reload()
    expect(page.locator("#automatic")).to_be_checked()
    # A group far down is brought onto the screen.
    page.goto("about:blank")
    page.goto(served.url + "#group=job/backup/instance/host-0180")
    expect(row(page, "host-0180").locator(".group-body")).to_be_in_viewport()
    page.evaluate("location.hash = 'q=host-0007'")
    expect(rows(page)).to_have_count(1)


def test_refresh_shows_what_came_and_keeps_what_is_open(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(b"a 1\n", job="m")
    page.goto(served.url)
    value = open_row(page, "m").locator(".value")
    expect(value).to_have_text("1")
    served.push(b"a 2\n", job="m")
    served.now_ns += MINUTE_NS
    served.push(b"a 2\n", job="m")
    served.push(job="b")
    refresh = page.get_by_role("button", name="Refresh")
    refresh.click()
    expect(rows(page)).to_have_count(2)
    expect(value).to_have_text("2")
    expect(refresh).to_be_focused()


def test_a_late_answer_does_not_bring_back_what_is_gone(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(job="gone")
    page.goto(served.url)
    expect(rows(page)).to_have_count(1)
    held: list[tuple[Any, Any]] = []

    def hold_the_first(route: Any) -> None:
        if held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route("**/api/v1/groups", hold_the_first)
    refresh = page.get_by_role("button", name="Refresh")
    with page.expect_request("**/api/v1/groups"):
        refresh.click()
    expect(page.locator("#group-list")).to_have_attribute("aria-busy", "true")
    while not held:
        page.wait_for_timeout(10)
    served.store.delete(GroupingKey("gone"))
    refresh.click()
    expect(rows(page)).to_have_count(0)
    ((route, answer),) = held
    with page.expect_response("**/api/v1/groups"):
        route.fulfill(response=answer)
    assert answer.json()["groups"] != []
    expect(page.locator("#group-list")).to_have_text("No group has been pushed yet.")


def test_errors_are_shown_and_what_was_there_stays(serve: Serve, page: Any) -> None:
    served = serve()
    served.push()
    page.goto(served.url)
    expect(rows(page)).to_have_count(1)
    alert = page.locator("#alerts[role=alert]")
    page.route("**/api/v1/groups", lambda route: route.fulfill(status=503, body="disk full"))
    page.get_by_role("button", name="Refresh").click()
    expect(alert).to_contain_text(
        "The groups could not be loaded: the gateway answered 503 Service Unavailable: disk full."
    )
    expect(rows(page)).to_have_count(1)
    page.unroute("**/api/v1/groups")
    page.route("**/api/v1/groups", lambda route: route.abort())
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_contain_text("the gateway cannot be reached")
    page.unroute("**/api/v1/groups")
    page.route("**/api/v1/groups", lambda route: route.fulfill(body="<html>"))
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_contain_text("the gateway's answer cannot be read")
    page.unroute("**/api/v1/groups")
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_be_empty()
    page.route("**/metrics/job/**", lambda route: route.fulfill(status=403, body="not you"))
    page.get_by_role("button", name=re.compile("^Delete")).click()
    page.get_by_role("button", name="Delete group").click()
    expect(alert).to_contain_text("The group could not be deleted: the gateway answered 403 Forbidden: not you.")
    expect(rows(page)).to_have_count(1)
    page.route("**/api/v1/groups/**", lambda route: route.fulfill(status=404, body="no such page"))
    body = open_row(page, "backup")
    expect(body.get_by_role("alert")).to_contain_text(
        "The metrics of this group could not be loaded: the gateway answered 404 Not Found: no such page."
    )
    expect(rows(page)).to_have_count(1)


def test_a_group_that_is_gone_meanwhile(serve: Serve, page: Any) -> None:
    served = serve()
    for job in ("a", "b", "c"):
        served.push(job=job)
    page.goto(served.url)
    expect(rows(page)).to_have_count(3)
    served.store.delete(GroupingKey("b"))
    row(page, 'job="b"').locator("button.disclosure").press("Enter")
    expect(page.locator("#notice")).to_have_text('The group job="b" has been deleted meanwhile.')
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#alerts")).to_be_empty()
    expect(row(page, 'job="c"').locator("button.disclosure")).to_be_focused()
    assert "group=" not in page.url


def test_by_keyboard_alone(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(b'a{b="c"} 1\na{b="d"} 1\n', job="a")
    served.push(job="b")
    page.goto(served.url)
    expect(rows(page)).to_have_count(2)

    def tab_to(wanted: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
                # It can be seen where the focus is.
                assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
                return
        pytest.fail(f"{wanted} cannot be reached")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    tab_to("#search")
    page.keyboard.type("job=a")
    expect(rows(page)).to_have_count(1)
    tab_to("button.disclosure")
    page.keyboard.press("Enter")
    expect(page.locator("button.disclosure")).to_have_attribute("aria-expanded", "true")
    expect(rows(page).locator("tbody tr")).to_have_count(2)
    tab_to("button.icon-button")
    page.keyboard.press("Enter")
    expect(page.locator("#confirm-no")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("button.icon-button")).to_be_focused()
    assert len(served.jobs()) == 2
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#confirm-yes")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_have_text('Deleted the group job="a".')
    assert served.jobs() == ["b"]
    expect(page.locator("#search")).to_be_focused()


def test_what_a_screen_reader_finds(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(BACKUP)
    page.goto(served.url)
    expect(page.get_by_role("banner")).to_be_visible()
    expect(page.get_by_role("navigation", name="Views").get_by_role("link", name="Groups")).to_have_attribute(
        "aria-current", "page"
    )
    expect(page.get_by_role("main")).to_be_visible()
    expect(page.get_by_role("search", name="Groups").get_by_role("searchbox")).to_be_visible()
    expect(page.get_by_role("list").get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_role("status").filter(has_text="1 group")).to_be_visible()
    open_row(page, "backup")
    expect(page.get_by_role("heading")).to_have_count(6)
    headings = page.get_by_role("heading").all()
    assert [heading.evaluate("node => node.tagName") for heading in headings] == ["H1", "H2", "H3", "H3", "H3", "H3"]
    unnamed = page.evaluate(
        "[...document.querySelectorAll('main :is(button, input, select, a)')]"
        ".filter((node) => !(node.ariaLabel || node.textContent.trim() || node.labels?.length))"
        ".map((node) => node.outerHTML)"
    )
    assert unnamed == []


CONTRAST = """
([text, ground]) => {
  const light = (selector, property) => {
    for (let node = document.querySelector(selector); node; node = node.parentElement) {
      const [r, g, b, a = 1] = getComputedStyle(node)[property].match(/[\\d.]+/g).map(Number);
      if (a === 0) continue;
      const [R, G, B] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
      return 0.2126 * R + 0.7152 * G + 0.0722 * B;
    }
  };
  const [one, other] = [light(text, "color"), light(ground, "backgroundColor")].sort((a, b) => b - a);
  return (one + 0.05) / (other + 0.05);
}
"""


def test_dark_and_light(serve: Serve, page: Any) -> None:
    served = serve()
    served.push(BACKUP)
    with pytest.raises(ConsistencyError):
        served.push(b"a 1 1000\n", minutes_ago=-1)
    page.goto(served.url)
    expect(open_row(page, "backup").locator(".help").first).to_be_visible()
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        for shown in (
            "h1",
            "#count",
            ".label",
            ".label b",
            ".badge",
            ".help",
            ".value",
            ".type",
            "nav a",
            ".more",
            "#wipe",
        ):
            assert page.evaluate(CONTRAST, [shown, shown]) >= 4.5, (scheme, shown)
    assert len(set(grounds)) == 2


@pytest.mark.parametrize("width", [320, 700, 1600])
def test_any_width(serve: Serve, page: Any, width: int) -> None:
    served = serve(enable_admin_api=True)
    served.push(BACKUP, instance="a-rather-long-name.of-a-host.example.org:9100", path="/x" * 100)
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(served.url)
    expect(open_row(page, "backup").locator(".chart").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_status(serve: Serve, page: Any) -> None:
    served = serve(build={"version": "1.2.3", "branch": "main"}, flags={"web.route-prefix": "", "log.level": "info"})
    status = (
        b'{"status":"success","data":{"build_information":{"branch":"main","version":"1.2.3"},'
        b'"flags":{"log.level":"info","web.route-prefix":""},"start_time":"2026-11-26T11:48:00.5Z"}}'
    )
    page.route("**/api/v1/status", lambda route: route.fulfill(body=status, content_type="application/json"))
    page.goto(served.url)
    page.get_by_role("link", name="Status").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Status")
    expect(page.get_by_role("link", name="Status")).to_have_attribute("aria-current", "page")
    expect(page.locator(".card").nth(0)).to_contain_text("2026-11-26T11:48:00.5Z")
    expect(page.locator(".card").nth(1)).to_contain_text("version1.2.3")
    expect(page.locator(".card").nth(2)).to_contain_text("--log.levelinfo")
    page.route("**/api/v1/status", lambda route: route.abort())
    page.reload()
    expect(page.locator("#alerts")).to_contain_text("The status could not be loaded: the gateway cannot be reached")


def test_screenshot(serve: Serve, page: Any, tmp_path: Path) -> None:
    """`poe screenshot` puts it where the README shows it."""
    served = serve()
    served.push(BACKUP, job="nightly-backup", instance="db1.example.org", minutes_ago=12)
    served.push(job="nightly-backup", instance="db2.example.org", minutes_ago=14)
    served.push(b"a 1\nb 2\n", job="certificate-renewal", zone="eu", minutes_ago=3 * 60)
    served.push(b"a 1\nb 2\n", job="certificate-renewal", zone="us", minutes_ago=9 * 60)
    with pytest.raises(ConsistencyError):
        served.push(b"a 1 1000\n", job="certificate-renewal", zone="us", minutes_ago=4)
    served.push(b"a 1\nb 2\n", job="report", minutes_ago=5 * 24 * 60)
    page.set_viewport_size({"width": 1000, "height": 900})
    page.goto(served.url)
    expect(open_row(page, "db1.example.org").locator(".chart")).to_have_count(2)
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    target = Path(os.environ.get("EXPOFMT_SCREENSHOT") or tmp_path / "page.png")
    page.screenshot(path=target, full_page=True)
    assert target.read_bytes().startswith(b"\x89PNG")
    assert target.stat().st_size < SCREENSHOT_BYTES
