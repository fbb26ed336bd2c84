"""The page in a real browser: opened from a file, it asks for nothing, and what it shows are the numbers of the run."""

from pathlib import Path

import pytest
from headless import WAIT, browser, complaints, requests

from diffbench import Function, Spec, run, write_report
from diffbench.report.explorer import view
from diffbench.report.plots import emphasised_schemes

NASTY = "<img src=x onerror=alert(1)></script>$$x$$"
SCHEMES = [
    "forward-1",
    "forward-2",
    "central-2",
    "central-4",
    "complex-step",
    "backward-1",
    "central-6",
    "central-8",
    "forward-6",
]
CHECKS = (Path(__file__).parent / "checks.js").read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    functions = ["exp", "sin", "log", Function(NASTY, "x**3", ["2"]), Function("kink", "Abs(x)", ["0"])]
    path = tmp_path_factory.mktemp("browser") / "run"
    spec = Spec(functions, SCHEMES, "1:1e-16:4/decade", dtypes=["float64", "float32"], rules=["usual"], anatomy=True)
    run(spec, out=path)
    write_report(path)
    return path


@pytest.fixture(scope="module")
def results(folder):
    from diffbench import load

    return load(folder)


@pytest.fixture(scope="module")
def address(folder):
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def driver():
    with browser() as made:
        yield made


@pytest.fixture
def opened(driver, address):
    """The page as it is opened by double click."""
    media(driver, "light")
    size(driver, 1280)
    driver.get("about:blank")
    driver.get(address)
    return driver


