
"use strict";
// The explorer: the curves of one function at one point, drawn by Bokeh from the embedded columns.
(() => {
  const host = document.getElementById("explorer");
  if (!host) return;

  const byId = (id) => document.getElementById(id);
  const index = JSON.parse(byId("index").textContent);
  const blocks = index.blocks;
  for (const block of blocks) for (const name of index.of_shared) block[name] = index.shared[block[name]];

  const MARKERS = {
    o: "circle", s: "square", D: "diamond", P: "plus", "^": "triangle", v: "inverted_triangle", "*": "star",
    ">": "triangle_right",
  };
  // Bokeh has no such marker; a triangle is turned.
  const TURNED = { triangle_right: ["triangle", -Math.PI / 2] };
  const SHAPES = {
    circle: "M8 3a5 5 0 1 0 .01 0z", square: "M3.5 3.5h9v9h-9z", diamond: "M8 2l6 6-6 6-6-6z",
    plus: "M6.4 2.5h3.2v3.9h3.9v3.2H9.6v3.9H6.4V9.6H2.5V6.4h3.9z", triangle: "M8 3l5.5 10h-11z",
    inverted_triangle: "M8 13L2.5 3h11z", star: "M8 1.5l1.8 4.6 4.9.3-3.8 3.1 1.3 4.8L8 11.6l-4.2 2.7 1.3-4.8L1.3 6.4l4.9-.3z",
    triangle_right: "M3 2.5l10 5.5-10 5.5z", dot: "M8 6a2 2 0 1 0 .01 0z",
  };
  const NARROW = 560;
  const PARTS = [["#0072B2", " "], ["#E69F00", "/"], ["#D55E00", "."], ["#8a8a8a", "-"]];
  const OK = index.status.indexOf("ok");
  const COLLAPSED = index.status.indexOf("collapsed");
  const ABSENT = index.status.indexOf("absent");
  const ordinal = (m) => ({ 1: "first", 2: "second", 3: "third", 4: "fourth" })[m] || `${m}th`;

  // data -------------------------------------------------------------------------------------------------------------

  async function inflated(element) {
    const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")));
  }

  const TYPES = { "<f8": Float64Array, "<f4": Float32Array, "<i2": Int16Array, "<u1": Uint8Array };

  function sizes(block) {
    const [s, c, e] = [block.schemes.length, block.columns, block.grid.length];
    const lines = block.modelled ? s * e : 0;
    return {
      estimate: s * c, error: block.wide ? s * c : 0, status: s * c, chosen: s * (c - e), curve: s * index.curve.length,
      rounding: lines, predicted: lines, shares: block.parted ? s * index.parts.length * e : 0,
    };
  }

  function takeApart(buffer) {
    let place = 0;
    for (const [name, type] of index.columns) {
      for (const block of blocks) {
        const count = sizes(block)[name];
        const bytes = count * TYPES[type].BYTES_PER_ELEMENT;
        block[name] = new TYPES[type](buffer.slice(place, place + bytes));
        place += bytes;
      }
    }
  }

  // The same operations as in Python, in the same order, so that the numbers are those of the Parquet files.
  function cell(block, s, c) {
    const grid = block.grid.length;
    const code = block.status[s * block.columns + c];
    const estimate = block.estimate[s * block.columns + c];
    const epsilon = c < grid ? block.grid[c] : block.chosen[s * (block.columns - grid) + c - grid];
    const known = block.hi !== null && Number.isFinite(estimate);
    const error = !known ? NaN : block.wide ? block.error[s * block.columns + c] : estimate - block.hi - block.lo;
    const relative = known && block.hi !== 0 ? Math.abs(error) / Math.abs(block.hi) : NaN;
    return {
      c, code, estimate, error, relative, epsilon: epsilon === null ? NaN : epsilon,
      status: index.status[code],
      rule: c < grid ? "" : block.rules[c - grid] || "",
      ulps: known ? Math.abs(error) / block.ulp : NaN,
      digits: Number.isFinite(relative) ? -Math.log10(Math.max(relative, block.u / 2)) : NaN,
    };
  }

  const curveCache = new WeakMap();

  function cells(block, s) {
    if (!curveCache.has(block)) curveCache.set(block, []);
    const known = curveCache.get(block);
    if (!known[s]) {
      known[s] = Array.from({ length: block.columns }, (_, c) => cell(block, s, c)).filter((each) => each.code !== ABSENT);
    }
    return known[s];
  }

  const ofCurve = (block, s, name) => block.curve[s * index.curve.length + index.curve.indexOf(name)];
  const isRelative = (block) => Boolean(block.hi);

  function height(block, each) {
    if (isRelative(block)) return Math.max(each.relative, block.u / 2);
    return Math.max(Math.abs(each.error), floorOf(block));
  }

  // Where the derivative is 0, an error of 0 is drawn at the least that is not.
  function floorOf(block) {
    if (block.floor === undefined) {
      let least = Infinity;
      block.schemes.forEach((_, s) => {
        for (const { error } of cells(block, s)) if (error) least = Math.min(least, Math.abs(error) || Infinity);
      });
      block.floor = Number.isFinite(least) ? least : block.u;
    }
    return block.floor;
  }

  function lookOf(block, s) {
    const look = block.looks[s];
    return look && { color: look[0], marker: MARKERS[look[1]] };
  }

  // state and address ------------------------------------------------------------------------------------------------

  let state = { block: 0, scheme: 0 };

  function fragment() {
    const block = blocks[state.block];
    const parts = [block.function, block.derivative, block.dtype, block.schemes[state.scheme]];
    return "#" + parts.map(encodeURIComponent).join("/");
  }

  function fromFragment() {
    const parts = location.hash.slice(1).split("/");
    if (parts.length < 3) return false;
    let names;
    try {
      names = parts.map(decodeURIComponent);
    } catch {
      return false;
    }
    const found = blocks.findIndex((b) => b.function === names[0] && String(b.derivative) === names[1] && b.dtype === names[2]);
    if (found < 0) return false;
    state = { block: found, scheme: Math.max(0, blocks[found].schemes.indexOf(names[3])) };
    return true;
  }

  // What is shown first has both a truncation and a rounding error to look at, if anything has.
  function beginWithACurve() {
    const wanted = (block) => ["central-4", "central-2", ...block.schemes].map((name) => block.schemes.indexOf(name));
    const found = blocks.findIndex((block) => wanted(block).some((s) => s >= 0 && Number.isFinite(ofCurve(block, s, "observed"))));
    if (found < 0) return;
    state = { block: found, scheme: wanted(blocks[found]).find((s) => s >= 0 && Number.isFinite(ofCurve(blocks[found], s, "observed"))) };
  }

  const kinds = [...new Set(blocks.map((block) => `${block.derivative}, ${block.dtype}`))];
  const kindOf = (block) => `${block.derivative}, ${block.dtype}`;
  const ofKind = (kind) => blocks.map((block, i) => [block, i]).filter(([block]) => kindOf(block) === kind);

  function choose(block, schemeName) {
    const s = blocks[block].schemes.indexOf(schemeName);
    state = { block, scheme: Math.max(0, s) };
    history.replaceState(null, "", fragment());
    show();
  }

  const schemeName = () => blocks[state.block].schemes[state.scheme];

  function stepFunction(by) {
    const own = ofKind(kindOf(blocks[state.block])).map(([, i]) => i);
    choose(own[(own.indexOf(state.block) + by + own.length) % own.length], schemeName());
  }

  function stepScheme(by) {
    const { schemes } = blocks[state.block];
    choose(state.block, schemes[(state.scheme + by + schemes.length) % schemes.length]);
  }

  // words ------------------------------------------------------------------------------------------------------------

  // As Python prints them from 1e-4 on, and with exponents below, so that columns can be compared.
  const shortest = (value) => (value && Math.abs(value) < 1e-3 ? value.toExponential() : String(value));
  const number = (value) => (Number.isFinite(value) ? shortest(value) : "–");
  const short = (value) => (Number.isFinite(value) ? shortest(Number(value.toPrecision(3))) : "–");
  const oneDecimal = (value) => (Number.isFinite(value) ? (Math.round(value * 10) / 10 + 0).toFixed(1) : "–");

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function icon(paths, box) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", box);
    svg.setAttribute("aria-hidden", "true");
    for (const attributes of paths) {
      const path = document.createElementNS(space, "path");
      for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, value);
      svg.append(path);
    }
    return svg;
  }

  function describe() {
    const block = blocks[state.block];
    const title = [element("span", {}, block.function)];
    if (block.formula !== block.function) title.push("  ", element("code", {}, block.formula));
    byId("what").replaceChildren(...title);
    const at = `${ordinal(block.derivative)} derivative at ${block.along || `x = ${number(block.x ?? NaN)}`} (point ${block.point} of ${block.points}), ${block.dtype}`;
    const exact = block.exact === null ? `no exact value: ${block.verdict}` : `exact: ${block.exact} (${block.verdict})`;
    byId("where").replaceChildren(`${at}. ${exact}${block.noise ? `. Noise: ${block.noise}` : ""}. `);
    if (block.figure) byId("where").append(element("a", { href: encodeURI(block.figure) }, "This figure as a file"));
    byId("summary").textContent = summary(block, state.scheme);
    byId("chart").setAttribute("aria-label", `Error against epsilon. ${summary(block, state.scheme)}`);
  }

  const singleOf = (block, s) => cells(block, s).find((each) => each.c >= block.grid.length + block.rules.length);

  function bestDigits(block, s) {
    const single = singleOf(block, s);
    return single && single.code === OK ? single.digits : ofCurve(block, s, "digits");
  }

  function summary(block, s) {
    const value = (name) => ofCurve(block, s, name);
    const at = (place) => short(block.grid[place]);
    const words = [`${block.schemes[s]} on ${block.function}`];
    const single = singleOf(block, s);
    if (single) words.push(`one cell without ε, ${single.status}, error ${short(Math.abs(single.error))}`);
    else if (Number.isFinite(value("optimum"))) {
      const digits = Number.isFinite(value("digits")) ? `${oneDecimal(value("digits"))} digits` : `error ${short(10 ** value("least"))}`;
      words.push(`best ${digits} at ε = ${at(value("optimum"))}, by the running median of ${index.window} cells`);
    } else words.push(block.why[s] ? `no cell is ok (${block.why[s]})` : "no cell is ok");
    if (Number.isFinite(value("predicted"))) words.push(`the error model predicts ε = ${at(value("predicted"))}`);
    if (Number.isFinite(value("order"))) {
      const seen = Number.isFinite(value("observed")) ? `${value("observed").toFixed(2)} observed` : "none observed";
      words.push(`order ${value("order")} by its moments, ${seen}`);
    }
    return `${words.join("; ")}.`;
  }

  function listSchemes() {
    const block = blocks[state.block];
    byId("schemes").replaceChildren(
      ...block.schemes.map((scheme, s) => {
        const look = lookOf(block, s);
        const sign = icon([{ d: SHAPES[look ? look.marker : "dot"], fill: look ? look.color : "currentColor" }], "0 0 16 16");
        const digits = bestDigits(block, s);
        const button = element("button", { type: "button", "aria-pressed": s === state.scheme }, sign, element("b", { title: scheme }, scheme),
          element("span", {}, Number.isFinite(digits) ? oneDecimal(digits) : ""));
        button.addEventListener("click", () => {
          choose(state.block, scheme);
          byId("schemes").children[s].firstChild.focus();
        });
        return element("li", {}, button);
      }),
    );
  }

  function listKey() {
    const block = blocks[state.block];
    const s = state.scheme;
    const order = ofCurve(block, s, "order");
    const observed = ofCurve(block, s, "observed");
    const ink = { stroke: "currentColor", fill: "none", "stroke-width": 1.8 };
    const line = (dashes) => [{ d: "M0 8h28", ...ink, "stroke-dasharray": dashes }];
    const rows = [];
    const draws = isMeasured(block, s);
    if (draws) rows.push([icon([{ d: "M0 8h28", ...ink, "stroke-width": 3 }], "0 0 28 16"), `${schemeName()}, measured`]);
    if (draws && block.modelled && Number.isFinite(order)) {
      const slope = Number.isFinite(observed) ? `${order}, observed ${observed.toFixed(2)}` : order;
      rows.push([icon(line("7 4"), "0 0 28 16"), `truncation, slope ${slope}`]);
      rows.push([icon(line("2 3"), "0 0 28 16"), `rounding, slope −${block.derivative}`]);
      rows.push([icon(line("9 3 2 3"), "0 0 28 16"), "error that the model predicts"]);
      rows.push([icon([{ d: "M14 1v14", ...ink, "stroke-dasharray": "2 2" }, { d: SHAPES.inverted_triangle, transform: "translate(6 0)", ...ink }], "0 0 28 16"), "predicted optimal ε"]);
    }
    if (Number.isFinite(ofCurve(block, s, "optimum"))) {
      rows.push([icon([{ d: "M14 1a7 7 0 1 0 .01 0z", ...ink }], "0 0 28 16"), "optimal ε, at the running median of its errors"]);
    }
    if (lostOf(block, s).length) rows.push([icon([{ d: "M10 4l8 8M18 4l-8 8", ...ink }], "0 0 28 16"), "nodes coincide"]);
    if (ruled(block, s).length) rows.push([icon([{ d: "M14 1l7 7-7 7-7-7z", ...ink }], "0 0 28 16"), `ε by rule: ${block.rules.join(", ")}`]);
    if (block.parted && draws) {
      index.parts.forEach((name, i) => rows.push([icon([{ d: "M3 2h22v12H3z", fill: PARTS[i][0] }], "0 0 28 16"), `${name}: share of the error`]));
    }
    byId("key").replaceChildren(...rows.map(([sign, text]) => element("li", {}, sign, element("span", {}, text))));
  }

  function readOut() {
    const block = blocks[state.block];
    const own = cells(block, state.scheme);
    const each = own[Math.min(Number(byId("epsilon").value), own.length - 1)];
    const rows = !each ? [] : [
      ["ε", each.rule ? `${number(each.epsilon)} (${each.rule})` : number(each.epsilon)],
      ["status", each.status],
      ["estimate", number(each.estimate), "estimate"],
      ["exact", block.exact ?? "–"],
      ["error", number(each.error), "error"],
      ["relative error", number(each.relative)],
      ["ulps", number(each.ulps), "ulps"],
      ["digits", oneDecimal(each.digits)],
    ];
    byId("readout").replaceChildren(
      ...rows.map(([name, value, id]) => element("div", id ? { "data-name": id } : {}, element("dt", {}, name), element("dd", {}, value))),
    );
    byId("epsilon").setAttribute("aria-valuetext", each ? `ε = ${number(each.epsilon)}` : "");
    if (sources) mark(block, each);
  }

  function listCells() {
    const block = blocks[state.block];
    byId("cells").replaceChildren(
      ...cells(block, state.scheme).map((each) => {
        const texts = [number(each.epsilon), each.rule, number(each.estimate), number(each.error), number(each.relative), number(each.ulps), oneDecimal(each.digits), each.status];
        return element("tr", {}, ...texts.map((text, i) => element("td", i === 1 || i === 7 ? {} : { class: "right" }, text)));
      }),
    );
  }

  let linked = null;

  function markMatrix() {
    const decoded = (hash) => decodeURIComponent(hash);
    linked ??= new Map([...document.querySelectorAll("table.matrix td a")].map((link) => [decoded(link.hash), link.parentElement]));
    document.querySelectorAll("td.here").forEach((each) => each.classList.remove("here"));
    linked.get(decoded(fragment()))?.classList.add("here");
  }

  // chart ------------------------------------------------------------------------------------------------------------

  let sources = null;
  let figures = [];
  let ranges = null;
  let shown = null;

  function color(name) {
    const probe = element("i");
    probe.style.color = `var(--${name})`;
    host.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  const NAMES = {
    crowd: ["xs", "ys"], others: ["xs", "ys", "color"], dots: ["x", "y", "color", "marker", "angle"],
    curve: ["x", "y"], points: ["x", "y", "c"], lost: ["x", "y", "c"], rules: ["x", "y", "c"],
    truncation: ["x", "y"], rounding: ["x", "y"], predicted: ["x", "y"],
    optimum: ["x", "y"], guess: ["x", "y", "y0"], unit: ["x", "y"], single: ["x", "y"], chosen: ["x", "y"], parts: ["left", "right", "bottom", "top", "color", "pattern", "name", "share"],
  };
  const LABELS = { scheme: "scheme", epsilon: "ε", estimate: "estimate", exact: "exact", error: "error", relative: "relative error", ulps: "ulps", status: "status" };
  const HOVERED = Object.keys(LABELS);
  for (const name of ["points", "lost", "rules", "dots"]) NAMES[name].push(...HOVERED);

  const empty = (name) => Object.fromEntries(NAMES[name].map((column) => [column, []]));

  function axisLook(ink, soft) {
    return (axis) => {
      Object.assign(axis, {
        axis_label_text_color: ink, major_label_text_color: ink, axis_line_color: soft, major_tick_line_color: soft,
        minor_tick_line_color: null, axis_label_text_font_style: "normal", axis_label_text_font_size: "13px", major_label_text_font_size: "12px",
      });
    };
  }

  function styledFigure(options) {
    const [panel, ink, soft, line] = ["panel", "ink", "soft", "line"].map(color);
    const made = Bokeh.Plotting.figure({
      x_axis_type: "log", sizing_mode: "stretch_width", background_fill_color: panel, border_fill_color: panel,
      outline_line_color: null, x_range: ranges.x, min_border_right: 14, toolbar_location: "above", ...options,
    });
    [...made.xaxes, ...made.yaxes].forEach(axisLook(ink, soft));
    for (const grid of [...made.xgrids, ...made.ygrids]) grid.grid_line_color = line;
    made.toolbar.logo = null;
    made.toolbar.autohide = true;
    return made;
  }

  // One cell is told of where several lie on each other: of the first renderer that is hit, the nearest.
  function cellHover(renderers) {
    const found = new Map();
    const execute = (_, { geometry, renderer, index: hit }) => {
      found.set(renderer, nearest(renderer.data_source.data, hit.indices, geometry));
      if (renderer !== renderers.at(-1)) return;
      const first = renderers.find((each) => found.get(each) !== undefined);
      tell(first?.data_source.data, found.get(first), geometry);
    };
    return new Bokeh.HoverTool({ renderers, tooltips: null, mode: "mouse", callback: { execute } });
  }

  function nearest(data, hits, { x, y }) {
    const [across, up] = [ranges.x, ranges.y].map((range) => Math.log(range.end / range.start));
    const distance = (i) => (Math.log(data.x[i] / x) / across) ** 2 + (Math.log(data.y[i] / y) / up) ** 2;
    return [...hits].sort((i, j) => distance(i) - distance(j))[0];
  }

  function tell(data, i, { sx, sy }) {
    const tip = byId("tip");
    tip.hidden = i === undefined;
    if (tip.hidden) return;
    tip.replaceChildren(...HOVERED.map((name) => element("div", { "data-name": name }, element("dt", {}, LABELS[name]), element("dd", {}, data[name][i]))));
    const room = byId("chart").clientWidth;
    tip.style.top = `${sy + 14}px`;
    tip.style.left = `${sx > room / 2 ? Math.max(0, sx - tip.offsetWidth - 14) : sx + 14}px`;
  }

  function upperFigure() {
    const made = styledFigure({
      y_axis_type: "log", height: 500, y_range: ranges.y, tools: "pan,box_zoom,wheel_zoom,reset,tap,save", y_axis_label: "relative error",
    });
    const ink = color("ink");
    const soft = color("soft");
    const at = (source) => ({ source: sources[source] });
    const xy = [{ field: "x" }, { field: "y" }];
    made.multi_line({ field: "xs" }, { field: "ys" }, { ...at("crowd"), line_color: soft, line_alpha: 0.3 });
    made.multi_line({ field: "xs" }, { field: "ys" }, { ...at("others"), line_color: { field: "color" }, line_width: 1.3, line_alpha: 0.75 });
    made.line(...xy, { ...at("unit"), line_color: soft, line_dash: "6 4" });
    for (const [name, dash] of [["truncation", [8, 5]], ["rounding", [2, 4]], ["predicted", [10, 3, 2, 3]]]) {
      made.line(...xy, { ...at(name), line_color: ink, line_dash: dash, line_width: 1.6 });
    }
    made.segment({ field: "x" }, { field: "y0" }, { field: "x" }, { field: "y" }, { ...at("guess"), line_color: ink, line_dash: { value: [2, 3] } });
    const dots = made.scatter(...xy, { ...at("dots"), marker: { field: "marker" }, angle: { field: "angle" }, size: 5, color: { field: "color" }, alpha: 0.8 });
    made.line(...xy, { ...at("curve"), line_color: ink, line_width: 2.6 });
    made.line(...xy, { ...at("single"), line_color: ink, line_width: 2.6 });
    const lost = made.scatter(...xy, { ...at("lost"), marker: "x", size: 8, line_color: ink, line_width: 1.5 });
    const points = made.scatter(...xy, { ...at("points"), marker: "circle", size: 6, color: ink });
    const rules = made.scatter(...xy, { ...at("rules"), marker: "diamond", size: 15, fill_color: null, line_color: ink, line_width: 2 });
    made.scatter(...xy, { ...at("optimum"), marker: "circle", size: 17, fill_color: null, line_color: ink, line_width: 2 });
    made.scatter(...xy, { ...at("guess"), marker: "inverted_triangle", size: 11, fill_color: null, line_color: ink, line_width: 1.6 });
    made.scatter(...xy, { ...at("chosen"), marker: "circle", size: 11, fill_color: color("link"), line_color: color("panel"), line_width: 2 });
    made.add_tools(cellHover([points, lost, rules, dots]));
    for (const name of ["points", "lost", "rules"]) {
      sources[name].selected.properties.indices.change.connect(() => {
        const [picked] = sources[name].selected.indices;
        if (picked === undefined) return;
        byId("epsilon").value = sources[name].data.c[picked];
        readOut();
      });
    }
    for (const renderer of [points, lost, rules, dots]) renderer.nonselection_glyph = renderer.glyph;
    return made;
  }

  function lowerFigure() {
    const made = styledFigure({
      height: 150, y_range: new Bokeh.Range1d({ start: 0, end: 1 }), tools: "", toolbar_location: null, x_axis_label: "epsilon ε", y_axis_label: "share of error",
    });
    const bars = made.quad({ field: "left" }, { field: "right" }, { field: "bottom" }, { field: "top" }, {
      source: sources.parts, fill_color: { field: "color" }, line_color: null, hatch_pattern: { field: "pattern" }, hatch_color: color("panel"), hatch_alpha: 0.6, hatch_scale: 7, hatch_weight: 1,
    });
    const tooltips = [["part", "@name"], ["share", "@share"]];
    made.add_tools(new Bokeh.HoverTool({ renderers: [bars], tooltips, point_policy: "follow_mouse", mode: "mouse" }));
    return made;
  }

  async function build() {
    sources = Object.fromEntries(Object.keys(NAMES).map((name) => [name, new Bokeh.ColumnDataSource({ data: empty(name) })]));
    ranges = { x: new Bokeh.Range1d({ start: 1e-17, end: 2 }), y: new Bokeh.Range1d({ start: 1e-17, end: 10 }) };
    figures = [upperFigure(), lowerFigure()];
    // One width for the axes of both, so that the same ε stands above itself.
    for (const made of figures) made.min_border_left = 78;
    draw();
    shown?.remove();
    byId("chart").replaceChildren();
    const column = new Bokeh.Column({ children: figures, sizing_mode: "stretch_width" });
    shown = await Bokeh.Plotting.show(column, byId("chart"));
    // For print, which turns a chart that was drawn for the dark theme into one for paper.
    host.dataset.drawn = document.documentElement.dataset.shown;
  }

  function hovered(block, s, list) {
    const texts = {
      scheme: () => block.schemes[s], epsilon: (e) => number(e.epsilon) + (e.rule ? ` (${e.rule})` : ""), estimate: (e) => number(e.estimate),
      exact: () => block.exact ?? "–", error: (e) => number(e.error), relative: (e) => number(e.relative), ulps: (e) => number(e.ulps), status: (e) => e.status,
    };
    return Object.fromEntries(HOVERED.map((name) => [name, list.map(texts[name])]));
  }

  function scatterOf(block, s, list) {
    const all = cells(block, s);
    return {
      x: list.map((each) => each.epsilon), y: list.map((each) => height(block, each)), c: list.map((each) => all.indexOf(each)), ...hovered(block, s, list),
    };
  }

  const onGrid = (block, s) => cells(block, s).filter((each) => each.c < block.grid.length && each.epsilon > 0 && Number.isFinite(each.error));

  const isMeasured = (block, s) => cells(block, s).some((each) => each.code === OK);
  const lostOf = (block, s) => onGrid(block, s).filter((each) => each.code === COLLAPSED);
  const ruled = (block, s) => cells(block, s).filter((each) => each.rule && each.epsilon > 0 && Number.isFinite(each.error));

  function lineOf(block, s) {
    const own = onGrid(block, s);
    return { xs: own.map((e) => e.epsilon), ys: own.map((e) => (e.code === OK ? height(block, e) : NaN)), own: own.filter((e) => e.code === OK) };
  }

  function drawOthers(block) {
    const data = { crowd: empty("crowd"), others: empty("others"), dots: empty("dots") };
    block.schemes.forEach((scheme, s) => {
      if (s === state.scheme) return;
      const { xs, ys, own } = lineOf(block, s);
      const look = lookOf(block, s);
      const target = look ? data.others : data.crowd;
      target.xs.push(xs);
      target.ys.push(ys);
      if (!look) return;
      data.others.color.push(look.color);
      const [marker, angle] = TURNED[look.marker] ?? [look.marker, 0];
      const more = {
        x: own.map((e) => e.epsilon), y: own.map((e) => height(block, e)), color: own.map(() => look.color), marker: own.map(() => marker), angle: own.map(() => angle), ...hovered(block, s, own),
      };
      for (const [name, values] of Object.entries(more)) data.dots[name].push(...values);
    });
    for (const [name, values] of Object.entries(data)) sources[name].data = values;
  }

  function theory(block, s, name) {
    const place = s * block.grid.length;
    const own = { x: [], y: [] };
    block.grid.forEach((epsilon, i) => {
      const value = block.modelled ? block[name][place + i] : index.none;
      if (epsilon === null) return;
      own.x.push(epsilon);
      own.y.push(value === index.none ? NaN : 10 ** (value / index.steps));
    });
    return own;
  }

  function truncation(block, s) {
    const [coefficient, order] = [ofCurve(block, s, "coefficient"), ofCurve(block, s, "order")];
    if (!Number.isFinite(coefficient)) return empty("truncation");
    const x = block.grid.filter((epsilon) => epsilon !== null);
    return { x, y: x.map((epsilon) => 10 ** (coefficient + order * Math.log10(epsilon))) };
  }

  function drawParts(block, s) {
    const data = empty("parts");
    const grid = block.grid;
    const count = index.parts.length;
    grid.forEach((epsilon, i) => {
      if (!block.parted || epsilon === null) return;
      const edge = (other) => (other === undefined || other === null ? null : Math.sqrt(epsilon * other));
      const right = edge(grid[i - 1]) ?? (epsilon * epsilon) / edge(grid[i + 1]);
      const left = edge(grid[i + 1]) ?? (epsilon * epsilon) / edge(grid[i - 1]);
      const shares = index.parts.map((_, k) => block.shares[(s * count + k) * grid.length + i]);
      if (shares.includes(index.no_share)) return;
      const total = shares.reduce((a, b) => a + b, 0) || 1;
      let bottom = 0;
      shares.forEach((share, k) => {
        const row = [left, right, bottom, bottom + share / total, PARTS[k][0], PARTS[k][1], index.parts[k], `${Math.round((100 * share) / total)} %`];
        bottom += share / total;
        if (share) NAMES.parts.forEach((name, j) => data[name].push(row[j]));
      });
    });
    sources.parts.data = data;
    const parted = data.left.length > 0;
    figures[1].visible = parted;
    figures[0].xaxes[0].axis_label = parted ? "" : "epsilon ε";
    figures[0].xaxes[0].visible = !parted;
  }

  function marks(block, s, points) {
    const place = ofCurve(block, s, "optimum");
    const known = Number.isFinite(place);
    const least = Math.max(10 ** ofCurve(block, s, "least"), isRelative(block) ? block.u / 2 : floorOf(block));
    sources.optimum.data = known ? { x: [block.grid[place]], y: [least] } : empty("optimum");
    const guess = ofCurve(block, s, "predicted");
    const predicted = sources.predicted.data.y[guess];
    const top = Number.isFinite(predicted) ? predicted : points.y[0];
    sources.guess.data = Number.isFinite(guess) && top && isMeasured(block, s) ? { x: [block.grid[guess]], y: [Math.max(top, ranges.y.start)], y0: [ranges.y.start] } : empty("guess");
  }

  function fitRanges(block) {
    const known = block.grid.filter((epsilon) => epsilon);
    const single = block.schemes.flatMap((_, s) => cells(block, s).filter((each) => each.code === OK));
    const heights = single.map((each) => height(block, each)).filter((value) => value > 0 && Number.isFinite(value));
    const [low, high] = heights.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, 0]);
    const set = (range, start, end) => Object.assign(range, { start, end, reset_start: start, reset_end: end });
    const ends = known.length ? [Math.min(...known), Math.max(...known)] : [1e-16, 1];
    set(ranges.x, ends[0] / 2, ends[1] * 2);
    if (heights.length) set(ranges.y, low / 4, Math.min(high, low * 10 ** index.decades) * 4);
    if (byId("chart").clientWidth < NARROW) tickLess(...ends.map(Math.log10));
  }

  // Bokeh has up to ten ticks on a logarithmic axis, whatever its width.
  function tickLess(low, high) {
    const step = Math.max(1, Math.ceil((high - low) / 4));
    const ticks = [];
    for (let power = Math.ceil(low / step) * step; power <= high; power += step) ticks.push(10 ** power);
    for (const made of figures) made.xaxes[0].ticker = new Bokeh.FixedTicker({ ticks });
  }

  function draw() {
    const block = blocks[state.block];
    const s = state.scheme;
    fitRanges(block);
    drawOthers(block);
    const { xs, ys, own: ok } = lineOf(block, s);
    sources.curve.data = { x: xs, y: ys };
    sources.points.data = scatterOf(block, s, ok);
    sources.lost.data = scatterOf(block, s, lostOf(block, s));
    sources.rules.data = scatterOf(block, s, ruled(block, s));
    const single = singleOf(block, s);
    const alone = single && single.code === OK ? single : null;
    const across = [ranges.x.start, ranges.x.end];
    sources.single.data = alone ? { x: across, y: across.map(() => height(block, alone)) } : empty("single");
    sources.unit.data = isRelative(block) ? { x: across, y: [block.u, block.u] } : empty("unit");
    const expected = isMeasured(block, s);
    sources.truncation.data = expected ? truncation(block, s) : empty("truncation");
    for (const name of ["rounding", "predicted"]) sources[name].data = expected ? theory(block, s, name) : empty(name);
    marks(block, s, sources.points.data);
    drawParts(block, s);
    figures[0].yaxes[0].axis_label = block.hi === null ? `no error: ${block.verdict}` : isRelative(block) ? "relative error" : "absolute error (the derivative is 0)";
  }

  function mark(block, each) {
    const drawn = each && each.epsilon > 0 && Number.isFinite(each.error);
    sources.chosen.data = drawn ? { x: [each.epsilon], y: [height(block, each)] } : empty("chosen");
  }

  // together ---------------------------------------------------------------------------------------------------------

  function fillSelects() {
    const block = blocks[state.block];
    const options = (select, list, chosen) => {
      select.replaceChildren(...list.map(([value, text]) => element("option", value === chosen ? { value, selected: "" } : { value }, text)));
      select.value = chosen;
    };
    options(byId("kind"), kinds.map((kind) => [kind, kind]), kindOf(block));
    options(byId("function"), ofKind(kindOf(block)).map(([each, i]) => [String(i), each.function]), String(state.block));
    options(byId("scheme"), block.schemes.map((scheme) => [scheme, scheme]), schemeName());
    byId("which").hidden = kinds.length < 2;
  }

  function show() {
    if (!loaded) return;
    const block = blocks[state.block];
    fillSelects();
    describe();
    listSchemes();
    listKey();
    listCells();
    const own = cells(block, state.scheme);
    const optimum = ofCurve(block, state.scheme, "optimum");
    byId("epsilon").max = Math.max(0, own.length - 1);
    byId("epsilon").value = Math.max(0, own.findIndex((each) => each.c === optimum));
    if (sources) draw();
    readOut();
    markMatrix();
  }

  let loaded = null;

  async function load() {
    takeApart(await (await inflated(byId("columns"))).arrayBuffer());
    loaded = true;
    if (!fromFragment()) beginWithACurve();
    show();
    for (const packed of document.querySelectorAll("script.library")) {
      // A script of this text is one that the page's policy knows by its hash.
      const script = element("script");
      script.textContent = await (await inflated(packed)).text();
      document.head.append(script);
      packed.remove();
    }
    Bokeh.set_log_level("error");
    await build();
    readOut();
    document.documentElement.addEventListener("themechange", async () => {
      await build();
      readOut();
    });
  }

  let loading = null;
  const begin = () => (loading ??= load());

  function onArrow(event) {
    const by = { ArrowUp: [stepFunction, -1], ArrowDown: [stepFunction, 1], ArrowLeft: [stepScheme, -1], ArrowRight: [stepScheme, 1] }[event.key];
    if (!by || !loaded || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const focused = document.activeElement;
    const inside = host.contains(focused) && !["SELECT", "INPUT"].includes(focused.tagName);
    const { top, bottom } = host.getBoundingClientRect();
    const inView = top < innerHeight * 0.6 && bottom > innerHeight * 0.4;
    const free = inView && (!focused || focused === document.body || focused.id === "main");
    if (!inside && !free) return;
    event.preventDefault();
    by[0](by[1]);
  }

  async function follow() {
    if (!fromFragment()) return;
    await begin();
    show();
    host.scrollIntoView({ block: "start" });
    host.focus({ preventScroll: true });
  }

  host.hidden = false;
  byId("function").addEventListener("change", (event) => choose(Number(event.target.value), schemeName()));
  byId("scheme").addEventListener("change", (event) => choose(state.block, event.target.value));
  byId("kind").addEventListener("change", (event) => {
    const own = ofKind(event.target.value);
    const same = own.find(([block]) => block.function === blocks[state.block].function) || own[0];
    choose(same[1], schemeName());
  });
  byId("epsilon").addEventListener("input", readOut);
  document.addEventListener("keydown", onArrow);
  addEventListener("hashchange", follow);
  new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && begin(), { rootMargin: "800px" }).observe(host);
  follow();
})();
