/* Draws the report and updates the row explorer. Data: the element #data; scoring: scorer.js; charts: Observable Plot. */
(function () {
  "use strict";

  const data = JSON.parse(document.getElementById("data").textContent);
  const { fitted, columns, terms } = data;
  const scorer = instashapScorer.makeScorer(fitted, instashapScorer.decodeArrays(data.arrays));
  const { nPlayers, nOutputs } = scorer;
  const singles = terms.filter((term) => term.columns.length === 1);
  const pairs = terms.filter((term) => term.columns.length === 2);
  const isNarrow = matchMedia("(max-width: 46rem)").matches;
  // Largest number of pairs shown, and the number shown at first.
  const MAX_PAIRS = 50;
  const PAIRS_AT_ONCE = isNarrow ? 1 : 6;
  // Numbers of feature cards, of features of a row that can be changed, and of importances shown at first.
  const SHAPES_AT_ONCE = isNarrow ? 2 : 6;
  const CONTROLS_AT_ONCE = isNarrow ? 4 : 8;
  const RANKS_AT_ONCE = isNarrow ? 6 : 20;
  // Number of bars of one row; the other features are summed up.
  const MAX_BARS = isNarrow ? 6 : 12;
  // Number of cells along a numeric side of a heat map, and largest number of levels drawn.
  const SIDE = 24;
  // Half width of a 90 % interval in standard errors.
  const INTERVAL = 1.645;
  const MAX_LEVELS = 16;

  let output = 0;
  let hasChosenOutput = false;
  let row = data.rows[0].slice();
  let start = 0;
  let showAllBars = false;
  let showAllImportance = false;
  let pairsShown = PAIRS_AT_ONCE;
  let shapesShown = SHAPES_AT_ONCE;

  const byId = (id) => document.getElementById(id);

  /** An element with attributes (on… are listeners) and children. */
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  // ── Numbers and words ─────────────────────────────────────────────────────────────────────────────────────────────────

  const writers = new Map();

  /** A number with a least and a largest number of decimals; writers are kept, because making one takes longer than a row's scores. */
  function writeNumber(value, least, most, useGrouping = true) {
    const key = `${least} ${most} ${useGrouping}`;
    if (!writers.has(key))
      writers.set(key, new Intl.NumberFormat("en", { minimumFractionDigits: least, maximumFractionDigits: most, useGrouping }));
    return writers.get(key).format(value);
  }

  function format(value, digits = 4) {
    if (value === 0 || Math.abs(value) < 1e-12) return "0";
    const size = Math.abs(value);
    if (size >= 1e7 || size < 1e-4) return value.toExponential(2).replace("-", "−");
    const decimals = Math.max(digits - 1 - Math.floor(Math.log10(size)), 0);
    // Numbers of four digits have no separator, as they may be years.
    return writeNumber(value, 0, Math.min(decimals, 8), size >= 1e4).replace("-", "−");
  }

  /** A change with the decimals of the largest change beside it, so that they visibly add up. */
  function formatChange(value, largest) {
    const decimals = largest > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(largest)), 0), 8) : 0;
    const text = writeNumber(Math.abs(value), decimals, decimals);
    return /[1-9]/.test(text) ? `${value < 0 ? "−" : "+"}${text}` : text;
  }

  // Whether the outputs explained are themselves probabilities.
  const isProbability = fitted.output_transform.startsWith("probability of");

  /** Whether a probability belongs to the outputs, which are on another scale. */
  function isLogOdds() {
    return !isProbability && findChance(Array.from(scorer.base)) !== null;
  }

  /** Name and scale of the output shown, after a semicolon; empty for a single number in the model's own unit. */
  function nameScale() {
    const scale = isLogOdds() ? "log-odds" : isClassifier() ? fitted.output_transform : "";
    const parts = [nOutputs > 1 ? fitted.output_names[output] : "", scale].filter(Boolean);
    return parts.length ? `; ${parts.join(", ")}` : "";
  }

  /** " of" and the class whose probability is shown; empty if the fit does not name it. */
  function nameClass() {
    return fitted.output_names[output] === "output" ? "" : ` of “${fitted.output_names[output]}”`;
  }

  /** Probability of the output shown if outputs are probabilities, log-odds or log-probabilities; else null. */
  function findChance(outputs) {
    const scale = fitted.output_transform;
    if (isProbability) return outputs[output];
    if (nOutputs === 1 && scale.startsWith("log-odds")) return 1 / (1 + Math.exp(-outputs[0]));
    if (nOutputs > 1 && /^(centred )?log-probabilit/.test(scale))
      return 1 / outputs.reduce((sum, each) => sum + Math.exp(each - outputs[output]), 0);
    return null;
  }

  function formatValue(value, column) {
    if (value === null) return "missing";
    if (column && column.is_boolean && (value === 0 || value === 1)) return value ? "True" : "False";
    return typeof value === "number" ? format(value, 5) : String(value);
  }

  function formatTick(value) {
    return format(value, 8);
  }

  /** A tick of an axis with little room: 60k for 60,000. */
  function formatShort(value) {
    const size = Math.abs(value);
    if (size >= 1e6 && size < 1e15) return size < 1e9 ? `${format(value / 1e6, 4)}M` : `${format(value / 1e9, 4)}G`;
    return size >= 1e4 && size < 1e6 ? `${format(value / 1e3, 4)}k` : formatTick(value);
  }

  /** Width in pixels of the longest tick of an axis. */
  function measureTicks(low, high, n) {
    return 14 + 7.2 * Math.max(...d3.ticks(low, high, n).map((tick) => formatShort(tick).length));
  }

  /** A total with the decimals of the changes that lead to it. */
  function formatTotal(value, largest) {
    return formatChange(value, largest).replace("+", "");
  }

  /** A probability; of the ends only that they are near. */
  function formatChance(chance, nearly = "") {
    return chance < 0.001 ? "below 0.1 %" : chance > 0.999 ? "above 99.9 %" : `${nearly}${percent(chance)}`;
  }

  function percent(share) {
    const digits = share > 0.97 || Math.abs(share) < 0.1 ? 1 : 0;
    return `${Number((100 * share).toFixed(digits))} %`.replace("-", "−");
  }

  function shorten(text, length) {
    const known = data.short[length];
    if (known && Object.hasOwn(known, text)) return known[text];
    return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
  }

  function playerValue(player) {
    return columns.flatMap((_, column) => (fitted.players[column] === player ? [formatValue(row[column], columns[column])] : [])).join(", ");
  }

  /** A value as a table holds it: True and False of a boolean column by their names. */
  function nameFlag(value, column) {
    return column.is_boolean ? formatValue(value, column) : value;
  }

  function saveCsv(name, lines) {
    const cell = (value) => {
      const text = value === null || value === undefined ? "" : String(value);
      // A leading quote makes a spreadsheet read a cell that starts like a formula as text.
      const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
      return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    const text = lines.map((line) => line.map(cell).join(",")).join("\r\n");
    const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
    make("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  // ── Importance ────────────────────────────────────────────────────────────────────────────────────────────────────────

  function rankPlayers() {
    const size = (player) =>
      data.importance.length ? data.importance[player][output] : singles.reduce((sum, term) =>
        sum + (fitted.players[term.columns[0]] === player ? term.importance[output] : 0), 0);
    return fitted.feature_names.map((name, player) => ({ name, player, size: size(player) }))
      .sort((a, b) => b.size - a.size);
  }

  /** Features that the model uses the other way round than knowing them suggests; empty unless the marginal values are there. */
  function describeOpposite() {
    const names = data.opposite.length ? data.opposite[output] : [];
    return names.length ? ` The model itself uses these the opposite way in many rows, whatever they say of other columns: ${names.join(", ")}.` : "";
  }

  /** Hide a section without data, and the link to it. */
  function hideWhatNeeds(what) {
    for (const element of document.querySelectorAll(`[data-needs=${what}]`)) element.hidden = true;
  }

  function drawImportance() {
    if (!data.importance.length) {
      hideWhatNeeds("rows");
      return;
    }
    const ranked = rankPlayers();
    const total = ranked.reduce((sum, each) => sum + each.size, 0) || 1;
    byId("importance-note").textContent =
      `How much each feature raises or lowers the prediction, on average over ${data.nRows.toLocaleString("en")} rows ` +
      `(mean absolute Shapley value${nameScale()}). A value is ${data.meaning}.` + describeOpposite();
    const shown = showAllImportance ? ranked : ranked.slice(0, RANKS_AT_ONCE);
    const body = shown.map(({ name, size }) =>
      make("tr", {},
        make("th", { scope: "row", class: "name" }, name),
        make("td", {}, track(size / (ranked[0].size || 1))),
        make("td", { class: "number", "data-value": size }, `${format(size, 3)} · ${percent(size / total)}`.replace(" %", "\u00a0%"))));
    byId("importance-bars").replaceChildren(barTable(["Feature", "", "Mean effect"], body, "Importance of features"));
    const all = byId("importance-all");
    all.hidden = ranked.length <= RANKS_AT_ONCE;
    all.textContent = showAllImportance ? `Show the strongest ${RANKS_AT_ONCE}` : `Show all ${ranked.length}`;
  }

  function barTable(header, rows, caption) {
    const [first, middle, last] = header;
    const bar = make("th", { scope: "col" }, make("span", { class: "sr" }, middle || "Bar"));
    return make("table", { class: "bars", "aria-label": caption },
      make("thead", {}, make("tr", {},
        make("th", { scope: "col", class: "name" }, first), bar, make("th", { scope: "col", class: "number" }, last))),
      make("tbody", {}, ...rows));
  }

  /** A bar that fills a share of the width. */
  function track(share) {
    const bar = make("span");
    bar.style.width = `${100 * share}%`;
    return make("div", { class: "track", "aria-hidden": "true" }, bar);
  }

  // ── Charts, drawn when they come into view ────────────────────────────────────────────────────────────────────────────

  const drawings = new Map();
  const waiting = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) drawNow(entry.target);
  }, { rootMargin: "300px" });

  function drawLater(element, draw) {
    drawings.set(element, draw);
    waiting.add(element);
    watcher.observe(element);
  }

  function drawNow(element) {
    if (!waiting.delete(element)) return;
    watcher.unobserve(element);
    if (element.isConnected) element.replaceChildren(drawings.get(element)(Math.max(element.clientWidth, 240)));
  }

  function drawAll() {
    for (const element of [...waiting]) drawNow(element);
  }

  /** Draw all charts again, for another width or other colours, each when it comes into view. */
  function redraw() {
    for (const [element, draw] of drawings) {
      if (element.isConnected) drawLater(element, draw);
      else drawings.delete(element);
    }
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  function label(chart, words) {
    const svg = chart.tagName === "svg" ? chart : chart.querySelector("svg:last-of-type");
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", words);
    for (const part of svg.querySelectorAll("[aria-label]")) if (part !== chart) part.removeAttribute("aria-label");
    return chart;
  }

  // ── Shapes of single features ─────────────────────────────────────────────────────────────────────────────────────────

  /** Predictions from the feature alone, or null if the effect given all other features is shown (chosen, or the only one). */
  function findAlone(term) {
    return byId("shapes-given").checked && !term.isDriver ? null : term.alone;
  }

  /** Points of a feature's shape: {x, y, error, count, isPoint}. */
  function listPoints(term) {
    const column = columns[term.columns[0]];
    const alone = findAlone(term);
    const vector = (value, place, values) => (alone ? values[place] : scorer.evaluateTerm(term.number, [value]));
    const errors = alone ? alone.errors : term.errors;
    const spread = (place) => (errors ? errors[place][output] : 0);
    if (column.is_category) {
      const level = (cell, x, value) => {
        const all = vector(value, cell, alone && alone.values);
        return { x, y: all[output], all, error: spread(cell), count: column.counts[cell] ?? null };
      };
      const points = column.order.map((cell) => level(cell, String(column.levels[cell]), column.levels[cell]));
      const other = column.levels.length;
      if (column.counts[other]) points.push(level(other, "(other)", Symbol.for("other")));
      if (column.has_missing) points.push(level(other + 1, "(missing)", null));
      return points;
    }
    const points = column.places.map((x, place) => {
      const all = vector(x, place, alone && alone.values);
      return { x, y: all[output], all, error: spread(place) };
    });
    if (column.is_boolean) {
      points.forEach((point, place) => Object.assign(point, { x: formatValue(point.x, column), count: column.counts[place] ?? null }));
      return column.has_missing ? [...points, { x: "(missing)", y: findMissing(term), error: 0, count: null, isPoint: true }] : points;
    }
    column.points.forEach((x, place) =>
      points.push({ x, y: vector(x, place, alone && alone.points)[output], error: 0, isPoint: true }));
    return points;
  }

  /** Effect of a missing number. */
  function findMissing(term) {
    const alone = findAlone(term);
    return (alone ? alone.missing : scorer.evaluateTerm(term.number, [null]))[output];
  }

  function describeShape(term, points) {
    const column = columns[term.columns[0]];
    const curve = points.filter((point) => !point.isPoint);
    const high = curve.reduce((a, b) => (b.y > a.y ? b : a));
    const low = curve.reduce((a, b) => (b.y < a.y ? b : a));
    const largest = Math.max(Math.abs(high.y), Math.abs(low.y));
    if (!(largest > 0)) return findAlone(term) ? "No effect if known alone." : "No effect given the other features.";
    const missing = !hasNames(column) && column.has_missing
      ? ` Missing: ${formatChange(findMissing(term), largest)}.` : "";
    const place = (point) => shorten(formatValue(column.is_discrete ? point.x : round(point.x, column), column), 30);
    return `Highest at ${place(high)} (${formatChange(high.y, largest)}), lowest at ${place(low)} ` +
      `(${formatChange(low.y, largest)}).${missing}`;
  }

  function spanOf(points) {
    return points.flatMap((point) => [point.y - INTERVAL * (point.error || 0), point.y + INTERVAL * (point.error || 0)]);
  }

  function drawShape(term, points, domain, width) {
    const column = columns[term.columns[0]];
    const chart = hasNames(column) ? drawLevels(column, points, domain, width) : drawCurve(column, points, domain, width);
    return label(chart, `${term.name}: ${describeShape(term, points)}`);
  }

  /** Whether a column's values have names: levels of a category, or True and False. */
  function hasNames(column) {
    return column.is_category || column.is_boolean;
  }

  /** About how many ticks an axis has; of a symmetric logarithmic one, zero and powers of ten. */
  function listTicks(column, n) {
    if (column.axis !== "symlog") return n;
    const [first, last] = [Math.min(...column.places), Math.max(...column.places)];
    const powers = d3.range(Math.ceil(Math.log10(column.threshold)), 16).map((power) => 10 ** power);
    const inside = [...powers.map((each) => -each).reverse(), 0, ...powers].filter((each) => each >= first && each <= last);
    const every = Math.ceil(inside.length / n);
    const middle = Math.max(inside.indexOf(0), 0);
    return inside.filter((_, at) => (at - middle) % every === 0);
  }

  function drawCurve(column, points, [low, high], width) {
    const curve = points.filter((point) => !point.isPoint);
    const height = 190;
    const most = Math.max(...column.counts, 1);
    const dense = column.is_discrete
      ? column.places.map((x, place) => ({ x1: x, x2: x, share: (column.counts[place] || 0) / most }))
      : column.counts.map((count, bin) => ({ x1: column.edges[bin], x2: column.edges[bin + 1], share: count / most }));
    const floor = low - 0.02 * (high - low);
    const band = { x: "x", y1: (d) => d.y - INTERVAL * d.error, y2: (d) => d.y + INTERVAL * d.error };
    const lift = (share) => floor + 0.16 * share * (high - low);
    const density = column.is_discrete
      ? Plot.ruleX(dense, { x: "x1", y1: floor, y2: (d) => lift(d.share), stroke: colour("density"), strokeWidth: 4, strokeOpacity: 0.6 })
      : Plot.rectY(dense, { x1: "x1", x2: "x2", y1: floor, y2: (d) => lift(d.share), fill: colour("density"), fillOpacity: 0.5 });
    return Plot.plot({
      width, height, marginLeft: measureTicks(floor, high, 5), marginRight: 22, marginBottom: 28,
      style: { background: "transparent", fontSize: "12px" },
      x: { label: null, type: column.axis, ...(column.axis === "symlog" ? { constant: column.threshold } : {}),
        ticks: column.is_discrete && column.places.length <= 6 ? column.places : listTicks(column, Math.max(Math.floor(width / 60), 2)),
        tickFormat: column.is_discrete ? formatTick : formatShort, inset: column.places.length === 2 ? 40 : 0 },
      y: { label: null, domain: [floor, high], grid: true, ticks: 5, tickFormat: formatShort },
      marks: [
        density,
        Plot.ruleY([0], { strokeOpacity: 0.6 }),
        // Between two values is nothing that a line or a band could show.
        ...(column.is_discrete && curve.length <= 2 ? [Plot.ruleX(curve, { ...band, stroke: colour("accent"), strokeWidth: 2 }),
          Plot.dot(curve, { x: "x", y: "y", fill: colour("accent"), r: 5 })]
          : [Plot.areaY(curve, { ...band, fill: colour("accent"), fillOpacity: 0.2 }),
            Plot.lineY(curve, { x: "x", y: "y", stroke: colour("accent"), strokeWidth: 2.2, marker: column.is_discrete ? "dot" : undefined })]),
        Plot.dot(points.filter((point) => point.isPoint), { x: "x", y: "y", fill: colour("raises"), r: 3.5 }),
        Plot.tip(curve, Plot.pointerX({ x: "x", y: "y", title: (d) => `${formatValue(d.x)}: ${format(d.y, 3)}` })),
      ],
    });
  }

  function drawLevels(column, points, [low, high], width) {
    const shown = points.length <= MAX_LEVELS ? points.slice()
      : points.slice().sort((a, b) => Math.abs(b.y) - Math.abs(a.y)).slice(0, MAX_LEVELS); // as stated on the card
    shown.sort(column.has_order ? (a, b) => points.indexOf(a) - points.indexOf(b) : (a, b) => b.y - a.y);
    const names = new Map(shown.map((point) => [point.x, shorten(point.x, 18)]));
    const longest = Math.max(...[...names.values()].map((name) => name.length));
    const most = Math.max(...shown.map((point) => point.count || 0), 0);
    const edge = most ? low - 0.08 * (high - low) : low; // room for the dots beside the bars
    const chart = Plot.plot({
      width, height: 34 + Math.max(shown.length, 4) * 20, marginLeft: 18 + 7 * longest, marginRight: 14, marginTop: 6, marginBottom: 28,
      style: { background: "transparent", fontSize: "12px" },
      x: { label: null, domain: [edge, high], grid: true, ticks: Math.max(Math.floor(width / 90), 3), tickFormat: formatShort },
      y: { label: null, domain: shown.map((point) => point.x), tickFormat: (x) => names.get(x) },
      marks: [
        Plot.barX(shown, { x: "y", y: "x", fill: (d) => (d.y > 0 ? colour("raises") : colour("lowers")), insetTop: 2, insetBottom: 2,
          title: (d) => `${d.x}: ${format(d.y, 3)}${d.count === null ? "" : `, ${d.count} rows`}` }),
        Plot.ruleX([0], { strokeOpacity: 0.6 }),
        Plot.ruleY(shown.filter((d) => d.error > 0), { y: "x", x1: (d) => Math.max(d.y - INTERVAL * d.error, low),
          x2: (d) => Math.min(d.y + INTERVAL * d.error, high), stroke: colour("ink"), strokeWidth: 1.3 }),
        ...(most ? [Plot.dot(shown, { x: edge, y: "x", r: (d) => 1 + 5 * Math.sqrt((d.count || 0) / most), fill: colour("density"),
          fillOpacity: 0.8 })] : []),
      ],
      r: { type: "identity" },
    });
    return chart;
  }

  function drawShapes() {
    const cards = byId("shapes-cards");
    const listed = singles.map((term) => ({ term, points: listPoints(term) })).filter((each) => each.points.length);
    const size = (term) => (data.importance.length ? data.importance[fitted.players[term.columns[0]]] : term.importance)[output];
    listed.sort((a, b) => size(b.term) - size(a.term));
    const all = listed.flatMap((each) => spanOf(each.points));
    const common = byId("shapes-scale").checked ? extent(all) : null;
    byId("shapes-note").textContent = describeCards() +
      "A bar of a row may differ from its card, even in sign: bars divide the joint prediction of all features of the row. " +
      (singles.some((term) => term.errors) ? "Shaded, or lines across bars: 90 % intervals for other samples of rows. " : `${data.noIntervals} `) +
      (data.nRows ? "Grey: how many rows are there. " : "") + "The strongest features come first.";
    const open = listed.slice(0, shapesShown);
    cards.replaceChildren(...open.map(({ term, points }) => {
      const chart = make("div", { class: "chart" });
      const domain = common || extent(spanOf(points));
      const hidden = columns[term.columns[0]].is_category && points.length > MAX_LEVELS
        ? ` The ${MAX_LEVELS} strongest of ${points.length} levels are drawn.` : "";
      drawLater(chart, (width) => drawShape(term, points, domain, width));
      return make("article", { class: "card", "data-name": term.name.toLowerCase() },
        make("h3", {}, term.name), make("p", {}, describeShape(term, points) + hidden), chart);
    }));
    const more = byId("shapes-more");
    const left = listed.length - open.length;
    more.hidden = left <= 0;
    more.textContent = `Show ${left === 1 ? "one more feature" : `the other ${left} features`}`;
    search("shapes", "features");
  }

  /** The three strongest features in a sentence each, for the first screen. */
  function drawDrivers() {
    const ranked = rankPlayers();
    const total = ranked.reduce((sum, each) => sum + each.size, 0);
    const found = data.drivers[output] || [];
    byId("drivers").replaceChildren(...(total > 0 ? ranked.slice(0, 3) : []).map(({ name, player, size }) => {
      const driver = found.find((each) => each.player === player);
      return make("li", {}, make("strong", {}, name), ` (${percent(size / total)})${driver ? describeDriver(driver) : ""}.`.replaceAll(" %", "\u00a0%"));
    }));
    byId("drivers-note").hidden = total <= 0;
    byId("drivers-note").textContent = `In brackets after a name: its part of all that the ${ranked.length} inputs together add to and take from ` +
      `predictions.${found.length ? ` Averages are over ${data.results.nRows.toLocaleString("en")} rows${nameAveraged()}.` : ""}`;
  }

  /** Whose predictions are averaged, where they are not the model's own. */
  function nameAveraged() {
    return data.results.outputs.length || data.isExact ? "" : ", of the explanations’ own predictions: this page was made without the model";
  }

  /** The second half of a driver's sentence: where mean predictions are highest and lowest, and the known outcomes there. */
  function describeDriver({ player, high, low }) {
    const column = columns[fitted.players.indexOf(player)];
    const name = ({ name: ends }) => [...new Set(ends)].map((value) => shorten(formatValue(value, column), 30)).join(" to ");
    const hasChance = findChance(Array.from(scorer.base)) !== null;
    const write = (mean) => (hasChance ? formatChance(mean) : format(mean, 3));
    const what = hasChance ? `average probability${nameClass()}` : `average prediction${nOutputs > 1 ? nameClass() : ""}`;
    const isKnown = high.known !== null && low.known !== null;
    const place = (group) => `${write(group.mean)} where it is ${name(group)}${isKnown ? ` (in fact ${hasChance ? percent(group.known) : format(group.known, 3)})` : ""}`;
    return `: ${what} ${place(high)}, but ${place(low)}`;
  }

  /** Sentence that describes the values on the cards. */
  function describeCards() {
    const unit = isLogOdds() ? "in log-odds (+2.2 turns 50 % into 90 %)" : "in the prediction’s units";
    if (byId("shapes-given").checked)
      return `Effect of a feature on the prediction when all other features are known, ${unit}. `;
    return fitted.game.startsWith("conditional")
      ? `Change of the expected prediction from the average when only this feature is known, ${unit}. `
      : `Change of the prediction from the average when only this feature has its value and the others come from the background, ${unit}. `;
  }

  function extent(values) {
    const low = Math.min(...values, 0);
    const high = Math.max(...values, 0);
    return high > low ? [low, high] : [-1, 1];
  }

  function search(section, what) {
    const wanted = byId(`${section}-search`).value.trim().toLowerCase();
    const cards = [...byId(`${section}-cards`).children];
    let n = 0;
    for (const card of cards) {
      card.hidden = !card.dataset.name.includes(wanted);
      if (!card.hidden) n += 1;
    }
    byId(`${section}-found`).textContent = wanted ? `${n} of ${cards.length} ${what} found` : "";
  }

  // ── Pairs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Cells along one side of a heat map, with bounds, value and name. */
  function listSide(column) {
    if (column.is_category)
      return column.order.filter((cell) => cell < MAX_LEVELS).map((cell, at) =>
        ({ low: at - 0.5, high: at + 0.5, value: column.levels[cell], name: String(column.levels[cell]) }));
    if (column.is_discrete && column.places.length <= SIDE)
      return column.places.map((value, at) => ({ low: at - 0.5, high: at + 0.5, value, name: formatValue(value, column) }));
    const first = column.places[0];
    const step = (column.places[column.places.length - 1] - first) / SIDE || 1;
    return Array.from({ length: SIDE }, (_, at) => ({
      low: first + at * step, high: first + (at + 1) * step, value: first + (at + 0.5) * step, name: null,
    }));
  }

  function listCells(term) {
    const [across, up] = term.columns.map((column) => listSide(columns[column]));
    const every = across.flatMap((x) => up.map((y) =>
      ({ x, y, effect: scorer.evaluateTerm(term.number, [x.value, y.value])[output] })));
    // A cell without rows stays blank, because the effect there is extrapolated.
    every.forEach((cell, place) => {
      cell.share = term.support ? Number(term.support[place]) / 9 : 1;
      cell.half = term.doubts.length ? Number(term.doubts[output][place]) / 9 * term.widest[output] : 0;
    });
    const cells = every.filter((cell) => cell.share > 0);
    return { across, up, cells: cells.length ? cells : every };
  }

  function describePair(term, cells) {
    const high = cells.reduce((a, b) => (b.effect > a.effect ? b : a));
    const low = cells.reduce((a, b) => (b.effect < a.effect ? b : a));
    const largest = Math.max(Math.abs(high.effect), Math.abs(low.effect));
    if (!(largest > 0)) return "No interaction.";
    const [first, second] = term.columns.map((column) => columns[column].name);
    const [x, y] = nameValues(term);
    const place = (cell) => `${shorten(first, 24)} ${shorten(x(cell.x.value), 20)}, ${shorten(second, 24)} ${shorten(y(cell.y.value), 20)}`;
    return `Largest increase at ${place(high)} (${formatChange(high.effect, largest)}); largest decrease at ${place(low)} ` +
      `(${formatChange(low.effect, largest)}).`;
  }

  /** For each column of a term, a function that writes its values. */
  function nameValues(term) {
    return term.columns.map((column) => (value) => formatValue(round(value, columns[column]), columns[column]));
  }

  /** A value rounded to about a hundredth of its column's range. */
  function round(value, column) {
    if (typeof value !== "number") return value;
    if (column.axis !== "linear") return Number(value.toPrecision(3));
    const fine = 10 ** Math.floor(Math.log10((column.high - column.low) / 100 || Math.abs(value) / 100 || 1));
    const unit = column.step === 1 ? Math.max(fine, 1) : fine; // a column of whole numbers has no others
    return Number((Math.round(value / unit) * unit).toPrecision(12));
  }

  /** Axis of a side; each of its named cells needs so many pixels of the width (or height). */
  function sideScale(side, name, width, pixels) {
    const named = side[0].name !== null;
    const every = Math.max(Math.ceil((side.length * pixels) / width), 1);
    return {
      label: shorten(name, 40), domain: [side[0].low, side[side.length - 1].high],
      ticks: named ? side.map((_, at) => at).filter((at) => at % every === 0) : Math.max(Math.floor(width / 60), 3),
      tickFormat: named ? (at) => shorten(side[at] ? side[at].name : "", 14) : formatShort,
    };
  }

  function drawPair(term, { across, up, cells }, largest, width) {
    const [first, second] = term.columns.map((column) => columns[column].name);
    const [x, y] = nameValues(term);
    const names = up[0].name === null ? d3.ticks(up[0].low, up[up.length - 1].high, 5).map(formatShort)
      : up.map((each) => shorten(each.name, 14));
    const longest = Math.max(...names.map((name) => name.length));
    const below = across[0].name === null ? 0 : Math.max(...across.map((each) => shorten(each.name, 14).length));
    const plain = width - 32 - 7 * longest;
    // Names of levels are rotated if they would overlap; of numbers some are left out.
    const isAslant = hasNames(columns[term.columns[0]]) && (7 * below + 8) * across.length > plain;
    // A rotated name reaches to the left of its cell.
    const left = Math.max(18 + 7 * longest, isAslant ? 6 * shorten(across[0].name, 14).length - plain / across.length / 2 : 0);
    const inner = width - 14 - left;
    const height = Math.max(188, hasNames(columns[term.columns[1]]) ? 14 * up.length : 0);
    const colours = d3.piecewise(d3.interpolateLab, [colour("lowers-map"), colour("middle"), colour("raises-map")]);
    const chart = Plot.plot({
      width, height: height + 62 + (isAslant ? 4 * below : 0), marginLeft: left, marginRight: 14,
      marginBottom: 38 + (isAslant ? 4 * below : 0), marginTop: 24,
      style: { background: "transparent", fontSize: "12px" },
      x: { ...sideScale(across, first, inner, isAslant ? 15 : 7 * below + 8), tickRotate: isAslant ? -35 : 0 },
      y: sideScale(up, second, height, 13),
      color: { type: "diverging", domain: [-largest, largest], interpolate: colours, legend: true, label: null, ticks: 5, tickFormat: formatShort, width: Math.min(width, 240) },
      marks: [
        Plot.rect(cells, {
          x1: (d) => d.x.low, x2: (d) => d.x.high, y1: (d) => d.y.low, y2: (d) => d.y.high, fill: "effect", inset: 0,
          shapeRendering: "crispEdges", fillOpacity: (d) => 0.35 + 0.65 * Math.min(d.share * 1.5, 1),
          title: (d) => `${first}: ${x(d.x.value)}\n${second}: ${y(d.y.value)}\n${format(d.effect, 3)}` +
            (d.half > 0 ? ` ± ${format(d.half, 2)}` : ""),
        }),
        // A dot where the 90 % interval holds zero.
        Plot.dot(cells.filter((d) => d.half >= Math.abs(d.effect)), { x: (d) => (d.x.low + d.x.high) / 2, y: (d) => (d.y.low + d.y.high) / 2,
          r: 1, fill: colour("soft"), fillOpacity: 0.7 }),
      ],
    });
    return label(chart, `${term.name}: ${describePair(term, cells)}`);
  }

  /** Whether the audit found that the two features of a pair predict each other. */
  function isRedundant(term) {
    const [first, second] = term.columns.map((column) => fitted.feature_names[fitted.players[column]]);
    return data.redundant.some((each) => each.includes(first) && each.includes(second));
  }

  function drawPairs() {
    if (!pairs.length) {
      hideWhatNeeds("pairs");
      return;
    }
    const size = (list) => list.reduce((sum, term) => sum + term.importance[output], 0);
    const ranked = pairs.slice().sort((a, b) => b.importance[output] - a.importance[output]);
    const hidden = ranked.slice(MAX_PAIRS);
    const total = size(terms) || 1;
    const higher = terms.filter((term) => term.columns.length > 2);
    byId("pairs-note").textContent =
      "Joint effect of two features beyond the sum of their single effects, all other features known. Orange raises the " +
      `prediction, blue lowers it, on a scale of each pair's own${data.nRows ? "; blank: there are no rows; pale: few" : ""}. ` +
      (pairs.some((term) => term.doubts.length) ? "A dot: the sign is uncertain (the 90 % interval holds zero). " : "") +
      "Which interactions matter? The first ones here: they are ordered by their mean absolute effect. " +
      `All pairs together have ${percent(size(pairs) / total)} of the sum of mean absolute effects. ` +
      (hidden.length ? `The ${MAX_PAIRS} strongest of ${pairs.length} are shown; the others have ` +
        `${percent(size(hidden) / total)} of the effects, and the prediction uses them too. ` : "") +
      (higher.length ? `${higher.length} triples, which are not shown, have ${percent(size(higher) / total)}. ` : "");
    const open = ranked.slice(0, Math.min(pairsShown, MAX_PAIRS)).map((term) => ({ term, grid: listCells(term) }));
    byId("pairs-cards").replaceChildren(...open.map(({ term, grid }) => {
      const chart = make("div", { class: "chart" });
      const own = Math.max(...grid.cells.map((cell) => Math.abs(cell.effect)), 1e-300);
      drawLater(chart, (width) => drawPair(term, grid, own, width));
      return make("article", { class: "card", "data-name": term.name.toLowerCase() },
        make("h3", {}, term.name),
        make("p", {}, `${percent(term.importance[output] / total)} of the effects. ${describePair(term, grid.cells)}`),
        isRedundant(term) ? make("p", { class: "redundant" }, "These two predict each other: part of their joint effect may be " +
          "information that both hold, not an interaction in the model.") : null, chart);
    }));
    const more = byId("pairs-more");
    const left = Math.min(ranked.length, MAX_PAIRS) - open.length;
    more.hidden = left <= 0;
    more.textContent = `Show ${left === 1 ? "one more pair" : `the other ${left} pairs`}`;
    search("pairs", "pairs");
  }

  // ── Row explorer ──────────────────────────────────────────────────────────────────────────────────────────────────────

  const controls = new Map();

  /** Numbers of the columns, those of the strongest features first. */
  function listColumns() {
    const order = rankPlayers().map((each) => each.player);
    return d3.sort(d3.range(columns.length), (number) => order.indexOf(fitted.players[number]));
  }

  function makeControls() {
    const made = listColumns().map((number) => {
      const column = columns[number];
      const control = column.is_category ? makeChoice(column, number) : column.is_boolean ? makeSwitch(column, number) : makeSlider(column, number);
      controls.set(number, control);
      return control;
    });
    const shown = made.length === CONTROLS_AT_ONCE + 1 ? made.length : CONTROLS_AT_ONCE;
    const rest = made.slice(shown);
    byId("controls").replaceChildren(...made.slice(0, shown), ...(rest.length
      ? [make("details", {}, make("summary", {}, `${rest.length} more features`), make("div", { class: "rest" }, ...rest))] : []));
  }

  function makeChoice(column, number) {
    const id = `feature-${number}`;
    const options = column.order.map((place) => make("option", { value: place }, String(column.levels[place])));
    options.push(make("option", { value: "other" }, "(any other)"), make("option", { value: "missing" }, "(missing)"));
    const select = make("select", { id, "data-column": number, onchange: () => {
      const { value } = select;
      change(number, value === "missing" ? null : value === "other" ? unknownLevel(column, number) : column.levels[Number(value)]);
    } }, ...options);
    return make("div", { class: "control" }, make("label", { class: "what", for: id }, column.name), select);
  }

  /** A choice between True and False, which the scorer knows as 1 and 0. */
  function makeSwitch(column, number) {
    const id = `feature-${number}`;
    const options = column.places.map((value) => make("option", { value }, formatValue(value, column)));
    const select = make("select", { id, "data-column": number, onchange: () =>
      change(number, select.value === "missing" ? null : Number(select.value)) }, ...options,
      column.has_missing ? make("option", { value: "missing" }, "(missing)") : null);
    return make("div", { class: "control" }, make("label", { class: "what", for: id }, column.name), select);
  }

  /** A value that the fit pools: the row's own if it is one, else a text that is no level. */
  function unknownLevel(column, number) {
    const own = data.rows[start][number];
    return own !== null && !column.levels.includes(own) ? own : "(other)";
  }

  function makeSlider(column, number) {
    const id = `feature-${number}`;
    const digits = Math.max(0, -Math.floor(Math.log10(column.step)));
    const low = Number((Math.floor(column.low / column.step + 1e-9) * column.step).toFixed(digits));
    const high = Number((Math.ceil(column.high / column.step - 1e-9) * column.step).toFixed(digits));
    const slider = make("input", { type: "range", id, min: low, max: high, step: column.step, "data-column": number,
      oninput: () => change(number, Number(slider.value)) });
    const entry = make("input", { type: "number", step: "any", "aria-label": `${column.name}, exact value`, "data-entry": number,
      oninput: () => { if (entry.value !== "" && Number.isFinite(entry.valueAsNumber)) change(number, entry.valueAsNumber, entry); } });
    const missing = column.has_missing
      ? make("label", { class: "check" }, make("input", { type: "checkbox", "data-missing": number,
          onchange: (event) => change(number, event.target.checked ? null : Number(slider.value)) }), "missing") : null;
    return make("div", { class: "control" }, make("label", { class: "what", for: id }, column.name), slider, entry, missing);
  }

  function showValues() {
    columns.forEach((_, number) => showValue(number));
  }

  function showValue(number, except) {
    const [box, value, column] = [controls.get(number), row[number], columns[number]];
    const control = box.querySelector("[data-column]");
    if (column.is_category) {
      const place = column.levels.indexOf(value);
      control.value = value === null ? "missing" : place >= 0 ? place : "other";
      return;
    }
    if (column.is_boolean) {
      control.value = value === null ? "missing" : value;
      return;
    }
    const entry = box.querySelector("[data-entry]");
    const missing = box.querySelector("[data-missing]");
    if (missing) missing.checked = value === null;
    if (value !== null && Number(control.value) !== value) control.value = value;
    control.setAttribute("aria-valuetext", formatValue(value));
    if (entry !== except) entry.value = value === null ? "" : value;
  }

  function change(number, value, except) {
    row[number] = value;
    showValue(number, except);
    update();
  }

  let timer = 0;

  /** Outputs of the explained model for the row; null if they are not known, or the row was changed. */
  function findOwn() {
    return isChanged() ? null : data.rowOutputs[start] || null;
  }

  function showOwn(scored) {
    const own = findOwn();
    byId("own").hidden = own === null;
    if (own === null) return;
    const shown = byId("own-output");
    showNumber(shown, own);
    const differs = findClass(own) !== findClass(scored.prediction) ? "Its class differs from that of the additive model." : "";
    byId("own-words").textContent = [describeScale(own), differs].filter(Boolean).join(". ");
  }

  /** Show the label of the row, unless the row was changed or has none. */
  function showOutcome() {
    const given = data.rowOutcomes[start] ?? null;
    const known = Array.isArray(given) ? given[output] : given;
    byId("outcome").hidden = known === null || isChanged();
    byId("outcome-value").textContent = known === null ? "" : typeof known === "number" ? format(known, 5) : known;
  }

  /** Position of the class that outputs predict; null if the outputs are not of classes. */
  function findClass(outputs) {
    if (nOutputs === 1 && isProbability) return Number(outputs[0] > 0.5);
    if (nOutputs === 1) return fitted.output_transform.startsWith("log-odds") ? Number(outputs[0] > 0) : null;
    return /log-(probabilit|odds)|score|probabilit/.test(fitted.output_transform) ? outputs.indexOf(Math.max(...outputs)) : null;
  }

  function update() {
    const scored = scorer.score(row);
    const shown = byId("prediction");
    showNumber(shown, scored.prediction);
    byId("probability").textContent = describeScale(scored.prediction);
    showOwn(scored);
    showOutcome();
    showTrust(scored.trust);
    showPlace(scored.place);
    showNear();
    drawWaterfall(scored);
    clearTimeout(timer);
    timer = setTimeout(() => describeRow(scored), 400);
  }

  /** A prediction as a probability if it has one, else as a number; the number itself is kept beside it. */
  function showNumber(element, outputs) {
    const chance = findChance(Array.from(outputs));
    setText(element, chance === null ? format(outputs[output], 5) : formatChance(chance));
    element.dataset.value = outputs[output];
  }

  /** The class, and the number on the explained scale beside a probability. */
  function describeScale(outputs) {
    const hasChance = findChance(Array.from(outputs)) !== null;
    const name = nOutputs > 1 || hasChance ? fitted.output_names[output].replace(/^output$/, "") : "";
    return [name, isLogOdds() ? `log-odds ${format(outputs[output], 3)}` : ""].filter(Boolean).join(", ");
  }

  function showTrust(trust) {
    byId("trust").hidden = trust === null || data.isExact;
    if (byId("trust").hidden) return;
    const text = byId("trust-text");
    text.textContent = `${percent(trust.share)} (${percent(trust.low)} to ${percent(trust.high)})`.replaceAll(" %", "\u00a0%");
    Object.assign(text.dataset, { value: trust.share, low: trust.low, high: trust.high });
    byId("trust").title = "Share of the model’s output that the additive model explains for this row, estimated from its residuals " +
      "on similar held-out rows; in brackets a 90 % interval.";
    byId("trust-range").style.left = `${100 * trust.low}%`;
    byId("trust-range").style.width = `${100 * (trust.high - trust.low)}%`;
    byId("trust-point").style.left = `${100 * trust.share}%`;
  }

  /** Names of columns in one combination; of many, the first ones. */
  function joinNames(names) {
    const rest = names.length - 4;
    return names.slice(0, 4).join(" with ") + (rest > 0 ? ` and ${rest} more` : "");
  }

  /** Show how the row differs from the fitted ones: columns outside the data, and new combinations of columns. */
  function showPlace(place) {
    const name = (column) => fitted.names[column];
    const parts = [];
    if (place !== null && place.outside.length) parts.push(`Outside the data: ${place.outside.map(name).join(", ")}.`);
    if (place !== null && place.pairs.length)
      parts.push(`No such row: ${place.pairs.slice(0, 3).map((pair) => joinNames(pair.map(name))).join(", ")}.`);
    byId("place").textContent = parts.length ? `${parts.join(" ")} The values shown are extrapolated.` : "";
    const far = new Set(place === null ? [] : [...place.outside, ...place.pairs.flat()]);
    for (const [number, control] of controls) control.classList.toggle("far", far.has(number));
  }

  /** Warn if all number columns together are farther from the rows than any row is (report/nearness.py). */
  function showNear() {
    byId("near").textContent = data.nearness && measureDistance(data.nearness) > 1.02 * data.nearness.limit
      ? "No row is near this combination of values: the values shown are extrapolated." : "";
  }

  function measureDistance({ columns: listed, places, scores, inverse }) {
    const z = listed.map((column, k) => (row[column] === null ? 0 : interpolate(row[column], places[k], scores[k])));
    return inverse.reduce((sum, line, k) => sum + z[k] * line.reduce((own, weight, m) => own + weight * z[m], 0), 0);
  }

  /** Linear interpolation; beyond the ends it goes on as the last piece does, so that far values are far. */
  function interpolate(value, at, scores) {
    let k = 1;
    while (k < at.length - 1 && at[k] < value) k += 1;
    const share = (value - at[k - 1]) / (at[k] - at[k - 1]);
    return scores[k - 1] + Math.min(Math.max(share, -10), 11) * (scores[k] - scores[k - 1]);
  }

  /** Shapley values of the row's features, the largest first. */
  function listSteps({ values }) {
    return fitted.feature_names.map((name, player) => ({ name, player, value: values[player * nOutputs + output] }))
      .sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.player - b.player);
  }

  function drawWaterfall(scored) {
    const steps = listSteps(scored);
    const base = scorer.base[output];
    const many = !showAllBars && steps.length > MAX_BARS + 1;
    const bars = many ? steps.slice(0, MAX_BARS) : steps;
    const rest = steps.slice(bars.length).reduce((sum, step) => sum + step.value, 0);
    const all = many ? [...bars, { name: `${steps.length - MAX_BARS} weaker features`, value: rest, player: null }] : bars.slice();
    const own = findOwn();
    if (own !== null) all.push({ name: "Remainder", value: own[output] - scored.prediction[output], player: null, isRest: true });
    const last = own === null ? ["Prediction", scored.prediction[output]] : ["The model’s own output", own[output]];
    let at = base;
    const ends = [base, ...all.map((step) => (at += step.value))];
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const share = (value) => (high > low ? (value - low) / (high - low) : 0.5);
    const largest = Math.max(...all.map((step) => Math.abs(step.value)));
    const beside = findMarginal();
    const total = (name, value) => ({ name, value, given: "", text: formatTotal(value, largest), mark: share(value), kind: "", from: 0, to: 0, isTotal: true });
    const lines = [total(isLogOdds() ? "Average log-odds" : "Average row", base), ...all.map((step, place) => ({
      ...step, given: step.player === null ? "" : `= ${shorten(playerValue(step.player), 40)}`, text: formatChange(step.value, largest),
      mark: share(base), kind: step.isRest ? "rest" : step.value < 0 ? "down" : "up", from: share(ends[place]), to: share(ends[place + 1]),
    })), total(...last)];
    const parts = keepLines(lines.length, beside !== null, steps.length);
    lines.forEach((line, place) => fillLine(parts[place], line, beside, largest));
    setText(byId("meaning"), describeMeaning());
  }

  const drawn = { key: "", parts: [] };

  /** Lines of the waterfall's table, made once and filled anew for every row, so that a slider's step makes no elements. */
  function keepLines(n, hasBeside, nSteps) {
    const key = `${n} ${hasBeside} ${showAllBars}`;
    if (drawn.key === key) return drawn.parts;
    Object.assign(drawn, { key, parts: Array.from({ length: n }, () => makeLine(hasBeside)) });
    const table = barTable(["Feature", "Effect as a bar", "Adds"], drawn.parts.map((each) => each.element), "Effects of the features on the prediction");
    if (hasBeside) table.querySelector("thead tr").append(make("th", { scope: "col", class: "number" }, "Model alone"));
    const all = make("button", { type: "button", id: "bars-all", onclick: () => {
      showAllBars = !showAllBars;
      update();
      byId("bars-all").focus();
    } }, showAllBars ? "Show the strongest only" : `Show all ${nSteps} features`);
    byId("waterfall").replaceChildren(table, ...(nSteps > MAX_BARS + 1 ? [make("p", { class: "actions" }, all)] : []));
    return drawn.parts;
  }

  function makeLine(hasBeside) {
    const [name, given, bar, mark] = [make("span"), make("small"), make("span"), make("i")];
    const [number, beside] = [make("td", { class: "number" }), hasBeside ? make("td") : null];
    const element = make("tr", {}, make("th", { scope: "row", class: "name" }, name, given),
      make("td", {}, make("div", { class: "track", "aria-hidden": "true" }, bar, mark)), number, beside);
    return { element, name, given, bar, mark, number, beside };
  }

  function fillLine({ element, name, given, bar, mark, number, beside }, line, marginal, largest) {
    element.className = line.isTotal ? "total" : "";
    setText(name, line.name);
    setText(given, line.given);
    given.hidden = line.given === "";
    bar.hidden = Boolean(line.isTotal);
    bar.className = line.kind;
    bar.style.left = `${100 * Math.min(line.from, line.to)}%`;
    bar.style.width = `${100 * Math.abs(line.to - line.from)}%`;
    mark.style.left = `${100 * line.mark}%`;
    setText(number, line.text);
    number.dataset.value = line.value;
    if (line.player === null || line.player === undefined) delete number.dataset.player;
    else number.dataset.player = line.player;
    if (beside !== null) fillBeside(beside, line, marginal, largest);
  }

  /** Change a text only where it differs, because a change makes the browser lay the line out again. */
  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  /** Values of the row in the marginal game by player; null if they are not asked for, or the row was changed. */
  function findMarginal() {
    return byId("marginal").checked && !isChanged() && data.marginal.length ? data.marginal[start].map((each) => each[output]) : null;
  }

  /** Fill a cell with what the model does with the column, marked where the sign is the opposite one and both are notable. */
  function fillBeside(cell, line, marginal, largest) {
    if (line.player === null || line.player === undefined) {
      Object.assign(cell, { className: "number other", textContent: "" });
      delete cell.dataset.marginal;
      return;
    }
    const value = marginal[line.player];
    const isOpposite = value * line.value < 0 && Math.min(Math.abs(value), Math.abs(line.value)) > 0.02 * largest;
    cell.className = isOpposite ? "number opposite" : "number other";
    cell.dataset.marginal = value;
    setText(cell, `${formatChange(value, largest)}${isOpposite ? " opposite sign" : ""}`);
  }

  /** One line on what a bar of a row means. */
  function describeMeaning() {
    const beside = data.marginal.length && byId("marginal").checked
      ? ` “Model alone” is what the model does with the column when the others keep values of other rows${isChanged() ? "; it is known for unchanged rows only" : ""}.` : "";
    return `A bar is ${data.meaning}.${beside}`;
  }

  /** Write one sentence about the row, also for screen readers, and the link to it; called after a pause of changes. */
  function describeRow(scored) {
    const steps = listSteps(scored);
    const notable = steps.filter((step) => Math.abs(step.value) > 0.05 * Math.abs(steps[0].value));
    const side = (sign) => notable.filter((step) => Math.sign(step.value) === sign).slice(0, 2).map((step) => step.name);
    const parts = [["raised most by", side(1)], ["lowered most by", side(-1)]].filter(([, names]) => names.length)
      .map(([words, names]) => `${words} ${names.join(" and ")}`);
    const [chance, usual] = [scored.prediction, scorer.base].map((each) => findChance(Array.from(each)));
    const [said, average] = chance === null ? [format(scored.prediction[output], 5), format(scorer.base[output], 5)]
      : [formatChance(chance), formatChance(usual)];
    const what = chance === null ? "prediction" : `probability${nameClass()}`;
    byId("story").textContent = `${nameRow()}: the ${what} is ${said}; ${chance === null || isProbability ? "the average is" : "the bars start from"} ` +
      `${average}. It is ${parts.join(", and ") || "not changed by any feature"}.`;
    const link = makeLink();
    byId("permalink").href = link;
    if (hasRead && location.hash !== link && location.hash.startsWith("#row")) history.replaceState(null, "", link);
  }

  function isChanged() {
    return row.some((value, number) => value !== data.rows[start][number]);
  }

  function nameRow() {
    const name = nameStart(start);
    return `${name[0].toUpperCase()}${name.slice(1)}${isChanged() ? ", changed" : ""}`;
  }

  /** Name of a row of the row explorer: its label in the table's index if it has one. */
  function nameStart(place) {
    if (data.rowLabels.length) return `row ${shorten(data.rowLabels[place], 30)}`;
    return data.rowNumbers.length ? `row ${data.rowNumbers[place]} of the table` : "a middle row";
  }

  // ── Links to a row: #row=17, or #row=17&values=[…] for a changed one ────────────────────────────────────────────────────

  let hasRead = false;

  function makeLink() {
    const parts = [`row=${data.rowNumbers.length ? data.rowNumbers[start] : 0}`];
    if (output) parts.push(`output=${output}`);
    if (isChanged()) parts.push(`values=${encodeURIComponent(JSON.stringify(row))}`);
    return `#${parts.join("&")}`;
  }

  function readLink() {
    hasRead = true;
    if (!location.hash.startsWith("#row=")) return false;
    const given = new URLSearchParams(location.hash.slice(1));
    const place = data.rowNumbers.indexOf(Number(given.get("row")));
    start = Math.max(place, 0);
    row = data.rows[start].slice();
    const chosen = Number(given.get("output") || 0);
    if (Number.isInteger(chosen) && chosen >= 0 && chosen < nOutputs) output = chosen;
    hasChosenOutput = true;
    try {
      const values = JSON.parse(given.get("values"));
      if (Array.isArray(values) && values.length === row.length && values.every(isAllowed)) row = values;
    } catch {
      // a damaged link shows the unchanged row
    }
    return true;
  }

  function isAllowed(value, number) {
    if (value === null) return true;
    return columns[number].is_category ? ["string", "number", "boolean"].includes(typeof value)
      : typeof value === "number" && Number.isFinite(value);
  }

  function follow() {
    if (!readLink()) return;
    drawEverything();
    byId("explorer").scrollIntoView();
  }

  // ── All of it ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Ways to order the row explorer's rows: a name, the size by which rows are ordered, and how it is written. */
  const orders = new Map();

  function fillOrders() {
    const best = (place) => (data.rowOutputs[place] || data.rowPredictions[place])[output];
    const writeBest = (place) => {
      const chance = findChance(Array.from(data.rowOutputs[place] || data.rowPredictions[place]));
      return chance === null ? format(best(place), 4) : formatChance(chance);
    };
    const hasOwn = data.rowOutputs.length > 0 && !data.isExact;
    const rest = (place) => misses.measure(place, "remainder");
    const differs = (place) => findClass(data.rowOutputs[place]) !== findClass(data.rowPredictions[place]);
    orders.set("table", { name: "their place in the table", size: (place) => -(data.rowNumbers[place] ?? 0), write: () => "" });
    if (!data.rowPredictions.length) return;
    orders.set("high", { name: "highest prediction", size: best, write: writeBest });
    orders.set("low", { name: "lowest prediction", size: (place) => -best(place), write: writeBest });
    if (hasOwn) orders.set("remainder", { name: "largest remainder", size: (place) => Math.abs(rest(place)), write: (place) => format(rest(place), 3) });
    if (data.rowTruths.length)
      orders.set("miss", { name: "farthest from the known outcome", size: (place) => misses.findMiss(place) ?? -1, write: (place) => writeMiss(misses.findMiss(place)) });
    if (hasOwn && isClassifier() && data.rows.some((_, place) => differs(place)))
      orders.set("differs", { name: "class differs from the model’s", size: (place) => Math.abs(rest(place)), write: writeBest, isKept: differs });
  }

  function writeMiss(miss) {
    if (miss === null) return "not known";
    return isClassifier() ? `${percent(miss)} off` : `${format(miss, 3)} off`;
  }

  /** Rows of the row explorer in the order chosen, each with the number it is ordered by. */
  function fillStarts() {
    const { size, write, isKept } = orders.get(byId("order").value || "table");
    const places = data.rows.map((_, place) => place).filter(isKept || (() => true));
    const listed = d3.sort(places, (place) => -size(place));
    byId("start").replaceChildren(...listed.map((place) => make("option", { value: place }, [nameStart(place), write(place)].filter(Boolean).join(" · "))));
    return listed;
  }

  function fillChoices() {
    fillOrders();
    byId("order").replaceChildren(...[...orders].map(([value, { name }]) => make("option", { value }, name)));
    const n = data.results ? data.rows.length : 0;
    byId("explorer-rows").textContent = n ? `The list has ${n} of ${data.results.nRows.toLocaleString("en")} rows: some at even distances, and those that stand out.` : "";
    byId("output").replaceChildren(...fitted.output_names.map((name, place) => make("option", { value: place }, name)));
    byId("explorer-output").replaceChildren(...fitted.output_names.map((name, place) => make("option", { value: place }, name)));
    byId("explorer-choice-name").textContent = isClassifier() ? "Class" : "Output";
    for (const id of ["output-choice", "explorer-choice"]) byId(id).hidden = nOutputs < 2;
    byId("marginal-choice").hidden = !data.marginal.length;
  }

  /** What is explained, for a reader who knows the model by its task only. */
  function describeModel() {
    const n = fitted.feature_names.length;
    const features = n === 1 ? "one input (“feature”)" : `${n} inputs (“features”)`;
    if (!isClassifier()) return `How a model’s predictions${nOutputs > 1 ? ` of ${nOutputs} outputs` : ""} depend on ${features}.`;
    if (nOutputs > 1) return `How a model’s choice of a class out of ${nOutputs} depends on ${features}.`;
    return `How the probability${nameClass()} that a model predicts depends on ${features}.`;
  }

  function isClassifier() {
    return findClass(Array.from(scorer.base)) !== null;
  }

  /** Show the class that is predicted for the row, unless the reader has chosen another; whether it changed. */
  function preselect() {
    if (hasChosenOutput || nOutputs < 2 || !isClassifier()) return false;
    const before = output;
    output = findClass(Array.from(findOwn() || scorer.score(row).prediction));
    return output !== before;
  }

  function chooseOutput(id) {
    output = Number(byId(id).value);
    hasChosenOutput = true;
    drawEverything();
  }

  function showRow() {
    byId("start").value = start; // none if the order chosen leaves this row out
    showValues();
    update();
  }

  function drawEverything() {
    byId("output").value = output;
    byId("explorer-output").value = output;
    drawImportance();
    drawDrivers();
    drawShapes();
    drawPairs();
    misses.draw();
    fillStarts();
    showRow();
  }

  /** Show a row of the row explorer. */
  function startFrom(place) {
    start = place;
    row = data.rows[start].slice();
    if (preselect()) drawEverything();
    else showRow();
  }

  function on(id, event, act) {
    byId(id).addEventListener(event, act);
  }

  function listen() {
    on("output", "change", () => chooseOutput("output"));
    on("explorer-output", "change", () => chooseOutput("explorer-output"));
    on("marginal", "change", update);
    on("theme", "click", () => showTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark", true));
    on("importance-all", "click", () => { showAllImportance = !showAllImportance; drawImportance(); });
    const showShapes = () => { if (shapesShown < singles.length) { shapesShown = singles.length; drawShapes(); } };
    on("shapes-more", "click", showShapes);
    on("shapes-search", "input", () => { showShapes(); search("shapes", "features"); });
    on("shapes-scale", "change", drawShapes);
    on("shapes-given", "change", drawShapes);
    on("pairs-search", "input", () => {
      if (pairsShown < MAX_PAIRS) { pairsShown = MAX_PAIRS; drawPairs(); }
      search("pairs", "pairs");
    });
    on("pairs-more", "click", () => { pairsShown = MAX_PAIRS; drawPairs(); });
    on("start", "change", () => startFrom(Number(byId("start").value)));
    on("order", "change", () => startFrom(fillStarts()[0]));
    on("reset", "click", () => { row = data.rows[start].slice(); showRow(); });
    on("controls", "submit", (event) => event.preventDefault());
    on("importance-csv", "click", () => saveCsv("importance.csv", [["feature", "mean absolute effect"],
      ...rankPlayers().map(({ name, size }) => [name, size])]));
    on("shapes-csv", "click", () => saveCsv("shapes.csv", [["feature", "value", "effect", "standard error"],
      ...singles.filter(isShown("shapes")).flatMap((term) => listPoints(term).map(({ x, y, error }) => [term.name, x, y, term.errors ? error : ""]))]));
    on("pairs-csv", "click", () => saveCsv("pairs.csv", [["first", "second", "first value", "second value", "effect"],
      ...pairs.filter(isShown("pairs")).flatMap((term) => listCells(term).cells.map(({ x, y, effect }) =>
        [...term.columns.map((column) => columns[column].name), ...[x, y].map(({ value }, k) => nameFlag(value, columns[term.columns[k]])), effect]))]));
    on("explorer-csv", "click", () => {
      const scored = scorer.score(row);
      saveCsv("row.csv", [["feature", "value", "effect"], ["(average row)", "", scorer.base[output]],
        ...listSteps(scored).map((step) => [step.name, playerValue(step.player), step.value]),
        ["(prediction)", "", scored.prediction[output]],
        ...(findOwn() === null ? [] : [["(remainder)", "", findOwn()[output] - scored.prediction[output]],
          ["(model output)", "", findOwn()[output]]])]);
    });
    window.addEventListener("hashchange", follow);
    window.addEventListener("beforeprint", () => {
      for (const part of document.querySelectorAll("details")) part.open = true;
      showShapes();
      drawAll();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => showTheme(event.matches ? "dark" : "light", false));
    let width = byId("shapes-cards").clientWidth;
    window.addEventListener("resize", () => {
      if (byId("shapes-cards").clientWidth === width) return;
      width = byId("shapes-cards").clientWidth;
      redraw();
    });
  }

  /** Filter of the terms whose cards are on the page and not hidden by the search. */
  function isShown(section) {
    const names = new Set([...byId(`${section}-cards`).children].filter((card) => !card.hidden).map((card) => card.dataset.name));
    return (term) => names.has(term.name.toLowerCase());
  }

  /** Switch the theme; a choice of the reader is remembered where the browser allows it. */
  function showTheme(theme, isChoice) {
    document.documentElement.dataset.theme = theme;
    byId("theme").setAttribute("aria-pressed", String(theme === "dark"));
    byId("theme").textContent = theme === "dark" ? "Light" : "Dark";
    try {
      if (isChoice) localStorage.setItem("instashap-theme", theme);
    } catch {
      // a page from a file may have no storage
    }
    redraw();
  }

  /** Mark the section in view in the contents. */
  function followScroll() {
    const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.getAttribute("href").slice(1), link]));
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const [id, link] of links) {
          if (id === entry.target.id) link.setAttribute("aria-current", "true");
          else link.removeAttribute("aria-current");
        }
      }
    }, { rootMargin: "-20% 0px -70% 0px" });
    for (const section of document.querySelectorAll("main section")) seen.observe(section);
  }

  const misses = instashapMisses.makeMisses({
    data, columns, byId, make, colour, format, formatShort, formatValue, percent, shorten, label, drawLater, redraw, hideWhatNeeds, nameStart, isNarrow,
    output: () => output,
    nameOutput: () => (fitted.output_names[output] === "output" ? "" : fitted.output_names[output]),
    nameModel: () => (data.rowOutputs.length ? "the model’s output" : "prediction"),
    nameOwn: () => `the model’s output${nameScale().replace("; ", ", ")}`,
    listColumns: () => listColumns(),
    open: (place) => {
      byId("order").value = "table";
      fillStarts();
      startFrom(place);
      byId("explorer").scrollIntoView();
    },
  });

  byId("title").textContent = data.title;
  byId("left-out").hidden = !data.nLeftOut;
  byId("left-out").textContent = `${data.nLeftOut} weak interactions were left out of this page to keep it small: ` +
    `predictions below lack ${percent(data.lost)} of the sum of mean absolute effects.`;
  byId("subtitle").textContent = describeModel();
  fillChoices();
  makeControls();
  listen();
  const isLinked = readLink();
  preselect();
  showTheme(document.documentElement.dataset.theme, false);
  followScroll();
  drawEverything();
  if (isLinked) byId("explorer").scrollIntoView();

  // For tests and tools: the current row, its exact scores, and drawing of all charts.
  window.instashapReport = { getRow: () => row.slice(), getScores: () => scorer.score(row), drawAll };
})();
