/* Charts of how far the model is from known outcomes, and the additive model from the model; points open rows of the explorer. */
(function (root) {
  "use strict";

  const HEIGHT = 230;

  function median(values) {
    return d3.median(values.map(Math.abs));
  }

  /** A number between −0.5 and 0.5 that looks random and is the same in every drawing. */
  function jitter(place) {
    return ((place * 0.618034) % 1) - 0.5;
  }

  /** What draws the section, from the page's data and its functions for elements, texts and colours. */
  function makeMisses(page) {
    const { data, columns, byId, make, colour, format, formatShort, percent } = page;
    const found = data.results;
    const hasRemainders = found !== null && found.remainders.length > 0 && !data.isExact;
    const hasTruths = found !== null && found.truths.length > 0;
    const places = new Map(data.rowNumbers.map((number, place) => [number, place]));

    /** Remainder of a row of the explorer, or its known outcome minus the response. */
    function measure(place, what) {
      if (what === "remainder") return data.rowOutputs[place][page.output()] - data.rowPredictions[place][page.output()];
      const [truth, response] = [data.rowTruths[place][page.output()], data.rowResponses[place][page.output()]];
      return truth === null ? null : truth - response;
    }

    /** Largest distance of a row's known outcomes from its responses; null if they are not known. */
    function findMiss(place) {
      const sizes = (data.rowTruths[place] || []).map((truth, k) => (truth === null ? null : Math.abs(truth - data.rowResponses[place][k])));
      return sizes.length && sizes.every((size) => size !== null) ? Math.max(...sizes) : null;
    }

    function drawPoints(points, { x, y, marks, words, marginLeft }, width) {
      const known = points.filter((each) => each.place !== undefined);
      const title = (each) => `${each.place === undefined ? "" : `${page.nameStart(each.place)}\n`}${each.text}`;
      const shape = { x: "x", y: "y", r: 2.6, title };
      const chart = Plot.plot({
        width, height: HEIGHT, marginLeft, marginRight: 30, marginBottom: 44, marginTop: 26, inset: 6,
        style: { background: "transparent", fontSize: "12px" },
        x: { labelAnchor: "center", labelOffset: 36, labelArrow: "none", grid: true, tickFormat: formatShort, ticks: Math.max(Math.floor(width / 70), 2), ...x },
        y: { labelArrow: "none", grid: true, tickFormat: formatShort, ticks: 5, ...y },
        marks: [...marks.below,
          Plot.dot(points.filter((each) => each.place === undefined), { ...shape, fill: colour("density"), fillOpacity: 0.45 }),
          Plot.dot(known, { ...shape, className: "known", fill: colour("accent"), fillOpacity: 0.8 }), ...marks.above],
      });
      chart.querySelectorAll(".known circle").forEach((circle, at) => {
        circle.style.cursor = "pointer";
        circle.dataset.row = known[at].place;
        circle.addEventListener("click", () => page.open(known[at].place));
      });
      return page.label(chart, words);
    }

    const zero = () => Plot.ruleY([0], { strokeOpacity: 0.6 });
    const room = (values) => 22 + 7.2 * Math.max(...d3.ticks(Math.min(...values), Math.max(...values), 5).map((each) => formatShort(each).length));

    /** Known amounts against the model's output, with the line on which the model is right. */
    function drawAmounts(output) {
      const points = found.numbers.map((number, at) => ({ x: found.responses[output][at], y: found.truths[output][at], place: places.get(number) }))
        .filter((each) => each.y !== null);
      if (!points.length) return null;
      for (const each of points) each.text = `model: ${format(each.x, 4)}, known outcome: ${format(each.y, 4)}`;
      const ends = d3.extent(points.flatMap((each) => [each.x, each.y]));
      const line = Plot.line([[ends[0], ends[0]], [ends[1], ends[1]]], { stroke: colour("ink"), strokeOpacity: 0.6 });
      const off = median(points.map((each) => each.y - each.x));
      const text = `On the line the model is right. Half of the rows are less than ${format(off, 3)} off.`;
      const words = { x: { label: page.nameModel() }, y: { label: "known outcome" }, marks: { below: [line], above: [] }, words: text,
        marginLeft: room(points.map((each) => each.y)) };
      return ["Known outcomes", text, (width) => drawPoints(points, words, width)];
    }

    /** How many rows of a class the model finds, and how many of those it names are of it. */
    function describeHits({ real, named, both }, own) {
      const who = found.outputs.length || data.isExact ? "The model" : "The additive model";
      const rule = found.hits.length === 1 ? "gives it more than 50 %" : "finds it the most probable class";
      const share = (part, all) => `${part.toLocaleString("en")} of ${all.toLocaleString("en")}${all ? ` (${percent(part / all)})` : ""}`;
      return `${who} ${rule} in ${share(both, real)} rows that are “${own}”; of the rows in which it does, ${share(both, named)} are.`;
    }

    /** Probabilities of the class shown, for rows that are in it and for the others. */
    function drawClasses(output) {
      const own = page.nameOutput() || "this class";
      const isOwn = (at) => found.truths[output][at] === 1;
      const points = found.numbers.map((number, at) => ({ x: found.responses[output][at], y: (isOwn(at) ? 1 : 0) + 0.7 * jitter(at), isOwn: isOwn(at),
        place: places.get(number), text: `known outcome: ${found.classes[at]}, probability of ${own}: ${percent(found.responses[output][at])}` }));
      const means = [1, 0].map((side) => ({ y: side, mean: d3.mean(points.filter((each) => each.isOwn === Boolean(side)), (each) => each.x) }))
        .filter((each) => each.mean !== undefined);
      const text = `Mean probability: ${means.map((each) => `${percent(each.mean)} for rows that ${each.y ? "are" : "are not"} “${own}”`).join(", ")} ` +
        "(lines). A good model has the two far apart.";
      const hits = `${text} ${describeHits(found.hits[output], own)}`;
      const ticks = Plot.ruleX(means, { x: "mean", y1: (d) => d.y - 0.42, y2: (d) => d.y + 0.42, stroke: colour("ink"), strokeWidth: 2 });
      const short = page.shorten(own, 14);
      const words = { x: { label: `probability of ${page.shorten(own, 30)}`, domain: [0, 1], tickFormat: percent },
        y: { label: "known outcome", ticks: [0, 1], grid: false, domain: [-0.5, 1.5], tickFormat: (d) => (d ? short : "another") },
        marks: { below: [], above: [ticks] }, words: hits, marginLeft: 20 + 7 * Math.max(short.length, 7) };
      return ["Known outcomes", hits, (width) => drawPoints(points, words, width)];
    }

    /** What the additive model leaves of the model's output, against that output. */
    function drawRemainders(output) {
      const points = found.numbers.map((number, at) => ({ x: found.outputs[output][at], y: found.remainders[output][at], place: places.get(number) }));
      for (const each of points) each.text = `model: ${format(each.x, 4)}, remainder: ${format(each.y, 3)}`;
      const text = `What the bars of a row leave of the model’s output. Half of the rows have less than ${format(median(points.map((each) => each.y)), 3)}, ` +
        `beside outputs from ${format(d3.min(points, (each) => each.x), 3)} to ${format(d3.max(points, (each) => each.x), 3)}. ` +
        "A bend or a slope would be a part of the model that the explanations lack.";
      const words = { x: { label: page.nameOwn() }, y: { label: "remainder" }, marks: { below: [zero()], above: [] }, words: text,
        marginLeft: room(points.map((each) => each.y)) };
      return ["Remainder", text, (width) => drawPoints(points, words, width)];
    }

    /** Remainder, or outcome minus prediction, of the explorer's rows against a feature. */
    function drawByFeature(width) {
      const [column, what] = [columns[Number(byId("misses-column").value)], byId("misses-what").value];
      const number = columns.indexOf(column);
      const isNamed = column.is_category || column.is_boolean;
      const name = (value) => page.shorten(page.formatValue(value, column), column.levels.length * 150 < width ? 20 : 14);
      const points = data.rows.flatMap((row, place) => {
        const y = measure(place, what);
        if (y === null || (row[number] === null && !isNamed)) return [];
        const value = row[number];
        return [{ x: isNamed ? name(value) : value, y, place, text: `${column.name}: ${page.formatValue(value, column)}, ${format(y, 3)}` }];
      });
      const levels = [...new Set(points.map((each) => each.x))];
      const longest = isNamed ? Math.max(...levels.map((each) => each.length), 1) : 0;
      const isAslant = isNamed && (7 * longest + 8) * levels.length > width;
      const axis = isNamed ? { type: "point", tickFormat: (d) => d, tickRotate: isAslant ? -35 : 0, ticks: undefined, grid: false }
        : { type: column.axis === "log" && points.some((each) => each.x <= 0) ? "linear" : column.axis, ...(column.axis === "symlog" ? { constant: column.threshold } : {}) };
      const label = what === "remainder" ? "remainder" : "known outcome − model";
      return drawPoints(points, { x: { label: column.name, ...axis }, y: { label }, marks: { below: [zero()], above: [] },
        words: `${label} of ${points.length} rows against ${column.name}`, marginLeft: room(points.map((each) => each.y)) }, width);
    }

    function fillChoices() {
      const listed = page.listColumns();
      byId("misses-column").replaceChildren(...listed.map((number) => make("option", { value: number }, columns[number].name)));
      const what = [["remainder", "Remainder", hasRemainders], ["miss", "Known outcome minus model", data.rowTruths.length > 0]];
      byId("misses-what").replaceChildren(...what.filter((each) => each[2]).map(([value, name]) => make("option", { value }, name)));
      for (const id of ["misses-column", "misses-what"]) byId(id).addEventListener("change", redrawFeature);
      fold();
    }

    /** Charts are folded on a narrow screen, where they would be several screens. */
    function fold() {
      const box = byId("misses-fold");
      box.open = !page.isNarrow;
      box.addEventListener("toggle", page.redraw);
    }

    function redrawFeature() {
      page.drawLater(byId("misses-feature"), drawByFeature);
    }

    function draw() {
      if (!hasTruths && !hasRemainders) {
        page.hideWhatNeeds("misses");
        byId("misses").replaceChildren();
        return;
      }
      if (!byId("misses-column").options.length) fillChoices();
      byId("misses-count").textContent = hasTruths ? "Charts of outcomes, predictions and remainders" : "Charts of predictions and remainders";
      byId("misses-note").textContent = `Each dot is one of ${found.numbers.length.toLocaleString("en")} rows. Blue ones are in the row explorer below: ` +
        "click one to open it there.";
      const output = page.output();
      const cards = [hasTruths ? (found.classes.length ? drawClasses(output) : drawAmounts(output)) : null, hasRemainders ? drawRemainders(output) : null];
      byId("misses-cards").replaceChildren(...cards.filter(Boolean).map(([title, text, drawChart]) => {
        const chart = make("div", { class: "chart" });
        page.drawLater(chart, drawChart);
        return make("article", { class: "card" }, make("h3", {}, title), make("p", {}, text), chart);
      }));
      redrawFeature();
    }

    return { draw, findMiss, measure };
  }

  root.instashapMisses = { makeMisses };
})(window);