def media(driver, scheme):
    """Set the theme of the system, and that nothing moves: a pointer would miss what is still scrolling."""
    wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wanted.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def size(driver, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def until(driver, condition, *arguments):
    """Wait for a condition in the page and return its value."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, WAIT).until(lambda d: d.execute_script(f"return {condition}", *arguments))


def drawn(driver):
    driver.execute_script("document.getElementById('explorer').scrollIntoView()")
    until(driver, "'drawn' in document.getElementById('explorer').dataset")
    return driver


def text(driver, selector):
    return driver.execute_script("return document.querySelector(arguments[0])?.textContent", selector)


def press(driver, key):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(key).perform()


def fragment(driver):
    return driver.execute_script("return location.hash")


def same_view(driver, *parts):
    """Return whether the address names a curve, however its letters are encoded."""
    return driver.execute_script(
        "return decodeURIComponent(location.hash) === decodeURIComponent(arguments[0])", view(*parts)
    )


def test_opening_asks_for_nothing_and_complains_of_nothing(opened, address):
    requests(opened)
    complaints(opened)
    opened.get("about:blank")
    requests(opened)
    opened.get(address)
    drawn(opened)
    press_all(opened)
    assert set(requests(opened)) == {address}
    assert complaints(opened) == []


def press_all(driver):
    from selenium.webdriver.common.keys import Keys

    driver.execute_script("document.getElementById('explorer').focus()")
    for key in (Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_LEFT):
        press(driver, key)
    driver.execute_script("document.getElementById('theme').click()")


def test_a_cell_of_the_matrix_opens_its_curve(opened, results):
    link = opened.execute_script(
        "return [...document.querySelectorAll('table.matrix td a')].find(a => a.hash === arguments[0])",
        view("sin", 1, "float64", "central-4"),
    )
    opened.execute_script("arguments[0].click()", link)
    drawn(opened)
    assert text(opened, "#what").startswith("sin")
    assert text(opened, "#schemes [aria-pressed=true] b") == "central-4"
    assert text(opened, "#summary").startswith("central-4 on sin; best ")
    assert opened.execute_script("return document.querySelector('td.here a').hash") == view(
        "sin", 1, "float64", "central-4"
    )
    assert opened.execute_script("return document.activeElement.id") == "explorer"


def of_table(results, function, scheme, dtype="float64"):
    """Return the cells of the curve that the page embeds."""
    frame = results.to_frame()
    return frame[(frame.function == function) & (frame.scheme == scheme) & (frame.dtype == dtype)]


def test_the_numbers_of_every_cell_are_those_of_the_parquet_files(opened, results, address):
    chosen = (("exp", "central-4", "float64", 66), ("log", "complex-step", "float32", 34))
    for function, scheme, dtype, columns in chosen:
        opened.get("about:blank")
        opened.get(address + view(function, 1, dtype, scheme))
        drawn(opened)
        point = opened.execute_script(
            "return Number(/point (\\d+)/.exec(document.getElementById('where').textContent)[1])"
        )
        rows = of_table(results, function, scheme, dtype)
        rows = rows[rows.point == point - 1]
        shown = opened.execute_script(
            "return [...document.querySelectorAll('#cells tr')].map(r => [...r.cells].map(c => c.textContent))"
        )
        assert len(shown) == len(rows) == columns
        for cells, row in zip(shown, rows.itertuples(), strict=True):
            assert [float(cells[i]) for i in (0, 2, 3)] == [row.epsilon, row.estimate, row.error]
            assert [float(cells[i]) for i in (4, 5)] == [row.relative_error, row.ulp_error]
            assert cells[7] == row.status


def test_hovering_a_point_shows_its_cell(opened, results, address):
    opened.get("about:blank")
    opened.get(address + view("exp", 1, "float64", "forward-1"))
    drawn(opened)
    hover(opened, 20)
    told = until(opened, TOOLTIP)
    names = ("scheme", "epsilon", "estimate", "exact", "error", "relative", "ulps", "status")
    scheme, epsilon, estimate, exact, error, relative, ulps, status = (told[name] for name in names)
    rows = of_table(results, "exp", "forward-1").set_index(["point", "epsilon"])
    row = rows.loc[until(opened, "Number(document.getElementById('where').textContent.match(/point (\\d+)/)[1])") - 1]
    row = row.loc[float(epsilon)]
    assert (scheme, status) == ("forward-1", "ok")
    assert [float(estimate), float(error)] == [row.estimate, row.error]
    assert [float(relative), float(ulps)] == [row.relative_error, row.ulp_error]
    assert float(exact) == row.reference


PLACE_OF_A_POINT = """(() => {
  const view = Bokeh.index.roots.find((each) => each.model.type === "Column");
  const plot = view.child_views[0];
  const glyph = plot.model.renderers.find((each) => each.data_source.data.c && each.data_source.data.c.length > 30);
  const { x, y } = glyph.data_source.data;
  const frame = plot.frame;
  const box = plot.el.getBoundingClientRect();
  return { x: box.x + frame.x_scale.compute(x[arguments[0]]), y: box.y + frame.y_scale.compute(y[arguments[0]]) };
})()"""

TOOLTIP = """(() => {
  const tip = document.getElementById("tip");
  if (tip.hidden) return null;
  const rows = [...tip.children].map((each) => [each.dataset.name, each.lastChild.textContent]);
  return Object.fromEntries(rows);
})()"""


def hover(driver, place):
    """Put the pointer on a point of the curve that is shown."""
    from selenium.webdriver.common.action_chains import ActionChains

    at = until(driver, PLACE_OF_A_POINT, place)
    chart = driver.execute_script("return document.getElementById('chart')")
    x, y = driver.execute_script(
        "const r = arguments[0].getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]", chart
    )
    ActionChains(driver).move_to_element_with_offset(chart, round(at["x"] - x), round(at["y"] - y)).perform()


def test_of_points_that_lie_on_each_other_that_of_the_chosen_scheme_is_told(opened, address):
    opened.get("about:blank")
    opened.get(address + view("exp", 1, "float64", "central-4"))
    drawn(opened)
    for place in (30, 35, 40):
        hover(opened, place)
        epsilon = opened.execute_script(f"return {EPSILON_OF_A_POINT}", place)
        until(opened, f"(({TOOLTIP}) ?? {{}}).epsilon === arguments[0]", epsilon)
        assert opened.execute_script(f"return {TOOLTIP}")["scheme"] == "central-4"


EPSILON_OF_A_POINT = """(() => {
  const plot = Bokeh.index.roots.find((each) => each.model.type === "Column").child_views[0];
  const glyph = plot.model.renderers.find((each) => each.data_source.data.c && each.data_source.data.c.length > 30);
  return glyph.data_source.data.epsilon[arguments[0]];
})()"""


def test_looks_in_the_explorer_are_those_of_the_figures(opened, address, results):
    block = results.block("exp", 1, "float64")
    index = opened.execute_script("return JSON.parse(document.getElementById('index').textContent)")
    own = next(each for each in index["blocks"] if each["function"] == "exp" and each["dtype"] == "float64")
    looks = dict(zip(index["shared"][own["schemes"]], index["shared"][own["looks"]], strict=True))
    wanted = emphasised_schemes(block.schemes)
    assert {name: tuple(look) for name, look in looks.items() if look} == wanted


def test_arrow_keys_step_through_functions_and_schemes_and_the_address_follows(opened, address):
    from selenium.webdriver.common.keys import Keys

    opened.get("about:blank")
    opened.get(address + view("exp", 1, "float64", "forward-1"))
    drawn(opened)
    opened.execute_script("document.getElementById('explorer').focus()")
    press(opened, Keys.ARROW_DOWN)
    assert same_view(opened, "sin", 1, "float64", "forward-1")
    press(opened, Keys.ARROW_RIGHT)
    assert same_view(opened, "sin", 1, "float64", "forward-2")
    press(opened, Keys.ARROW_UP)
    press(opened, Keys.ARROW_UP)
    assert same_view(opened, "kink", 1, "float64", "forward-2")
    press(opened, Keys.ARROW_LEFT)
    press(opened, Keys.ARROW_LEFT)
    assert same_view(opened, "kink", 1, "float64", "forward-6")
    assert (
        text(opened, "#summary")
        == "forward-6 on kink; no cell is ok (nondifferentiable: derivative 1 has a jump at 0)."
    )


def test_an_address_opens_its_view_and_a_strange_one_opens_the_page(opened, address):
    opened.get("about:blank")
    opened.get(address + view(NASTY, 1, "float32", "central-2"))
    drawn(opened)
    assert text(opened, "#what").startswith(NASTY)
    assert opened.execute_script("return document.getElementById('kind').value") == "1, float32"
    for strange in ("#no/1/float64/x", "#%E0%A4%A/1/float64", "#a/b"):
        opened.get("about:blank")
        opened.get(address + strange)
        drawn(opened)
        assert text(opened, "#summary").startswith("central-4 on exp; best ")
    assert complaints(opened) == []


def test_names_from_files_are_text_in_the_explorer(opened, address):
    opened.get("about:blank")
    opened.get(address + view(NASTY, 1, "float64", "central-2"))
    drawn(opened)
    assert opened.execute_script("return document.querySelectorAll('img').length") == 0
    assert NASTY in text(opened, "#function")
    assert complaints(opened) == []


RANKING = "document.querySelectorAll('table.sortable')[0]"


def test_tables_sort_by_number_both_ways(opened):
    headers = opened.execute_script(f"return [...{RANKING}.tHead.rows[0].cells].map(cell => cell.textContent)")
    column = headers.index("digits at optimal ε")
    header = f"{RANKING}.tHead.rows[0].cells[{column}]"
    values = f"[...{RANKING}.tBodies[0].rows].map(row => parseFloat(row.cells[{column}].textContent))"
    opened.execute_script(f"{header}.querySelector('button').click()")
    falling = opened.execute_script(f"return {values}")
    assert falling == sorted(falling, reverse=True)
    opened.execute_script(f"{header}.querySelector('button').click()")
    rising = opened.execute_script(f"return {values}")
    assert rising == sorted(rising) != falling
    assert opened.execute_script(f"return {header}.getAttribute('aria-sort')") == "ascending"


def test_the_matrix_is_filtered_by_name_class_and_digits(opened):
    rows = "[...document.querySelectorAll('table.matrix tbody tr')]"
    shown = f"{rows}.filter(row => !row.hidden).map(row => row.cells[0].textContent)"
    write = (
        "const e = document.getElementById(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('input'))"
    )
    opened.execute_script(write, "needle", "SIN")
    assert opened.execute_script(f"return {shown}") == ["sin", "sin"]
    assert text(opened, "#shown") == "2 of 10 rows"
    opened.execute_script(write, "needle", "trigonometric")
    assert opened.execute_script(f"return {shown}") == ["sin", "sin"]
    opened.execute_script(write, "needle", "")
    opened.execute_script(write, "below", "9")
    assert set(opened.execute_script(f"return {shown}")) <= {"exp", "sin", "log", NASTY}
    assert 0 < len(opened.execute_script(f"return {shown}")) < 10


def test_the_theme_follows_the_system_and_the_button(opened):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = opened.execute_script(f"return {ground}")
    media(opened, "dark")
    until(opened, f"{ground} !== arguments[0]", light)
    dark = opened.execute_script(f"return {ground}")
    opened.execute_script("document.getElementById('theme').click()")
    assert opened.execute_script(f"return {ground}") == light
    opened.execute_script("document.getElementById('theme').click()")
    assert opened.execute_script(f"return {ground}") == dark
    assert "light" in opened.execute_script("return document.getElementById('theme').getAttribute('aria-label')")


def test_a_chart_drawn_for_the_dark_theme_is_printed_for_paper(opened):
    chart = "getComputedStyle(document.getElementById('chart')).filter"
    drawn(opened)
    for theme, on_paper in (("dark", "invert(1) hue-rotate(180deg)"), ("light", "none")):
        opened.execute_script("document.getElementById('theme').click()")
        until(opened, "document.getElementById('explorer').dataset.drawn === arguments[0]", theme)
        assert opened.execute_script(f"return {chart}") == "none"
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert opened.execute_script(f"return {chart}") == on_paper
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_roles_headers_and_contrast(opened, scheme):
    media(opened, scheme)
    drawn(opened)
    opened.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert opened.execute_script(CHECKS) == []


def test_the_checks_see_what_is_wrong(opened):
    opened.execute_script("""
        document.querySelector("th").removeAttribute("scope");
        document.querySelector(".words").style.color = "#999";
        document.getElementById("main").append(document.createElement("button"), document.createElement("img"));
        document.querySelector("h2").outerHTML = "<h4>deep</h4>";
    """)
    rules = {each.split(":")[0] for each in opened.execute_script(CHECKS)}
    assert {"no scope", "no name", "no alternative text"} < rules
    assert any(rule.startswith("contrast 2.") for rule in rules)
    assert any(rule.startswith("a level of headings is skipped") for rule in rules)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The page of 200 functions × 20 schemes, with figures of the first ones only: they are not what is measured."""
    functions = [Function(f"f{i}", f"sin(x + {i}) + exp(x/{i + 1})", ["1/3", "2"]) for i in range(200)]
    schemes = [*Spec("standard").schemes, "stencil(-1,0,2)"]
    path = tmp_path_factory.mktemp("large") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diffbench.report.folder.MAX_FIGURES", 3)
        return write_report(run(Spec(functions, schemes)), path)


def test_two_hundred_functions_and_twenty_schemes_open_and_stay_below_ten_megabytes(driver, large):
    assert large.stat().st_size < 10e6
    media(driver, "light")
    size(driver, 1280)
    driver.get("about:blank")
    driver.get(large.as_uri())
    assert driver.execute_script("return document.querySelectorAll('table.matrix td').length") == 200 * 20
    assert "each of the first 3 names opens its figure" in driver.execute_script("return document.body.textContent")
    drawn(driver)
    driver.execute_script(
        "const search = document.querySelector('input[type=search]'); search.value = 'f19';"
        "search.dispatchEvent(new Event('input', { bubbles: true }))"
    )
    shown = "[...document.querySelectorAll('table.matrix tbody tr')].filter((row) => row.offsetParent).length"
    assert until(driver, f"{shown} < 200 && {shown}") == 11


@pytest.mark.parametrize("width", [360, 800, 1920])
def test_the_page_never_scrolls_sideways(opened, width):
    size(opened, width)
    drawn(opened)
    opened.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width


def test_without_scripts_verdict_tables_and_figures_are_there(address, folder):
    with browser(scripts=False) as driver:
        driver.get(address)
        body = driver.find_element("tag name", "body").text
        for words in ("cells are ok", "Which scheme?", "central-4", "How to reproduce", "The charts need scripts"):
            assert words in body
        assert "Dark" not in body
        assert not driver.find_element("id", "explorer").is_displayed()
        pictures = driver.find_elements("css selector", "figure svg[role=img]")
        assert len(pictures) >= 3
        assert pictures[0].is_displayed()
        assert driver.find_elements("css selector", "table.matrix td a")
        figure = driver.find_element("css selector", "table.matrix th a").get_attribute("href")
        driver.get(figure)
        assert driver.title == "" or "svg" in driver.page_source[:200]
        assert complaints(driver) == []
